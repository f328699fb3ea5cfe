"""Print the provider's schema as `terraform providers schema -json` gives it.

`make schema` keeps it in `schemas/provider-schema.json`, and a test compares the two.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from terraform_sandbox import (
    PLUGIN_NAME,
    SOURCE,
    SOURCE_WITH_HOST,
    environment,
    override_configuration,
)

CONFIGURATION = f"""\
terraform {{
  required_providers {{
    crusoe = {{
      source = "{SOURCE}"
    }}
  }}
}}
"""


def provider_schema(plugin: Path) -> dict[str, Any]:
    """Return the schema of a plugin.

    Args:
        plugin: Its executable.

    Raises:
        subprocess.CalledProcessError: Terraform could not get it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "main.tf").write_text(CONFIGURATION)
        cli_configuration = folder / "terraform.tfrc"
        cli_configuration.write_text(override_configuration({SOURCE: plugin.parent}))
        done = subprocess.run(
            ["terraform", "providers", "schema", "-json"],
            cwd=folder,
            env=environment(folder, cli_configuration),
            capture_output=True,
            text=True,
            check=True,
        )
    schema: dict[str, Any] = json.loads(done.stdout)["provider_schemas"][SOURCE_WITH_HOST]
    return schema


def formatted(schema: dict[str, Any]) -> str:
    """Return a schema as it is kept."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(formatted(provider_schema(Path(sys.executable).parent / PLUGIN_NAME)))
