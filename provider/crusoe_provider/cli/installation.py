"""Puts the plugin where Terraform finds it without a registry and without any configuration.

Terraform takes every provider that it finds in the *implied local mirror*, such as
`~/.terraform.d/plugins`, from there alone, unless its CLI configuration has a
`provider_installation` block. A package there is a folder
`HOST/NAMESPACE/TYPE/VERSION/OS_ARCH` with an executable `terraform-provider-TYPE_vVERSION`.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = "terraform-provider-crusoe"
SOURCE: Final = "crusoe-community/crusoe"
# Terraform and OpenTofu complete one source address with different hosts.
HOSTS: Final = ("registry.terraform.io", "registry.opentofu.org")
LIBRARIES: Final = "_internal"
"""The folder beside a release's executable that holds its Python."""
NOTICES: Final = ("LICENSE", "THIRD_PARTY_LICENSES.txt", "terraform-registry-manifest.json")
"""What else the package of a release holds."""

_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# Linux takes no longer first line, and no system one with blanks.
_LONGEST_SHEBANG: Final = 120
_FOLDER_MODE: Final = 0o755
# What a shell does not take literally between double quotes, or ends them or the Python string.
_SPECIAL: Final = frozenset("\"'$`\\!")
_NEEDED: Final = (
    "crusoe_provider.providerserver.serve, crusoe_provider.provider.provider, "
    "crusoe_provider.api.client"
)


class InstallationError(Exception):
    """The plugin cannot be installed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation has done.

    Attributes:
        plugins: The executables, one for each host.
        replaced: Other versions that were there before, and are not any more.
    """

    plugins: tuple[Path, ...]
    replaced: tuple[str, ...]


def terraform_platform() -> str:
    """Return this machine's platform as Terraform writes it, such as `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}_{_MACHINES.get(machine, machine)}"


def default_folder(home: Path) -> Path:
    """Return the implied local mirror that Terraform and OpenTofu have on every system."""
    return home / ".terraform.d" / "plugins"


def install(folder: Path, version: str) -> Installed:
    """Install the plugin of the running Python, or of the running binary, into a mirror.

    Other versions in the mirror are removed: Terraform would go on using a newer one.

    Args:
        folder: The mirror.
        version: The plugin's version.

    Raises:
        InstallationError: This Python cannot run the plugin.
        OSError: The folder cannot be written to, or something is missing beside the binary.
    """
    _check_printable(folder)
    replaced = sorted(set(_versions(folder)) - {version})
    launcher = None if is_bundle() else _launcher()
    plugins = []
    for package in _packages(folder, version):
        _check_no_link(folder, package)
        _make_folders(package.parent)
        with tempfile.TemporaryDirectory(dir=package.parent) as name:
            new = Path(name) / "package"
            new.mkdir()
            if launcher is None:
                _copy_bundle(new, version)
            else:
                _write_executable(new / f"{NAME}_v{version}", launcher)
            # Whatever the umask: Terraform may be run by another user than the one who installs.
            new.chmod(_FOLDER_MODE)
            _remove(package)
            new.rename(package)
        plugins.append(package / f"{NAME}_v{version}")
    for other in replaced:
        _remove_version(folder, other)
    return Installed(tuple(plugins), tuple(replaced))


def uninstall(folder: Path) -> tuple[str, ...]:
    """Remove every version of the plugin for this platform from a mirror; return which."""
    versions = tuple(sorted(set(_versions(folder))))
    for version in versions:
        _remove_version(folder, version)
    return versions


def quoted(text: str) -> str:
    """Return a text as the CLI configuration writes it."""
    # JSON's strings are strings of that language, which knows no interpolation.
    return json.dumps(text, ensure_ascii=False)


def is_bundle() -> bool:
    """Say whether this is the binary of a release, which carries its Python with it."""
    return bool(getattr(sys, "frozen", False))


def _launcher() -> str:
    """Return a program that runs the plugin in this Python, whatever is in the environment.

    It starts without `site`, whose `.pth` files would cost time at every start of the plugin, if
    this Python can do without.
    """
    _check_printable(Path(sys.executable))
    folders = _package_folders()
    lean = f"import sys\nsys.path += {folders!r}\n"
    complaint = ""
    for options, prologue in (("-IS", lean), ("-I", "import sys\n")):
        check = subprocess.run(
            [sys.executable, options, "-c", f"{prologue}import {_NEEDED}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if check.returncode == 0:
            return (
                f"{_shebang(options)}\n"
                f"# Written by `{NAME} install`.\n"
                f"{prologue}"
                "from crusoe_provider.__main__ import main\n"
                "sys.exit(main())\n"
            )
        complaint = check.stderr.strip().rpartition("\n")[2]
    raise InstallationError(
        f"{sys.executable} cannot run the plugin on its own: {complaint}\n"
        "Install the package into a virtual environment of its own with pip, and try again."
    )


def _package_folders() -> list[str]:
    """Return the folders, beside those of the standard library, that modules come from here.

    A Python of its own is asked, which takes nothing from the environment and from the current
    folder: where others can write, they could have put modules there.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", "import json, sys\nprint(json.dumps(sys.path))"],
        capture_output=True,
        text=True,
        check=True,
    )
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    folders = [
        path
        for path in dict.fromkeys(json.loads(done.stdout))
        if os.path.isdir(path)  # noqa: PTH112 - a string, as in sys.path
        and not any(path == s or path.startswith(f"{s}{os.sep}lib-dynload") for s in standard)
    ]
    for path in folders:
        _check_printable(Path(path))
    return folders


