"""The file that the Crusoe CLI writes too, read by itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.config_file import (
    KNOWN_KEYS,
    BrokenConfigFileError,
    ConfigFile,
    read_config_file,
)

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".crusoe").mkdir()
    return tmp_path


def read(home: Path, content: str | bytes) -> ConfigFile:
    raw = content.encode() if isinstance(content, str) else content
    (home / ".crusoe" / "config").write_bytes(raw)
    return read_config_file(home)


def test_profiles_are_the_tables_with_the_keys_that_are_known(home: Path) -> None:
    """What other tools keep there is none of our business."""
    file = read(
        home,
        'profile = "work"\naccess_key_id = "outside of any table"\n'
        '[default]\naccess_key_id = "A"\ndefault_project = "p"\nnumber = 5\n'
        f'[work]\nsecret_key = "{SECRET}"\napi_endpoint = "https://work.example"\n',
    )

    assert (file.path, file.exists, file.chosen) == (home / ".crusoe" / "config", True, "work")
    assert file.profiles == {
        "default": {"access_key_id": "A"},
        "work": {"secret_key": SECRET, "api_endpoint": "https://work.example"},
    }


def test_a_profile_inherits_nothing(home: Path) -> None:
    """A dotted table is part of another one, not a profile of that name."""
    file = read(home, '[a]\naccess_key_id = "A"\n[a.b]\naccess_key_id = "B"\n["c.d"]\n')

    assert file.profiles == {"a": {"access_key_id": "A"}, "c.d": {}}


@pytest.mark.parametrize("content", ["", "\n", "# nothing but a comment\n"])
def test_an_empty_file_exists_and_says_nothing(home: Path, content: str) -> None:
    assert read(home, content) == ConfigFile(home / ".crusoe" / "config", exists=True)


def test_no_file_is_no_error(tmp_path: Path) -> None:
    """The environment may say all there is to say."""
    assert read_config_file(tmp_path) == ConfigFile(tmp_path / ".crusoe" / "config")


def test_a_file_where_the_folder_should_be_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".crusoe").write_text("")

    assert not read_config_file(tmp_path).exists


def test_no_home_folder_is_no_error() -> None:
    assert read_config_file(None) == ConfigFile(None)


@pytest.mark.parametrize("chosen", ["", " "])
def test_an_empty_choice_is_none(home: Path, chosen: str) -> None:
    assert read(home, f'profile = "{chosen}"\n').chosen is None


def test_blanks_around_values_are_no_part_of_them(home: Path) -> None:
    """They come with copying; a value of nothing else counts as unset."""
    file = read(home, '[p]\naccess_key_id = " A\\n"\nsecret_key = " "\n')

    assert file.profiles == {"p": {"access_key_id": "A"}}


@pytest.mark.parametrize("encode", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t])
def test_files_of_windows_editors_are_read(home: Path, encode: object) -> None:
    """Line ends of two characters, and a byte order mark."""
    assert callable(encode)

    assert read(home, encode('[p]\naccess_key_id = "A"\n')).profiles == {
        "p": {"access_key_id": "A"}
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"[p]\nsecret_key = {SECRET}\n", "(line 2, column 14)"),
        (f"[p]\nsecret_key = {SECRET}\n", 'in secret_key = "…", and every profile is a table'),
        (f'[p]\nsecret_key = "{SECRET}', "(at its end)"),
        (f'[p]\nsecret_key = "{SECRET}"\n[p]\n', "(line 3, column 3)"),
        (f"secret_key={SECRET}\n[p]\n", "(line 1, column 12)"),
        (f'[p]\nsecret_key = ["{SECRET}"]\n', "secret_key of profile p must be a string"),
        (f'profile = ["{SECRET}"]\n', "profile must be a string"),
        (f'[profile]\nsecret_key = "{SECRET}"\n', "profile must be a string"),
        (SECRET.encode() + b"\xff", "not UTF-8"),
        # What Python's parser gives up on in other ways.
        (f'[p]\nn = 1{"0" * 5000}\nsecret_key = "{SECRET}"\n', "is not valid TOML."),
        (f'n = {"[" * 50_000}\n[p]\nsecret_key = "{SECRET}"\n', "is not valid TOML."),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_broken_file_says_where_and_not_what(home: Path, content: str | bytes, told: str) -> None:
    """What stands at the place that is broken may be a secret without its quotes."""
    with pytest.raises(BrokenConfigFileError) as error:
        read(home, content)

    assert told in str(error.value)
    assert str(home / ".crusoe" / "config") in str(error.value)
    assert SECRET not in f"{error.value!r} {error.value}"
    assert error.value.__cause__ is None


def test_secrets_are_in_no_repr(home: Path) -> None:
    """It would end up in a log one day."""
    assert SECRET not in repr(read(home, f'[p]\nsecret_key = "{SECRET}"\n'))


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
# One name is taken: it is the key that picks a profile.
names = words.filter(lambda name: name != "profile")
tables = st.dictionaries(names, st.dictionaries(st.sampled_from(KNOWN_KEYS), words), max_size=4)


@given(tables)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, profiles: dict[str, dict[str, str]]
) -> None:
    """Profile by profile, key by key."""
    home = tmp_path_factory.mktemp("home")
    (home / ".crusoe").mkdir()
    lines = [
        line
        for name, settings in profiles.items()
        for line in [f'["{name}"]', *(f'{key} = "{value}"' for key, value in settings.items())]
    ]

    assert read(home, "\n".join(lines)).profiles == profiles
