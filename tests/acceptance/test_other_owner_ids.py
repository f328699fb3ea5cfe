"""Keys that are listed under a user ID of another kind than the caller's, with real Terraform."""

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
REFUSED = "Plan needs more storage tokens than a user may have"
NOT_CHECKED = "Limit of storage tokens not checked"
FOREIGN = "Storage token belongs to another user"
TOKEN = 'resource "crusoe_storage_token" "t" {\n  alias = "t"\n}\n'
MORE = 'resource "crusoe_storage_token" "more" {\n  count = 2\n}\n'


@pytest.fixture
def applied(workspace: Workspace, crusoe: Crusoe) -> Workspace:
    """A workspace with one token in its state, and a dialect that lists it under S3U_…."""
    crusoe.simulator.speak("owner-s3-user")
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    return workspace


def test_the_limit_is_checked_by_what_was_learnt(applied: Workspace, crusoe: Crusoe) -> None:
    """A colleague's key in the list changes nothing: our own tells which ID is ours."""
    colleague = crusoe.simulator.cloud.add_user("ops@acme.example", crusoe.organization)
    crusoe.simulator.cloud.add_key(colleague)
    applied.write(TOKEN + MORE)

    error = applied.plan().failed_with(REFUSED)

    assert "there would be 3: 1 that exist and stay, and 2 to be created" in error.detail
    assert "; in this state" in error.detail


def test_a_token_that_is_gone_is_planned_anew_and_may_be_destroyed(
    applied: Workspace, crusoe: Crusoe
) -> None:
    """Its absence from the list of its owner is believed."""
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.cloud.remove_key(key.key_uuid)

    assert applied.plan(out="p").succeeded().actions == {ADDRESS: "create"}
    applied.apply("p").succeeded()
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.cloud.remove_key(key.key_uuid)
    applied.destroy("-refresh=false").succeeded()

    assert applied.instances() == {}


def test_several_users_and_nothing_learnt_is_a_warning(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """With the reason; data sources that need not know it work, and so does the apply."""
    crusoe.simulator.speak("owner-s3-user")
    cloud = crusoe.simulator.cloud
    colleague = cloud.add_user("ops@acme.example", crusoe.organization)
    for user in (crusoe.user, colleague):
        cloud.add_key(user)
    workspace.write(TOKEN + 'data "crusoe_storage_tokens" "all" {}\n')

    plan = workspace.plan().succeeded()

    assert "several users" in plan.warned_of(NOT_CHECKED).detail
    workspace.apply().succeeded()
    assert workspace.plan().succeeded().actions == {}
    workspace.destroy().succeeded()
    assert len(cloud.keys()) == 2


@pytest.mark.parametrize("imported", [False, True])
def test_without_owners_a_token_is_not_gone_for_somebody_else(
    workspace: Workspace, crusoe: Crusoe, imported: bool
) -> None:
    """Who has made it, or imported it, is known."""
    crusoe.simulator.speak("owner-absent")
    crusoe.simulator.cloud.list_scope = "caller"
    workspace.write(TOKEN)
    if imported:
        key = crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
        workspace.import_(ADDRESS, key.access_key_id).succeeded()
    else:
        workspace.apply().succeeded()
    assert workspace.plan().succeeded().actions == {}
    (key,) = crusoe.simulator.cloud.keys()
    colleague = crusoe.simulator.cloud.add_user("ops@acme.example", crusoe.organization)
    workspace.variables |= crusoe.variables(colleague)

    workspace.plan().failed_with(FOREIGN)
    workspace.destroy("-refresh=false").failed_with(FOREIGN)

    assert crusoe.simulator.cloud.keys() == [key]
