"""Keys of a rotating token that are gone, expired or somebody else's."""

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.state import Key
from harness.workspace import Workspace
from support.clock_fixtures import MovableTime
from support.rotating import ADDRESS, check_keys, rotating, state_of
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance


def numbered(n: int) -> str:
    """Return a configuration; another number rotates."""
    return rotating(f'rotate_when_changed = {{ n = "{n}" }}')


@pytest.fixture
def keys(workspace: Workspace, crusoe: Crusoe) -> list[Key]:
    """The current and the previous key of a token that has rotated once."""
    for n in (1, 2):
        workspace.write(numbered(n))
        workspace.apply().succeeded()
    return check_keys(workspace, crusoe)


def test_a_previous_key_that_is_gone_is_no_matter(
    workspace: Workspace, crusoe: Crusoe, keys: list[Key]
) -> None:
    """Its attributes become null, and nothing else happens."""
    crusoe.simulator.cloud.remove_key(keys[1].key_uuid)

    plan = workspace.plan().succeeded()

    assert (plan.actions, plan.diagnostics) == ({}, ())
    workspace.apply().succeeded()
    assert check_keys(workspace, crusoe) == keys[:1]


@pytest.mark.parametrize("option", ["-refresh=true", "-refresh-only"])
def test_a_current_key_that_is_gone_is_made_anew_in_place(
    workspace: Workspace, crusoe: Crusoe, keys: list[Key], option: str
) -> None:
    """The previous key stays for those who still use it."""
    crusoe.simulator.cloud.remove_key(keys[0].key_uuid)
    if option == "-refresh-only":
        workspace.refresh().succeeded()
        assert state_of(workspace)["access_key_id"] is None

    plan = workspace.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "update"}
    assert (plan.changes[ADDRESS].after or {})["previous_access_key_id"] == keys[1].access_key_id
    if option == "-refresh=true":
        plan.warned_of("Storage token no longer exists")
    workspace.apply("p").succeeded()
    assert check_keys(workspace, crusoe)[1] == keys[1]
    assert state_of(workspace)["generation"] == 3
    assert workspace.plan().actions == {}


def test_when_both_are_gone_a_plan_begins_anew(
    workspace: Workspace, crusoe: Crusoe, keys: list[Key]
) -> None:
    """It is another token then."""
    for key in keys:
        crusoe.simulator.cloud.remove_key(key.key_uuid)

    plan = workspace.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "create"}
    plan.warned_of("Storage token no longer exists")
    workspace.apply("p").succeeded()
    assert state_of(workspace)["generation"] == 1
    assert len(check_keys(workspace, crusoe)) == 1


@pytest.mark.parametrize("gone", [(0,), (1,), (0, 1)], ids=["current", "previous", "both"])
def test_destroying_what_is_gone_succeeds(
    workspace: Workspace, crusoe: Crusoe, keys: list[Key], gone: tuple[int, ...]
) -> None:
    """With the rest."""
    for n in gone:
        crusoe.simulator.cloud.remove_key(keys[n].key_uuid)

    workspace.destroy("-refresh=false").succeeded()

    assert crusoe.simulator.cloud.keys() == []
    assert workspace.instances() == {}


def test_credentials_of_somebody_else_drop_and_make_nothing(
    workspace: Workspace, crusoe: Crusoe, keys: list[Key]
) -> None:
    """Neither in a plan, nor in an apply without a refresh, nor in a destruction."""
    cloud = crusoe.simulator.cloud
    cloud.list_scope = "caller"
    other = cloud.add_user("ops@acme.example", crusoe.organization)
    workspace.variables |= crusoe.variables(other)
    before = workspace.state() or {}
    foreign = "Storage token belongs to another user"

    workspace.plan().failed_with(foreign)
    workspace.destroy("-refresh=false").failed_with(foreign)
    workspace.write(numbered(3))
    workspace.apply("-refresh=false").failed_with(foreign)
    cloud.list_scope = "organization"
    workspace.destroy().failed_with(foreign)

    assert cloud.keys() == sorted(keys, key=lambda key: key.created_at)
    assert (workspace.state() or {})["resources"][0]["instances"][0]["attributes"] == (
        before["resources"][0]["instances"][0]["attributes"]
    )


