"""Build what the Terraform Registry and filesystem mirrors expect of a release.

    python tools/release.py build 1.2.3       # the package for this platform
    python tools/release.py licences          # what it bundles, and under which licences
    python tools/release.py checksums 1.2.3   # once the packages of all platforms are there

A package holds a Python of its own, so it is built with the Python that runs this program, and with
the dependencies that are installed there. `make release` gives it those of
`tools/release-requirements.txt`. Two builds of one commit on one system give the same bytes.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from crusoe_provider.cli.installation import NAME, terraform_platform
from crusoe_provider.version import __version__

REPOSITORY: Final = Path(__file__).resolve().parents[1]
DIST: Final = REPOSITORY / "dist"
# Which versions of the plugin protocol a release speaks; the registry asks for it by this name.
MANIFEST: Final = REPOSITORY / "terraform-registry-manifest.json"
# What the dependencies can do without, and which is there or not from one environment to another.
LEFT_OUT: Final = (
    *("_pytest", "attr", "attrs", "click", "crusoe_simulator", "grpc_tools", "h2", "pkg_resources"),
    *("pygments", "pytest", "rich", "setuptools", "socksio", "tkinter", "tomli_w", "trio"),
    *("unittest", "uvloop", "yaml"),
    # What PyInstaller's own code would load at every start, or drags a library in.
    *("_uuid", "bz2", "ctypes", "lzma"),
)
_ENTRY: Final = """\
import sys

from crusoe_provider.__main__ import main

sys.exit(main())
"""
_FOREWORD: Final = f"""\
Third-party software in {NAME} {{version}}

Python {{python}} and its standard library, with the libraries that it is linked to: OpenSSL
(Apache-2.0), zlib (Zlib), the GNU C++ runtime (GPL-3.0 with the GCC Runtime Library Exception). The
start program of PyInstaller (GPL-2.0 with an exception that allows any use). And:
"""


class ReleaseError(Exception):
    """The release cannot be built; the message says why."""


def build(output: Path, epoch: int) -> Path:
    """Build the package for this platform, and return it.

    Args:
        output: The folder to put it into.
        epoch: The time that every file in it bears, in seconds since 1970.

    Raises:
        ReleaseError: PyInstaller has failed.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = _bundle(Path(name), epoch)
        for file in (REPOSITORY / "LICENSE", MANIFEST):
            shutil.copy(file, folder)
        (folder / "THIRD_PARTY_LICENSES.txt").write_text(licences(), encoding="utf-8")
        package = output / f"{NAME}_{__version__}_{terraform_platform()}.zip"
        _pack(folder, package, epoch)
    return package


def checksums(output: Path, key: str | None) -> list[Path]:
    """Write the manifest and the checksums of all packages of this version, and sign those.

    Args:
        output: The folder with the packages.
        key: What names the key to `gpg`; `None` for no signature.

    Returns:
        The new files.

    Raises:
        ReleaseError: There is no package, or gpg has failed.
    """
    prefix = f"{NAME}_{__version__}"
    packages = sorted(output.glob(f"{prefix}_*.zip"))
    if not packages:
        raise ReleaseError(f"There is no package of version {__version__} in {output}.")
    manifest = output / f"{prefix}_manifest.json"
    manifest.write_bytes(MANIFEST.read_bytes())
    sums = output / f"{prefix}_SHA256SUMS"
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in packages}
    digests[manifest.name] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    sums.write_text("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)))
    signature = output / f"{sums.name}.sig"
    signature.unlink(missing_ok=True)
    if key is None:
        return [manifest, sums]
    command = ["gpg", "--batch", "--local-user", key, "--detach-sign", "--output"]
    if subprocess.run([*command, signature, sums], check=False).returncode:
        raise ReleaseError(f"gpg could not sign with the key {key}.")
    return [manifest, sums, signature]


def licences() -> str:
    """Return which software the package bundles, and its licences in full."""
    python_version = sys.version.split()[0]
    parts = [_FOREWORD.format(version=__version__, python=python_version)]
    python = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    if python.exists():
        parts.append(_licence(f"Python {python_version}", "PSF-2.0", [python.read_text()]))
    for name in _bundled():
        found = distribution(name)
        files = [
            file.read_text(encoding="utf-8")
            for file in found.files or ()
            if re.match(r"(licen[cs]e|copying|notice|copyright)", file.name, re.IGNORECASE)
        ]
        licence = found.metadata["License-Expression"] or found.metadata["License"] or "see below"
        parts.append(_licence(f"{name} {found.version}", licence.splitlines()[0], files))
    return "\n".join(parts)


def _licence(name: str, licence: str, texts: Sequence[str]) -> str:
    rule = "=" * 78
    return "\n".join([rule, name, f"Licence: {licence}", rule, "", *texts])


def _bundled() -> list[str]:
    """Return the names of the distributions that the provider needs to run, itself left out."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: set[str] = set()
    waiting: list[str] = list(project["dependencies"])
    while waiting:
        needed = Requirement(waiting.pop())
        if needed.name in found or (needed.marker and not needed.marker.evaluate({"extra": ""})):
            continue
        found.add(needed.name)
        waiting += distribution(needed.name).requires or ()
    return sorted(found)


def _bundle(work: Path, epoch: int) -> Path:
    """Make a folder with the executable and all it needs, and return it."""
    entry = work / "entry.py"
    entry.write_text(_ENTRY)
    name = f"{NAME}_v{__version__}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--log-level", "ERROR", "--noconfirm"),
            # One folder with plain modules starts fastest, and leaves nothing in /tmp.
            *("--onedir", "--debug", "noarchive", "--strip", "--noupx", "--name", name),
            *(f"--exclude-module={module}" for module in LEFT_OUT),
            *("--paths", str(REPOSITORY / "provider"), str(entry)),
        ],
        cwd=work,
        env=clean | {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"PyInstaller has failed:\n{done.stderr}")
    return work / "dist" / name


def _pack(folder: Path, package: Path, epoch: int) -> None:
    """Write a folder into a zip file whose bytes depend on nothing but its content."""
    date = datetime.fromtimestamp(max(epoch, 315_532_800), UTC)  # zip files begin in 1980
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_dir():
                continue
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date.timetuple()[:6])
            entry.create_system = 3  # Unix, whose permissions follow
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def _check(version: str) -> None:
    if version != __version__:
        raise ReleaseError(
            f"This is version {__version__}. For a release of {version}, change "
            "provider/crusoe_provider/version.py and CHANGELOG.md first, and commit that."
        )
    if sys.platform == "linux" and shutil.which("objdump") is None:
        raise ReleaseError("objdump is missing: install the package binutils.")


def _epoch() -> int:
    """Return the time of the commit that is built, or what SOURCE_DATE_EPOCH says."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", str(REPOSITORY), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError("Not a git repository; set SOURCE_DATE_EPOCH to the release's time.")
    return int(done.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say, and return the exit code."""
    parser = argparse.ArgumentParser(description="Build a release.")
    parser.add_argument("--output", type=Path, default=DIST, help="default: dist")
    commands = parser.add_subparsers(required=True, dest="command")
    for name in ("build", "checksums"):
        command = commands.add_parser(name)
        command.add_argument("version", help="has to be the one in version.py")
        if name == "checksums":
            command.add_argument("--gpg-key", help="sign with this key")
    commands.add_parser("licences")
    options = parser.parse_args(arguments)
    if options.command == "licences":
        print(licences())
        return 0
    try:
        _check(options.version)
        if options.command == "build":
            files = [build(options.output, _epoch())]
        else:
            files = checksums(options.output, options.gpg_key or None)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    for file in files:
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
