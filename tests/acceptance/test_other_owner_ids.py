"""Keys that are listed under a user ID of another kind than the caller's, with real Terraform."""

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
REFUSED = "Plan needs more storage tokens than a user may have"
NOT_CHECKED = "Limit of storage tokens not checked"
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
    """With the reason; and data sources that need not know it work."""
    crusoe.simulator.speak("owner-s3-user")
    cloud = crusoe.simulator.cloud
    colleague = cloud.add_user("ops@acme.example", crusoe.organization)
    for user in (crusoe.user, colleague):
        cloud.add_key(user)
    workspace.write(TOKEN + 'data "crusoe_storage_tokens" "all" {}\n')

    plan = workspace.plan().succeeded()

    assert "several users" in plan.warned_of(NOT_CHECKED).detail
