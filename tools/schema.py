"""Print the provider's schema as `terraform providers schema -json` gives it.

`make schema` keeps it in `schemas/provider-schema.json`, and a test compares the two. The newest
Terraform is asked: older ones do not know of identities, list resources and actions.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import terraforms
from harness.sandbox import PLUGIN, SOURCE_WITH_HOST
from harness.workspace import Workspace


def provider_schema(plugin: Path) -> dict[str, Any]:
    """Return the schema of a plugin, in the form that Terraform prints.

    Args:
        plugin: Its executable.

    Raises:
        AssertionError: Terraform could not get it.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        Workspace(Path(name), plugin=plugin, terraform=terraforms.newest()) as workspace,
    ):
        done = workspace.run("providers", "schema", "-json").succeeded()
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def elements(document: dict[str, Any]) -> dict[str, Any]:
    """Return what the document says of this provider."""
    schema: dict[str, Any] = document["provider_schemas"][SOURCE_WITH_HOST]
    return schema


def formatted(schema: dict[str, Any]) -> str:
    """Return a schema as it is kept."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(formatted(provider_schema(PLUGIN)))
