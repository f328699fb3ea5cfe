"""What is checked before anything of a release is built."""

import subprocess
import sys
from pathlib import Path

import pytest

from crusoe_provider.version import __version__
from release.version import VersionError, checked, main, notes

REPOSITORY = Path(__file__).parents[2]
CHANGELOG = """\
# Changelog

## 1.3.0 (unreleased)

* new

## 1.2.3 (2026-11-24)

FEATURES:

* old

## 1.2.2 (2026-11-20)

* older
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository at version 1.2.3."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    code = tmp_path / "provider" / "crusoe_provider" / "version.py"
    code.parent.mkdir(parents=True)
    code.write_text('"""The version."""\n\n__version__ = "1.2.3"\n')
    return tmp_path


def test_a_tag_and_a_version_name_the_same(repository: Path) -> None:
    """The tag has a `v` before it."""
    assert checked("1.2.3", repository) == checked("v1.2.3", repository) == "1.2.3"


@pytest.mark.parametrize("text", ["1.2", "1.2.3; true", "1.2.3\n", "$(id)", "../1.2.3", "vv1.2.3"])
def test_what_is_no_version_is_refused(repository: Path, text: str) -> None:
    """A tag can be anything, and ends up in names of files and in commands."""
    with pytest.raises(VersionError, match="is no version"):
        checked(text, repository)


def test_another_version_is_refused(repository: Path) -> None:
    """The version is what the code says of itself, so it is set in one place."""
    with pytest.raises(VersionError, match=r"change provider/crusoe_provider/version\.py"):
        checked("1.2.4", repository)
    with pytest.raises(VersionError, match="Say which"):
        checked("", repository)


def test_the_notes_are_the_section_of_the_version(repository: Path) -> None:
    """Of this one, and of no other."""
    assert notes("1.2.3", repository) == "FEATURES:\n\n* old\n"
    assert notes("1.2.2", repository) == "* older\n"


def test_what_has_no_date_is_not_released(repository: Path) -> None:
    """Neither is what the changelog does not know."""
    with pytest.raises(VersionError, match=r"1\.3\.0: unreleased"):
        notes("1.3.0", repository)
    with pytest.raises(VersionError, match="no section"):
        notes("1.2.0", repository)


def test_the_program_needs_nothing_installed() -> None:
    """`make release` starts it before there is anything."""
    script = REPOSITORY / "tools" / "release" / "version.py"
    command = [sys.executable, "-IS", str(script), "check"]

    good = subprocess.run([*command, __version__], capture_output=True, text=True, check=False)
    bad = subprocess.run([*command, "99.0.0"], capture_output=True, text=True, check=False)

    assert (good.returncode, good.stdout) == (0, f"{__version__}\n")
    assert bad.returncode == 1
    assert "Traceback" not in bad.stderr


def test_the_program_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    """With an exit code of its own."""
    assert main([]) == 2
    assert "tools/release/version.py check" in capsys.readouterr().err
