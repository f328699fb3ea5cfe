"""What a profile means that an object names."""

from pathlib import Path
from typing import Any

import pytest

from crusoe_provider.api.settings import Settings
from crusoe_provider.provider.configuration import settle
from crusoe_provider.provider.diagnostics import Refusal
from crusoe_provider.provider.profiles import Profiles
from crusoe_provider.provider.provider_block import ProfileEntry, ProviderBlock, block_problems
from crusoe_provider.tokens.errors import NotKnownYet

SECRET = "c2VjcmV0LWtleQ"
VARIABLES = {"CRUSOE_ACCESS_KEY_ID": "ENVIRONMENT", "CRUSOE_SECRET_KEY": SECRET}
ENTRY = ProfileEntry("ENTRY", SECRET)
STAGING = "https://staging.example/v1"


def write(home: Path, **profiles: dict[str, str]) -> None:
    """Write the file; a profile has credentials named after it unless it says otherwise."""
    folder = home / ".crusoe"
    folder.mkdir(exist_ok=True)
    lines = []
    for name, more in profiles.items():
        lines.append(f"[{name}]")
        values = {"access_key_id": name.upper(), "secret_key": SECRET} | more
        lines += [f'{key} = "{value}"' for key, value in values.items() if value]
    (folder / "config").write_text("\n".join(lines))
    (folder / "config").chmod(0o600)


def profiles(
    home: Path, environ: dict[str, str] | None = None, *, known: bool = True, **block: Any
) -> Profiles:
    """Return the profiles of a provider block."""
    given = VARIABLES if environ is None else environ
    configuration = settle(ProviderBlock(**block), environ=given, home=home)
    return Profiles(configuration, profiles_known=known)


def settings(
    home: Path, profile: str | None, environ: dict[str, str] | None = None, **block: Any
) -> Settings:
    """Return the settings of a profile."""
    return profiles(home, environ, **block).settings_of(profile)


def test_the_block_goes_before_the_file_and_is_taken_whole(tmp_path: Path) -> None:
    """Not the file's endpoint either: nothing is mixed from two sources."""
    write(tmp_path, ci={"api_endpoint": STAGING}, other={})

    found = settings(tmp_path, "ci", profiles={"ci": ENTRY})
    other = settings(tmp_path, "other", profiles={"ci": ENTRY})

    assert (found.access_key_id, found.endpoint.host) == ("ENTRY", "api.cloud.crusoe.ai")
    assert found.credentials_source == 'profile "ci" of the provider block'
    assert (other.access_key_id, other.profile) == ("OTHER", "other")
    assert str(tmp_path) in other.credentials_source


def test_endpoint_and_organization_are_those_of_the_provider_block(tmp_path: Path) -> None:
    """Unless the profile of the file says otherwise."""
    own = {"api_endpoint": STAGING, "organization_id": "org-of-file"}
    write(tmp_path, plain={}, own=own)
    environ = VARIABLES | {"CRUSOE_API_ENDPOINT": "https://environment.example"}
    block = {"organization_id": "org-of-block", "request_timeout": "5s", "max_retries": 1}

    plain = settings(tmp_path, "plain", environ, **block)
    own_settings = settings(tmp_path, "own", environ, **block)

    assert (plain.endpoint.host, plain.organization_id) == ("environment.example", "org-of-block")
    assert (own_settings.endpoint.url, own_settings.organization_id) == (STAGING, "org-of-file")
    assert own_settings.request_timeout.total_seconds() == 5
    assert own_settings.max_retries == 1


def test_credentials_of_the_file_do_not_go_where_a_block_likes(tmp_path: Path) -> None:
    """Nor to the endpoint of another profile; those of the block may."""
    write(tmp_path, default={"api_endpoint": STAGING}, ci={}, staged={"api_endpoint": STAGING})

    with pytest.raises(Refusal) as caught:
        settings(tmp_path, "ci", api_endpoint=STAGING)
    allowed = VARIABLES | {"CRUSOE_ALLOW_ENDPOINT": STAGING}
    x = {"CRUSOE_ALLOW_ENDPOINT": "https://x.example"}

    assert caught.value.diagnosis.summary == "Credentials of another endpoint"
    assert caught.value.diagnosis.path == ["profile"]
    assert SECRET not in caught.value.diagnosis.detail
    assert settings(tmp_path, "ci", {}).endpoint.host == "api.cloud.crusoe.ai"
    assert settings(tmp_path, "ci", allowed, api_endpoint=STAGING).endpoint.url == STAGING
    staged = settings(tmp_path, "staged", allowed | x, api_endpoint="https://x.example")
    assert staged.endpoint.url == STAGING
    entry = settings(tmp_path, "new", {}, profiles={"new": ENTRY})
    assert entry.endpoint.url == STAGING


