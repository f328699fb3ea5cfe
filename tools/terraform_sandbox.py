"""Terraform that sees one plugin and nothing else of this machine.

The demonstration and the acceptance tests both start the real Terraform with it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from crusoe_provider.cli import installation

SOURCE: Final = installation.SOURCE
PLUGIN_NAME: Final = installation.NAME
SOURCE_WITH_HOST: Final = f"registry.terraform.io/{SOURCE}"

# What a program needs to run at all. All else is left out, settings for Terraform (TF_*), the
# plugin (CRUSOE_*) and Python (PYTHON*) above all.
_INHERITED: Final = ("PATH", "TMPDIR", "LANG", "LC_ALL")


def environment(home: Path, cli_configuration: Path) -> dict[str, str]:
    """Return the whole environment of a Terraform that asks nothing and reports nothing home.

    Args:
        home: Its home folder, where it would look for plugins, credentials and settings.
        cli_configuration: Its CLI configuration file.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "HOME": str(home),
        "TF_CLI_CONFIG_FILE": str(cli_configuration),
        "TF_INPUT": "0",
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_ARGS": "-no-color",
    }


def install_into_mirror(mirror: Path, executable: Path, version: str) -> Path:
    """Put the plugin into a filesystem mirror, from which `terraform init` installs it.

    A symbolic link is enough: Terraform links to the package's folder, and hashes the content.

    Returns:
        The plugin's path within the mirror.
    """
    folder = mirror / SOURCE_WITH_HOST / version / installation.terraform_platform()
    folder.mkdir(parents=True)
    plugin = folder / f"{PLUGIN_NAME}_v{version}"
    plugin.symlink_to(executable)
    return plugin


def mirror_configuration(mirror: Path) -> str:
    """Return a CLI configuration that takes providers from `mirror` and from nowhere else."""
    return _provider_installation(
        f"filesystem_mirror {{\n    path = {installation.quoted(str(mirror))}\n  }}"
    )


def override_configuration(folders: Mapping[str, Path]) -> str:
    """Return a CLI configuration that runs plugins in place, without `terraform init`.

    Args:
        folders: The folder of each plugin's executable, by source address.
    """
    lines = "".join(
        f'    "{source}" = {installation.quoted(str(path))}\n' for source, path in folders.items()
    )
    # With no method of installation beside it, no other provider is looked for on the network.
    return _provider_installation(f"dev_overrides {{\n{lines}  }}")


def _provider_installation(methods: str) -> str:
    return f"provider_installation {{\n  {methods}\n}}\n"