def _shebang(options: str) -> str:
    line = f"#!{sys.executable} {options}"
    if len(line) <= _LONGEST_SHEBANG and " " not in sys.executable:
        return line
    if _SPECIAL & set(sys.executable):
        raise InstallationError(
            f"The path of this Python, {sys.executable}, has characters that a shell takes for "
            "its own. Make a virtual environment in another folder, and install from there."
        )
    # A shell command and a Python string at once.
    return f"#!/bin/sh\n'''exec' \"{sys.executable}\" {options} \"$0\" \"$@\"\n' '''"


def _check_printable(path: Path) -> None:
    if not str(path).isprintable():
        raise InstallationError(f"The path {str(path)!a} has control characters; use another one.")


def _check_no_link(folder: Path, package: Path) -> None:
    """Make sure that nothing between the mirror and the package is a symbolic link.

    Raises:
        InstallationError: Something is; what it leads to is not ours to change.
    """
    for path in (package, *package.parents):
        if path == folder:
            return
        if path != package and path.is_symlink():
            raise InstallationError(
                f"{path} is a symbolic link, and what it leads to is not changed. Remove the link, "
                "and try again."
            )


def _make_folders(path: Path) -> None:
    """Make a folder, and those above it as far as they are missing, that everybody can enter."""
    if path.is_dir():
        return
    _make_folders(path.parent)
    path.mkdir()
    path.chmod(_FOLDER_MODE)


def _copy_bundle(new: Path, version: str) -> None:
    """Copy the running binary, with what belongs to its package.

    Nothing else: where it was unpacked may be the folder of all downloads, or a home folder.
    """
    executable = Path(sys.executable).resolve()
    folder = executable.parent
    missing = [name for name in (LIBRARIES, *NOTICES) if not (folder / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {' and no '.join(missing)}, which the package of a release has. "
            "Unpack it again, into a new folder, and install from there."
        )
    shutil.copytree(folder / LIBRARIES, new / LIBRARIES, symlinks=True)
    for name in NOTICES:
        shutil.copy2(folder / name, new)
    shutil.copy2(executable, new / f"{NAME}_v{version}")


def _write_executable(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _packages(folder: Path, version: str) -> Iterator[Path]:
    for host in HOSTS:
        yield folder / host / SOURCE / version / terraform_platform()


def _versions(folder: Path) -> Iterator[str]:
    """Yield the versions that are unpacked in a mirror for this platform, once for each host."""
    for host in HOSTS:
        packages = (folder / host / SOURCE).glob(f"*/{terraform_platform()}")
        yield from (package.parent.name for package in packages)


def _remove_version(folder: Path, version: str) -> None:
    for package in _packages(folder, version):
        _check_no_link(folder, package)
        _remove(package)
        # And the folders above it, as far as nothing else is in them.
        for parent in package.parents:
            if parent == folder:
                break
            try:
                parent.rmdir()
            except OSError:
                break


def _remove(package: Path) -> None:
    if package.is_symlink():
        package.unlink()
    elif package.exists():
        shutil.rmtree(package)


def required_providers(version: str) -> Sequence[str]:
    """Return the lines to paste into a configuration."""
    return (
        "terraform {",
        "  required_providers {",
        "    crusoe = {",
        f'      source  = "{SOURCE}"',
        f'      version = "{version}"',
        "    }",
        "  }",
        "}",
    )
