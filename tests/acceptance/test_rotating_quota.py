"""Rotating tokens and the limit of two keys, beside plain tokens and keys of others."""

import pytest

from harness.workspace import Workspace
from support.clock_fixtures import MovableTime
from support.rotating import ADDRESS, check_keys, rotating, state_of
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

REFUSED = "Plan needs more storage tokens than a user may have"
NO_ROOM = "No free slot for a later rotation"
NO_SLOT = "No free slot for the storage token"
PLAIN = 'resource "crusoe_storage_token" "p" {\n  alias = "p"\n}\n'


def numbered(n: int) -> str:
    """Return a configuration; another number rotates."""
    return rotating(
        f'rotate_when_changed = {{ n = "{n}" }}\n  timeouts {{\n    update = "1s"\n  }}'
    )


def test_a_foreign_key_in_the_other_slot_is_named_at_the_creation_already(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The creation goes on; the rotation is refused while planning, and nothing changes."""
    foreign = crusoe.simulator.cloud.add_key(crusoe.user, alias="laptop")
    workspace.write(numbered(1))

    plan = workspace.plan(out="p").succeeded()

    assert foreign.access_key_id in plan.warned_of(NO_ROOM, address=ADDRESS).detail
    workspace.apply("p").succeeded()
    before = state_of(workspace)
    workspace.write(numbered(2))
    for options in ((), ("-refresh=false",)):
        error = workspace.plan(*options).failed_with(REFUSED, address=ADDRESS)
        assert foreign.access_key_id in error.detail
        assert f"crusoe storage tokens delete {foreign.key_uuid}" in error.detail
    assert state_of(workspace) == before
    assert len(crusoe.simulator.cloud.keys()) == 2
    crusoe.simulator.cloud.remove_key(foreign.key_uuid)
    workspace.apply().succeeded()
    assert len(check_keys(workspace, crusoe)) == 2


def test_a_rotation_that_has_no_room_stands_in_the_way_of_no_replacement(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Terraform plans the rotation first, and says nothing of -replace; the refusal advises it."""
    foreign = crusoe.simulator.cloud.add_key(crusoe.user, alias="laptop")
    timed.write(rotating('rotate_after = "30d"'))
    timed.apply().succeeded()
    leaked = state_of(timed)["access_key_id"]
    movable_time.advance(days=30)
    error = timed.plan().failed_with(REFUSED, address=ADDRESS)
    assert "-replace=" in error.detail
    # Of another object it is no business.
    timed.plan("-replace=crusoe_storage_token.ci").failed_with(REFUSED)

    plan = timed.plan(f"-replace={ADDRESS}", out="p").succeeded()

    assert plan.actions == {ADDRESS: "replace"}
    timed.apply("p").succeeded()
    listed = crusoe.simulator.cloud.keys()
    new = state_of(timed)["access_key_id"]
    assert {key.access_key_id for key in listed} == {foreign.access_key_id, new}
    assert new != leaked
    assert timed.plan().actions == {}
    # The other way out: of a tainted object Terraform plans the successor only.
    movable_time.advance(days=30)
    assert "terraform taint" in timed.apply().failed_with(REFUSED, address=ADDRESS).detail
    timed.run("taint", ADDRESS).succeeded()
    timed.apply().succeeded()
    assert state_of(timed)["access_key_id"] != new
    assert len(crusoe.simulator.cloud.keys()) == 2


def test_a_replacement_excuses_no_other_rotation(workspace: Workspace, crusoe: Crusoe) -> None:
    """Two tokens are to rotate, and there is room for none; one of them is replaced."""
    block = 'provider "crusoe" {\n  key_limit = 3\n}\n'
    crusoe.simulator.cloud.key_limit = 3
    crusoe.simulator.cloud.add_key(crusoe.user, alias="laptop")
    for n in (1, 2):
        both = numbered(n) + numbered(n).replace('"ci"', '"cd"')
        workspace.write(block + both)
        if n == 1:
            workspace.apply().succeeded()
    other = "crusoe_storage_rotating_token.cd"

    for options in (("-parallelism=10",), ("-refresh=false",)):
        workspace.plan(f"-replace={ADDRESS}", *options).failed_with(REFUSED)
        workspace.plan(f"-replace={other}", *options).failed_with(REFUSED)
    plan = workspace.plan(f"-replace={ADDRESS}", f"-replace={other}", out="p").succeeded()
    assert plan.actions == {ADDRESS: "replace", other: "replace"}
    workspace.apply("p").succeeded()


def test_a_replacement_gives_up_both_keys(workspace: Workspace, crusoe: Crusoe) -> None:
    """So there is room for a plain token beside it."""
    for n in (1, 2):
        workspace.write(numbered(n))
        workspace.apply().succeeded()
    assert len(crusoe.simulator.cloud.keys()) == 2
    workspace.write(numbered(2) + PLAIN)
    workspace.plan().failed_with(REFUSED)
    for options in ((), ("-refresh=false",)):
        workspace.plan(f"-replace={ADDRESS}", *options).succeeded()

    workspace.apply(f"-replace={ADDRESS}").succeeded()

    assert workspace.plan().succeeded().actions == {}
    assert len(crusoe.simulator.cloud.keys()) == 2


def test_the_warning_does_not_depend_on_the_order_of_planning(workspace: Workspace) -> None:
    """A plain token, new in the same plan, takes the other slot."""
    workspace.write(rotating() + PLAIN)

    for _ in range(3):
        workspace.plan().succeeded().warned_of(NO_ROOM, address=ADDRESS)


def test_a_plain_token_beside_two_keys_of_a_rotating_one_is_refused(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Both slots are taken, by one resource of this state."""
    for n in (1, 2):
        workspace.write(numbered(n))
        workspace.apply().succeeded()
    keys = check_keys(workspace, crusoe)
    workspace.write(numbered(2) + PLAIN)

    for options in ((), ("-refresh=false",)):
        error = workspace.plan(*options).failed_with(REFUSED)
        for key in keys:
            assert f"access key ID {key.access_key_id}" in error.detail
    workspace.write(numbered(3) + PLAIN)
    workspace.plan().failed_with(REFUSED)
    workspace.plan("-parallelism=1").failed_with(REFUSED)


@pytest.mark.parametrize("saved", [True, False], ids=["saved plan", "one command"])
@pytest.mark.parametrize("options", [(), ("-refresh=false",), ("-parallelism=2",)])
def test_a_rotation_takes_the_slot_that_a_plain_token_leaves(
    workspace: Workspace, crusoe: Crusoe, saved: bool, options: tuple[str, ...]
) -> None:
    """In whatever order Terraform plans and applies them."""
    workspace.write(numbered(1) + PLAIN)
    workspace.apply().succeeded()
    workspace.write(numbered(2).replace('"1s"', '"1m"'))

    if saved:
        workspace.plan(*options, out="p").succeeded()
        workspace.apply("p").succeeded()
    else:
        workspace.apply(*options).succeeded()

    assert len(check_keys(workspace, crusoe)) == 2


def test_a_plain_token_takes_the_slot_of_a_previous_key(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """The revocation is due, and the new token waits for it."""
    body = 'rotate_after = "30d"\n  revoke_previous_after = "1d"'
    timed.write(rotating(body))
    timed.apply().succeeded()
    movable_time.advance(days=30)
    timed.apply().succeeded()
    movable_time.advance(days=2)
    timed.write(rotating(body) + PLAIN)

    timed.apply().succeeded()

    assert crusoe.aliases() == ["ci", "p"]
    assert timed.plan().actions == {}


def test_a_slot_that_somebody_takes_after_the_plan_is_told(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Nothing has changed then."""
    workspace.write(numbered(1))
    workspace.apply().succeeded()
    workspace.write(numbered(2))
    workspace.plan(out="p").succeeded()
    foreign = crusoe.simulator.cloud.add_key(crusoe.user, alias="laptop")
    before = state_of(workspace)

    error = workspace.apply("p").failed_with(NO_SLOT, address=ADDRESS)

    assert foreign.access_key_id in error.detail
    assert state_of(workspace) == before
    crusoe.simulator.cloud.remove_key(foreign.key_uuid)
    workspace.apply().succeeded()
    assert len(check_keys(workspace, crusoe)) == 2


@pytest.mark.parametrize("options", [(), ("-refresh=false",)])
def test_a_rotation_that_has_no_room_stands_in_the_way_of_no_destruction(
    workspace: Workspace, crusoe: Crusoe, options: tuple[str, ...]
) -> None:
    """Terraform makes an ordinary plan before; that would be refused."""
    foreign = crusoe.simulator.cloud.add_key(crusoe.user, alias="laptop")
    workspace.write(numbered(1))
    workspace.apply().succeeded()
    workspace.write(numbered(2))

    workspace.plan("-destroy", *options).succeeded()
    workspace.destroy(*options).succeeded()

    assert crusoe.simulator.cloud.keys() == [foreign]


def test_without_a_limit_the_previous_key_goes_first(workspace: Workspace, crusoe: Crusoe) -> None:
    """What is free is not known then, and that order works in any case."""
    for n in (1, 2, 3):
        workspace.write('provider "crusoe" {\n  key_limit = 0\n}\n' + numbered(n))
        workspace.apply().succeeded()

    assert len(check_keys(workspace, crusoe)) == 2
    assert len(crusoe.simulator.api.requests.all("create")) == 3


def test_another_organization_replaces_it(workspace: Workspace, crusoe: Crusoe) -> None:
    """Both keys are revoked there, and one is made here."""
    cloud = crusoe.simulator.cloud
    elsewhere = cloud.add_organization("elsewhere")
    user = cloud.add_user("both@acme.example", crusoe.organization, elsewhere)
    workspace.variables |= crusoe.variables(user)
    for organization, n in ((crusoe.organization, 1), (crusoe.organization, 2), (elsewhere, 2)):
        workspace.write(
            rotating(
                f'organization_id = "{organization.id}"\n  rotate_when_changed = {{ n = "{n}" }}'
            )
        )
        workspace.apply().succeeded()

    (key,) = cloud.keys()
    assert key.organization_id == elsewhere.id
    assert workspace.plan().actions == {}


def test_a_target_rotates_alone(workspace: Workspace, crusoe: Crusoe) -> None:
    """What is beside it counts all the same."""
    crusoe.simulator.cloud.key_limit = 3
    block = 'provider "crusoe" {\n  key_limit = 3\n}\n'
    workspace.write(block + numbered(1) + PLAIN)
    workspace.apply().succeeded()
    workspace.write(block + numbered(2) + PLAIN.replace('"p"\n}', '"q"\n}'))

    workspace.apply(f"-target={ADDRESS}").succeeded()

    assert state_of(workspace)["generation"] == 2
    assert crusoe.aliases() == ["ci", "ci", "p"]
