"""Where the processes of a command leave each other marks; see also `test_terraform.py`."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from crusoe_provider.providerserver.markers import Markers
from crusoe_provider.providerserver.processes import Process

BLOCK = b"provider block"
COMMAND = Process.of(os.getpid())
FIRST = Process.of(os.getppid())
SECOND = COMMAND


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of this process."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def folder_in(parent: Path) -> Path:
    """Return the folder of markers in another."""
    return parent / f"tf-provider-server-{os.getuid()}"


def found_by_the_second(environ: dict[str, str]) -> Process | None:
    """Return which process the second one of a command finds, by the marker of the first."""
    assert Markers(None, environ).first_of(COMMAND, BLOCK, FIRST) == FIRST
    return Markers(None, environ).first_of(COMMAND, BLOCK, SECOND)


def test_a_folder_of_this_user_alone_goes_first(tmp_path: Path, temporary: Path) -> None:
    """The system makes one at login, and clears it away."""
    assert found_by_the_second({"XDG_RUNTIME_DIR": str(tmp_path)}) == FIRST
    assert len(list(folder_in(tmp_path).iterdir())) == 1
    assert list(temporary.iterdir()) == []


def missing(parent: Path) -> str:
    return str(parent / "missing")


def a_file(parent: Path) -> str:
    file = parent / "file"
    file.touch()
    return str(file)


def open_to_others(parent: Path) -> str:
    folder_in(parent).mkdir(mode=0o755)
    return str(parent)


def planted_link(parent: Path) -> str:
    elsewhere = parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder_in(parent).symlink_to(elsewhere)
    return str(parent)


def relative(parent: Path) -> str:
    return os.path.relpath(parent)


def empty(parent: Path) -> str:
    del parent
    return ""


@pytest.mark.parametrize(
    "useless", [missing, a_file, open_to_others, planted_link, relative, empty]
)
def test_where_it_is_of_no_use_the_temporary_folder_is(
    tmp_path: Path, temporary: Path, useless: Callable[[Path], str]
) -> None:
    """As with `su`, which leaves the variable of the other user, and in containers."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()

    assert found_by_the_second({"XDG_RUNTIME_DIR": useless(runtime)}) == FIRST
    assert len(list(folder_in(temporary).iterdir())) == 1
    assert list(runtime.rglob("*-*.*")) == []


def test_without_any_folder_nothing_is_known(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no obstacle, even if Python itself finds no temporary one."""
    temporary.rmdir()
    assert Markers(None, {}).first_of(COMMAND, BLOCK, FIRST) is None

    def find_none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr("tempfile.gettempdir", find_none)
    assert Markers(None, {}).first_of(COMMAND, BLOCK, FIRST) is None
