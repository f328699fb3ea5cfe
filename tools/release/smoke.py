"""Start the plugin of a package, as a person does and as Terraform does: `smoke.py PACKAGE.zip`."""

import os
import select
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

_SECONDS: Final = 60
# What go-plugin's client sets.
_TERRAFORM: Final = {
    "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    "PLUGIN_PROTOCOL_VERSIONS": "6",
    "PLUGIN_CLIENT_CERT": "-----BEGIN CERTIFICATE-----",
}
_FIELDS: Final = 6


class SmokeError(Exception):
    """The plugin does not start; the message says what it did."""


def check(package: Path) -> str:
    """Start the plugin of a package in both ways, and return what it says of itself.

    Raises:
        SmokeError: It does not start.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(package) as archive:
            for entry in archive.infolist():
                path = Path(archive.extract(entry, folder))
                path.chmod(entry.external_attr >> 16 & 0o777)
        (plugin,) = folder.glob("terraform-provider-*_v*")
        environment = {"HOME": name, "TMPDIR": name, "PATH": os.defpath}
        asked = subprocess.run(
            [plugin, "--version"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        version = package.name.split("_")[1]
        if asked.returncode or version not in asked.stdout:
            raise SmokeError(f"--version printed: {asked.stdout}{asked.stderr}")
        checked = subprocess.run(
            [plugin, "check", "--no-terraform", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        # There are no credentials here, and the command for people says so.
        if checked.returncode != 1 or "Missing Crusoe credentials" not in checked.stdout:
            raise SmokeError(f"check printed: {checked.stdout}{checked.stderr}")
        line = _handshake(plugin, environment | _TERRAFORM)
        if len(line.split("|")) != _FIELDS or not line.startswith("1|6|unix|"):
            raise SmokeError(f"Instead of a handshake it printed: {line!r}")
    return asked.stdout.strip()


def _handshake(plugin: Path, environment: dict[str, str]) -> str:
    with subprocess.Popen(
        [plugin], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        if process.stdout is None:
            raise AssertionError("started with a pipe")
        ready, _, _ = select.select([process.stdout], [], [], _SECONDS)
        line = process.stdout.readline() if ready else ""
        process.kill()
    return line


def main() -> int:
    """Check every package that is named."""
    for name in sys.argv[1:]:
        try:
            print(f"{name}: {check(Path(name))}, and it shakes hands")
        except SmokeError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
