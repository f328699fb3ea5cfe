"""Build the package of a release for the platform that this runs on.

A package holds a Python of its own, so it is built with the Python that runs this program, and
with the dependencies that are installed there. `make release` gives it those of `requirements.txt`,
which are pinned. Two builds of one commit on one system give the same bytes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from crusoe_provider.cli.installation import LIBRARIES, NAME, NOTICES, terraform_platform
from crusoe_provider.version import __version__
from release import smoke
from release.checksums import DIST, MANIFEST, REPOSITORY
from release.contents import bill_of_materials, licences

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


class ReleaseError(Exception):
    """The release cannot be built; the message says why."""


def build(output: Path, epoch: int) -> Path:
    """Build the package for this platform, and return it.

    Args:
        output: The folder to put it into.
        epoch: The time that every file in it bears, in seconds since 1970.

    Raises:
        ReleaseError: PyInstaller has failed, is not complete, or has made something else.
    """
    if sys.platform == "linux" and shutil.which("objdump") is None:
        raise ReleaseError("objdump is missing: install the package binutils.")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = _bundle(Path(name), epoch)
        for file in (REPOSITORY / "LICENSE", MANIFEST):
            shutil.copy(file, folder)
        (folder / "THIRD_PARTY_LICENSES.txt").write_text(licences(), encoding="utf-8")
        _check_parts(folder)
        package = output / f"{NAME}_{__version__}_{terraform_platform()}.zip"
        _pack(folder, package, epoch)
    return package


def describe(package: Path, epoch: int) -> Path:
    """Write the bill of materials of a package beside it, and return it."""
    file = package.with_suffix(".cdx.json")
    document = bill_of_materials(package, epoch)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return file


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


def _check_parts(folder: Path) -> None:
    """Make sure that a folder has what the binary's own `install` copies, and nothing else."""
    found = {path.name for path in folder.iterdir()}
    known = {f"{NAME}_v{__version__}", LIBRARIES, *NOTICES}
    if found != known:
        raise ReleaseError(
            f"The package and `{NAME} install` differ: see NOTICES in cli/installation.py. "
            f"They do not share {', '.join(sorted(found ^ known))}."
        )


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
    """Build the package, start it, and return the exit code."""
    parser = argparse.ArgumentParser(description="Build the package for this platform.")
    parser.add_argument("--output", type=Path, default=DIST, help="default: dist")
    output = parser.parse_args(arguments).output
    try:
        epoch = _epoch()
        package = build(output, epoch)
        smoke.check(package)
    except (ReleaseError, smoke.SmokeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(package)
    print(describe(package, epoch))
    return 0


if __name__ == "__main__":
    sys.exit(main())