def test_an_expired_current_key_is_replaced_in_place(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Nobody applied for too long. What has expired is of no use as the previous key."""
    timed.write(rotating('rotate_after = "30d"\n  expires_after = "90d"'))
    timed.apply().succeeded()
    movable_time.advance(days=30)
    timed.apply().succeeded()
    movable_time.advance(days=95)

    plan = timed.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "update"}
    after = plan.changes[ADDRESS].after or {}
    assert (after["generation"], after["previous_access_key_id"]) == (3, None)
    timed.apply("p").succeeded()
    assert len(check_keys(timed, crusoe)) == 1
    assert timed.plan().actions == {}


def test_a_disabled_current_key_is_kept_and_warned_about(
    workspace: Workspace, crusoe: Crusoe, keys: list[Key]
) -> None:
    """It may be enabled again."""
    crusoe.simulator.cloud.change_key(keys[0].key_uuid, status="disabled")

    plan = workspace.plan().succeeded()

    assert plan.actions == {}
    assert keys[0].access_key_id in plan.warned_of("Storage token is disabled").detail


@pytest.fixture
def without_a_key(timed: Workspace, movable_time: MovableTime, crusoe: Crusoe) -> Workspace:
    """A token whose only key had expired and made room for a new one, which was then refused."""
    others = crusoe.simulator.cloud
    timed.write(rotating('expires_after = "90d"'))
    timed.apply().succeeded()
    others.add_key(crusoe.user)
    movable_time.advance(days=95)
    crusoe.simulator.faults.add(Fault("create", answer=Answer(403, "{}")))
    timed.apply().failed_with("Storage token not rotated", address=ADDRESS)
    crusoe.simulator.faults.clear()
    assert len(others.keys()) == 1
    return timed


@pytest.mark.parametrize("option", ["-refresh=true", "-refresh=false"])
def test_a_rotation_without_room_that_fails_is_carried_on(
    without_a_key: Workspace, crusoe: Crusoe, option: str
) -> None:
    """The expired key has made room already; the token stays, and gets its new one."""
    plan = without_a_key.plan(option, out="p").succeeded()

    assert (plan.actions, plan.warnings) == ({ADDRESS: "update"}, ())
    without_a_key.apply("p").succeeded()
    state = state_of(without_a_key)
    assert (state["generation"], state["previous_access_key_id"]) == (2, None)
    keys = crusoe.simulator.cloud.keys()
    names = [key.access_key_id for key in keys]
    assert (len(names), state["access_key_id"] in names) == (2, True)
    assert without_a_key.plan().actions == {}


@pytest.mark.parametrize("by", ["-replace", "taint"])
def test_a_token_that_holds_no_key_is_replaced(
    without_a_key: Workspace, crusoe: Crusoe, by: str
) -> None:
    """It counts once, and what is destroyed has nothing to revoke."""
    options = [f"-replace={ADDRESS}"]
    if by == "taint":
        without_a_key.run("taint", ADDRESS).succeeded()
        options = []

    without_a_key.apply(*options).succeeded()

    state = state_of(without_a_key)
    keys = crusoe.simulator.cloud.keys()
    assert (state["generation"], len(keys)) == (1, 2)
    assert without_a_key.plan().actions == {}


@pytest.mark.parametrize("option", ["-refresh=true", "-refresh=false"])
def test_a_token_that_holds_no_key_is_destroyed(
    without_a_key: Workspace, crusoe: Crusoe, option: str
) -> None:
    """There is nothing to revoke, and the other key stays."""
    without_a_key.destroy(option).succeeded()

    assert without_a_key.instances() == {}
    assert len(crusoe.simulator.cloud.keys()) == 1


@pytest.mark.parametrize("option", ["-refresh=true", "-refresh-only"])
def test_a_key_that_is_still_to_be_revoked_outlives_the_others(
    workspace: Workspace, crusoe: Crusoe, option: str
) -> None:
    """Left over by a lost answer, in no attribute: it is not forgotten when the others are gone."""
    cloud = crusoe.simulator.cloud
    workspace.write(numbered(1))
    workspace.apply().succeeded()
    (current,) = cloud.keys()
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    crusoe.simulator.faults.add(Fault("delete", times=None, answer=Answer(403, "{}")))
    workspace.write(numbered(2))
    workspace.apply().failed()
    crusoe.simulator.faults.clear()
    cloud.remove_key(current.key_uuid)
    (left,) = cloud.keys()
    if option == "-refresh-only":
        workspace.refresh().succeeded()

    plan = workspace.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "update"}
    workspace.apply("p").succeeded()
    (current,) = check_keys(workspace, crusoe)
    assert current != left
    assert workspace.plan().actions == {}
