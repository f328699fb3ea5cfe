"""States that somebody has edited: an error that says so, and never a second key."""

import json

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

TOKEN = 'resource "crusoe_storage_token" "t" {\n  alias = "t"\n}\n'


@pytest.mark.parametrize("value", [None, ""], ids=["null", "empty"])
def test_a_state_without_an_access_key_id_is_an_error_that_says_so(
    workspace: Workspace, crusoe: Crusoe, value: str | None
) -> None:
    """Plan, refresh and destroy alike; the key stays as it is."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    file = workspace.folder / "terraform.tfstate"
    state = json.loads(file.read_text())
    state["resources"][0]["instances"][0]["attributes"] |= {"id": value, "access_key_id": value}
    file.write_text(json.dumps(state))

    for result in (workspace.plan(), workspace.destroy("-refresh=false")):
        error = result.failed_with("Unreadable state")
        assert "None" not in error.detail

    assert len(crusoe.simulator.cloud.keys()) == 1
