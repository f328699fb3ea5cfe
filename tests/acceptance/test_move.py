"""Taking over keys from Crusoe's own provider with a `moved` block."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crusoe_simulator.state import Key
from harness.sandbox import PLUGIN
from harness.workspace import Workspace
from support import stand_in_plugin
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parents[2] / "examples" / "terraform" / "move-from-vendor"
ADDRESS = "crusoe_storage_token.ci"


@pytest.fixture
def both(crusoe: Crusoe, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with our provider and a stand-in for Crusoe's own."""
    vendor = stand_in_plugin.executable(tmp_path / "others", "crusoecloud/crusoe")
    with Workspace(
        tmp_path,
        plugin=PLUGIN,
        overrides={"crusoecloud/crusoe": vendor},
        variables=crusoe.variables(),
    ) as workspace:
        for file in EXAMPLE.glob("*.tf"):
            shutil.copy(file, workspace.folder)
        yield workspace


def write_state(workspace: Workspace, kind: str, attributes: dict[str, Any]) -> None:
    """Write a state file with one resource of Crusoe's own provider."""
    state = {
        "version": 4,
        "terraform_version": "1.8.0",
        "serial": 1,
        "lineage": "5c1d9b2e-0000-0000-0000-000000000000",
        "outputs": {},
        "resources": [
            {
                "mode": "managed",
                "type": kind,
                "name": "ci",
                "provider": 'provider["registry.terraform.io/crusoecloud/crusoe"]',
                "instances": [{"schema_version": 0, "attributes": attributes}],
            }
        ],
    }
    (workspace.folder / "terraform.tfstate").write_text(json.dumps(state))


def vendor_attributes(key: Key) -> dict[str, Any]:
    return {
        "key_id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "secret_access_key": key.secret_key,
        "alias": key.alias,
        "organization_id": key.organization_id,
        "expire_at": None,
        "status": "enabled",
        "created_at": key.created_at,
        "user_id": key.user_id,
    }


def without_organization(attributes: dict[str, Any]) -> dict[str, Any]:
    """The vendor's provider may not have stored it."""
    return attributes | {"organization_id": ""}


def as_it_is(attributes: dict[str, Any]) -> dict[str, Any]:
    return attributes


@pytest.mark.parametrize("change", [as_it_is, without_organization])
def test_a_key_of_the_vendors_provider_moves_with_its_secret(
    both: Workspace, crusoe: Crusoe, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """No change is planned, nothing happens at Crusoe, and the next plan is empty too."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci-uploads")
    write_state(both, "crusoe_storage_s3_key", change(vendor_attributes(key)))

    plan = both.plan(out="p").succeeded()

    assert plan.actions == {}
    assert plan.changes[ADDRESS].previous_address == "crusoe_storage_s3_key.ci"
    both.apply("p").succeeded()
    state = both.instances()[ADDRESS].attributes
    assert state["secret_key"] == key.secret_key
    assert state["organization_id"] == crusoe.organization.id
    assert crusoe.simulator.cloud.keys() == [key]
    assert both.plan("-detailed-exitcode").exit_code == 0


def test_anything_else_cannot_be_moved(both: Workspace, crusoe: Crusoe) -> None:
    """The diagnostic says how to take it over all the same."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci-uploads")
    write_state(both, "crusoe_storage_bucket", vendor_attributes(key))
    main = both.folder / "main.tf"
    main.write_text(
        main.read_text().replace("crusoe_storage_s3_key.ci", "crusoe_storage_bucket.ci")
    )

    error = both.plan().failed_with("Move is not supported")

    assert "import" in error.detail
