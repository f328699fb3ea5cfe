"""What can be said of a release before anything is installed: any Python runs this file.

python tools/release/version.py check 1.2.3    # is it the version of the code?
python tools/release/version.py notes v1.2.3   # its section of CHANGELOG.md
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_VERSION: Final = re.compile(r"v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z][0-9A-Za-z.-]*)?)")
_ASSIGNMENT: Final = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
_USAGE: Final = 2


class VersionError(Exception):
    """This cannot be released; the message says why."""


def checked(text: str, repository: Path = REPOSITORY) -> str:
    """Return the version that a tag or an argument names.

    Raises:
        VersionError: It is not the version of the code.
    """
    if not text:
        raise VersionError("Say which version: VERSION=x.y.z")
    named = _VERSION.fullmatch(text)
    if named is None:
        raise VersionError(f"{text!r} is no version: it has to be x.y.z.")
    code = (repository / "provider" / "crusoe_provider" / "version.py").read_text(encoding="utf-8")
    found = _ASSIGNMENT.search(code)
    if found is None or found[1] != named[1]:
        raise VersionError(
            f"This is version {found and found[1]}. For a release of {named[1]}, change "
            "provider/crusoe_provider/version.py and CHANGELOG.md first, and commit that."
        )
    return named[1]


def notes(version: str, repository: Path = REPOSITORY) -> str:
    """Return a version's section of the changelog.

    Raises:
        VersionError: There is none, or it has no date.
    """
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(
        rf"^## {re.escape(version)} \(([^)\n]*)\)\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if section is None:
        raise VersionError(f"CHANGELOG.md has no section of version {version}.")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", section[1]):
        raise VersionError(
            f"CHANGELOG.md says of version {version}: {section[1]}. Give it its date first."
        )
    return section[2].strip() + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say, and return the exit code."""
    try:
        match sys.argv[1:] if arguments is None else arguments:
            case ["check", version]:
                print(checked(version))
            case ["notes", version]:
                print(notes(checked(version)), end="")
            case _:
                print(__doc__, file=sys.stderr)
                return _USAGE
    except VersionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
