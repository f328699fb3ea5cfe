"""Folders with packages of the provider: which of them Terraform takes, and which may be started.

A mirror holds them unpacked, as a folder `HOST/NAMESPACE/TYPE/VERSION/OS_ARCH`, or packed, as
`HOST/NAMESPACE/TYPE/terraform-provider-TYPE_VERSION_OS_ARCH.zip`.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from crusoe_provider.cli.installation import NAME, SOURCE, terraform_platform

_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class Mirror(NamedTuple):
    """A folder in which Terraform looks for packages.

    Attributes:
        path: The folder.
        is_chosen: Whether it is the user's or the system's own, or one that their configuration
            names. What stands in the working folder chooses nothing: a repository may have it.
    """

    path: Path
    is_chosen: bool = True


class Package(NamedTuple):
    """The provider in a mirror.

    Attributes:
        version: Its version.
        path: The executable, or a packed release.
        mirror: Where it is.
    """

    version: str
    path: Path
    mirror: Mirror


def package_taken(mirrors: Sequence[Mirror], host: str, locked: str | None) -> Package | None:
    """Return the package that Terraform takes, if a mirror has one.

    Args:
        mirrors: The mirrors, in the order in which they are asked.
        host: The registry that completes the source address.
        locked: The version that the lock file has, if it has one; the newest counts where no
            mirror has that.
    """
    packages = [package for mirror in mirrors for package in _packages(mirror, host)]
    wanted = [package for package in packages if package.version == locked] or packages
    return max(wanted, key=lambda package: _order(package.version), default=None)


def may_be_started(mirror: Mirror, folder: Path) -> bool:
    """Say whether what a mirror has may be started, as what the user has chosen.

    Args:
        mirror: The mirror.
        folder: The working folder. What lies in there may be somebody else's, and so may what a
            link in there leads to.
    """
    work = folder.resolve()
    path = Path(os.path.normpath(folder / mirror.path))
    way = (folder / mirror.path, path, *path.parents)
    return mirror.is_chosen and not any(step.resolve().is_relative_to(work) for step in way)


def _packages(mirror: Mirror, host: str) -> Iterator[Package]:
    folder = mirror.path / host / SOURCE
    platform = terraform_platform()
    for unpacked in folder.glob(f"*/{platform}"):
        for executable in sorted(unpacked.glob(f"{NAME}*")):
            yield Package(unpacked.parent.name, executable, mirror)
            break
    for packed in folder.glob(f"{NAME}_*_{platform}.zip"):
        version = packed.name.removeprefix(f"{NAME}_").removesuffix(f"_{platform}.zip")
        yield Package(version, packed, mirror)


def _order(version: str) -> tuple[tuple[int, ...], bool]:
    """Return what versions are compared by: a pre-release comes before its release."""
    match = _NUMBERS.match(version)
    return tuple(map(int, match.groups())) if match else (0,), "-" not in version
