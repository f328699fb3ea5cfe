"""The environment of a Terraform that sees one plugin and nothing else of this machine."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crusoe_provider.cli import installation

if TYPE_CHECKING:
    from crusoe_simulator.server import Simulator
    from crusoe_simulator.state import User

SOURCE: Final = installation.SOURCE
PLUGIN_NAME: Final = installation.NAME
# The executable that pip has installed beside this Python.
PLUGIN: Final = Path(sys.executable).with_name(PLUGIN_NAME)
SOURCE_WITH_HOST: Final = f"registry.terraform.io/{SOURCE}"
REQUIRED: Final = f"""\
terraform {{
  required_providers {{
    crusoe = {{
      source = "{SOURCE}"
    }}
  }}
}}
"""

# What a program needs to run at all. All else is left out, settings for Terraform (TF_*), the
# plugin (CRUSOE_*) and Python (PYTHON*) above all. Whether plugins start warm is another thing:
# every test has to hold either way.
_INHERITED: Final = ("PATH", "TMPDIR", "LANG", "LC_ALL", "CRUSOE_WARM_START")
# How coverage.py reaches the Python processes below one that it measures.
_MEASURING: Final = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


def environment(home: Path, cli_configuration: Path) -> dict[str, str]:
    """Return the whole environment of a Terraform that asks nothing and reports nothing home.

    Args:
        home: Its home folder, where it would look for plugins, credentials and settings.
        cli_configuration: Its CLI configuration file.
    """
    return (
        _taken(_INHERITED)
        | measuring()
        | {
            "HOME": str(home),
            "TF_CLI_CONFIG_FILE": str(cli_configuration),
            "TF_INPUT": "0",
            "TF_IN_AUTOMATION": "1",
            # Versions before 1.2 would put a process in between, which signals do not pass.
            "TF_FORK": "0",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_ARGS": "-no-color",
        }
    )


def variables_of(user: "User", simulator: "Simulator") -> dict[str, str]:
    """Return the environment with which the provider acts as a user of a simulator."""
    return {
        "CRUSOE_API_ENDPOINT": simulator.endpoint,
        "CRUSOE_ACCESS_KEY_ID": user.access_key_id,
        "CRUSOE_SECRET_KEY": user.secret_key,
    }


def measuring() -> dict[str, str]:
    """Return the variables with which the coverage of a plugin is measured, if ours is."""
    return _taken(_MEASURING)


def install_into_mirror(mirror: Path, executable: Path, version: str) -> list[Path]:
    """Put the plugin into a filesystem mirror, from which `init` installs it.

    A symbolic link is enough: Terraform links to the package's folder, and hashes the content.

    Returns:
        The plugin's paths within the mirror: for Terraform, and for OpenTofu.
    """
    plugins = []
    for host in installation.HOSTS:
        folder = mirror / host / SOURCE / version / installation.terraform_platform()
        folder.mkdir(parents=True)
        plugins.append(folder / f"{PLUGIN_NAME}_v{version}")
        plugins[-1].symlink_to(executable)
    return plugins


def mirror_configuration(mirror: Path) -> str:
    """Return a CLI configuration that takes providers from `mirror` and from nowhere else."""
    return _provider_installation(
        f"filesystem_mirror {{\n    path = {installation.quoted(str(mirror))}\n  }}"
    )


def override_configuration(folders: Mapping[str, Path]) -> str:
    """Return a CLI configuration that runs plugins in place, without `init`.

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


def _taken(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
