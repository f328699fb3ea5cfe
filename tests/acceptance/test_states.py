"""States of other versions of the provider, and many tokens at once."""

import json
from typing import Any

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"


def edit_state(workspace: Workspace, **changes: Any) -> None:
    """Change members of the only instance in the state file; `attributes` are added to."""
    state = workspace.state()
    assert state
    (resource,) = state["resources"]
    (instance,) = resource["instances"]
    instance["attributes"] |= changes.pop("attributes", {})
    instance |= changes
    (workspace.folder / "terraform.tfstate").write_text(json.dumps(state))


@pytest.fixture
def applied(workspace: Workspace) -> Workspace:
    """A workspace with one token."""
    workspace.write('resource "crusoe_storage_token" "t" { alias = "t" }\n')
    workspace.apply().succeeded()
    return workspace


def test_attributes_that_this_version_does_not_know_are_dropped(applied: Workspace) -> None:
    """A state of an older version may have them, and it is no reason to fail."""
    edit_state(applied, attributes={"obsolete": {"a": [1]}})

    applied.apply().succeeded()

    assert applied.plan().actions == {}


def test_a_state_of_a_newer_version_is_an_error_with_advice(applied: Workspace) -> None:
    """Reading it as if it were ours could lose what the newer version put there."""
    edit_state(applied, schema_version=7)

    assert "version" in applied.plan().failed().text
    assert "did not respond" not in applied.plan().text


def test_private_data_of_somebody_else_is_no_obstacle(applied: Workspace) -> None:
    """An older provider, or a moved state, may have left anything there."""
    edit_state(applied, private="bm90IEpTT04=")

    assert applied.plan().succeeded().actions == {}


def test_many_tokens_and_data_sources_at_once(workspace: Workspace, crusoe: Crusoe) -> None:
    """Nothing waits for ever, one list serves all reads, and every secret is in the state."""
    crusoe.simulator.cloud.key_limit = 100
    workspace.write(
        """
        provider "crusoe" {
          key_limit = 100
        }
        resource "crusoe_storage_token" "many" {
          count               = 40
          rotate_when_changed = { n = var.n }
        }
        data "crusoe_storage_tokens" "many" {
          count = 20
        }
        variable "n" {
          type = string
        }
        """
    )
    options = "-parallelism=50"

    workspace.apply(options, "-var=n=1").succeeded()
    crusoe.simulator.api.requests.clear()
    workspace.plan(options, "-var=n=1").succeeded()
    planned = crusoe.simulator.api.requests.all()
    workspace.apply(options, "-var=n=2").succeeded()

    assert [r.operation for r in planned].count("list") == 1
    assert len(planned) <= 3  # and who the caller is, and where
    stored = {i.attributes["secret_key"] for i in workspace.instances().values()}
    keys = crusoe.simulator.cloud.keys()
    assert stored == {key.secret_key for key in keys}
    assert len(stored) == 40
    workspace.destroy(options, "-var=n=2").succeeded()
    assert crusoe.simulator.cloud.keys() == []