@pytest.mark.parametrize(
    ("profile", "summary", "words"),
    [
        ("nobody", "Unknown profile", ('"ci", "empty", "half"', "-refresh=false")),
        ("empty", "Profile without credentials", ("access_key_id", "`profiles`")),
        ("half", "Incomplete credentials", ("secret_key",)),
        ("broken", "Unknown profile", ()),
    ],
)
def test_a_profile_that_cannot_be_used_is_an_error_on_the_argument(
    tmp_path: Path, profile: str, summary: str, words: tuple[str, ...]
) -> None:
    """It says what is missing, and never quotes a secret."""
    write(
        tmp_path,
        ci={},
        empty={"access_key_id": "", "secret_key": ""},
        half={"secret_key": ""},
    )

    with pytest.raises(Refusal) as caught:
        settings(tmp_path, profile)

    diagnosis = caught.value.diagnosis
    assert (diagnosis.summary, diagnosis.path) == (summary, ["profile"])
    assert all(word in diagnosis.detail for word in words)
    assert SECRET not in diagnosis.detail


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nothing has been looked for elsewhere."""
    with pytest.raises(Refusal) as caught:
        settings(tmp_path, "ci")

    assert "does not exist. There are no profiles." in caught.value.diagnosis.detail


def test_several_problems_come_in_one_message(tmp_path: Path) -> None:
    """A call has one error."""
    write(tmp_path, ci={"access_key_id": "C I", "api_endpoint": "ftp://x"})

    with pytest.raises(Refusal) as caught:
        settings(tmp_path, "ci")

    assert caught.value.diagnosis.summary == "Invalid access key ID"
    assert "Invalid API endpoint" in caught.value.diagnosis.detail


def test_the_block_needs_no_credentials_where_there_are_profiles(tmp_path: Path) -> None:
    """Only objects without a profile do."""
    given = profiles(tmp_path, {}, profiles={"ci": ENTRY})

    assert given.settings_of("ci").access_key_id == "ENTRY"
    with pytest.raises(Refusal) as caught:
        given.settings_of(None)
    assert caught.value.diagnosis.summary == "Missing Crusoe credentials"
    assert '"ci"' in caught.value.diagnosis.detail


def test_what_is_not_known_yet_is_no_error(tmp_path: Path) -> None:
    """The entry of one profile; or all names, which the file's may be among."""
    write(tmp_path, ci={})
    later = {"later": ProfileEntry(known=False), "now": ENTRY}

    with pytest.raises(NotKnownYet):
        settings(tmp_path, "later", profiles=later)
    with pytest.raises(NotKnownYet):
        profiles(tmp_path, known=False).settings_of("ci")
    assert settings(tmp_path, "now", profiles=later).access_key_id == "ENTRY"


def test_a_profile_without_a_name_is_refused() -> None:
    """Nothing could name it."""
    (problem,) = block_problems(ProviderBlock(profiles={" ": ProfileEntry("ID", SECRET)}))

    assert (problem.summary, problem.attribute) == ("Invalid profile", "profiles")


def test_secrets_of_profiles_are_known_to_those_who_keep_logs_clean(tmp_path: Path) -> None:
    """Those of the block are hidden by the schema, too."""
    write(tmp_path, ci={"secret_key": "ZmlsZS1zZWNyZXQ"})
    block = ProviderBlock(profiles={"x": ProfileEntry("ID", "YmxvY2stc2VjcmV0")})

    found = settle(block, environ=VARIABLES, home=tmp_path)

    assert {"ZmlsZS1zZWNyZXQ", "YmxvY2stc2VjcmV0"} <= set(found.secrets)
    assert "YmxvY2stc2VjcmV0" not in repr(found)
