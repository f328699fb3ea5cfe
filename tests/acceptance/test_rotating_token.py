"""A rotating token: two keys in one resource, that take turns."""

import pytest

from harness.result import Change
from harness.workspace import Workspace
from support.clock_fixtures import MovableTime
from support.rotating import ADDRESS, check_keys, rotating, state_of
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

NEW = {"access_key_id", "secret_key", "token_id", "created_at", "status"}
KEY = ("access_key_id", "secret_key", "token_id", "created_at", "expires_at", "status")


def shows_a_rotation(change: Change) -> bool:
    """Say whether a plan says what a rotation will be, and check that it says it all."""
    before, after = change.before or {}, change.after or {}
    if change.action != "update" or not change.unknown:
        return False
    assert change.unknown - {"expires_at"} == NEW
    assert after["generation"] == before["generation"] + 1
    assert {n: after[f"previous_{n}"] for n in KEY} == {n: before[n] for n in KEY}
    assert (after["id"], after["user_id"]) == (before["id"], before["user_id"])
    return True


# -- The life of it --------------------------------------------------------------------------------


def test_a_rotating_token_begins_with_one_key(workspace: Workspace, crusoe: Crusoe) -> None:
    """Its first; there is no previous one, and the plan after it is empty."""
    workspace.write(rotating('rotate_after = "30d"'))

    plan = workspace.plan(out="p").succeeded()

    assert plan.warnings == ()
    after = plan.changes[ADDRESS].after or {}
    assert (after["generation"], after["ready_for_rotation"]) == (1, False)
    assert plan.changes[ADDRESS].unknown == {*NEW, "id", "user_id"}
    workspace.apply("p").succeeded()
    (key,) = check_keys(workspace, crusoe)
    state = state_of(workspace)
    assert (key.alias, state["id"], state["generation"]) == ("ci", key.key_uuid, 1)
    assert (state["user_id"], state["status"]) == (crusoe.user.id, "enabled")
    assert workspace.plan().actions == {}
    workspace.destroy().succeeded()
    assert crusoe.simulator.cloud.keys() == []


def test_age_rotates_in_place_and_the_key_before_stays(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Period after period: the plan says it all, and at no moment there are three keys."""
    timed.write(rotating('rotate_after = "30d"'))
    timed.apply().succeeded()
    (first,) = check_keys(timed, crusoe)
    movable_time.advance(days=29)
    assert timed.plan().actions == {}
    before = first
    for generation in (2, 3, 4):
        movable_time.advance(days=31)

        plan = timed.plan(out="p").succeeded()

        assert plan.actions == {ADDRESS: "update"}
        assert shows_a_rotation(plan.changes[ADDRESS])
        timed.apply("p").succeeded()
        current, previous = check_keys(timed, crusoe)
        state = state_of(timed)
        assert previous == before
        assert (state["generation"], state["id"]) == (generation, first.key_uuid)
        assert timed.plan().actions == {}
        before = current


def test_a_full_user_loses_the_previous_key_first(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """With both slots taken; with a third one the new key comes first."""
    timed.write(rotating('rotate_after = "1d"'))
    timed.apply().succeeded()
    orders = []
    for limit in (2, 2, 3):
        crusoe.simulator.cloud.key_limit = limit
        timed.write(
            f'provider "crusoe" {{\n  key_limit = {limit}\n}}\n' + rotating('rotate_after = "1d"')
        )
        movable_time.advance(days=2)
        crusoe.simulator.api.requests.clear()
        timed.apply().succeeded()
        check_keys(timed, crusoe)
        requests = crusoe.simulator.api.requests.all()
        orders.append([r.operation for r in requests if r.operation in {"create", "delete"}])

    assert orders == [["create"], ["delete", "create"], ["create", "delete"]]


@pytest.mark.parametrize(
    "change",
    [
        'rotate_when_changed = { n = "2" }',
        'rotate_when_changed = { n = "1" }\nexpires_after = "90d"',
    ],
    ids=["rotate_when_changed", "expires_after"],
)
def test_a_change_rotates_in_place(workspace: Workspace, crusoe: Crusoe, change: str) -> None:
    """Of the map, or of the life of keys."""
    workspace.write(rotating('rotate_when_changed = { n = "1" }'))
    workspace.apply().succeeded()
    (first,) = check_keys(workspace, crusoe)
    workspace.write(rotating(change))

    plan = workspace.plan(out="p").succeeded()

    assert shows_a_rotation(plan.changes[ADDRESS])
    workspace.apply("p").succeeded()
    _, previous = check_keys(workspace, crusoe)
    assert previous == first
    assert bool(state_of(workspace)["expires_at"]) == ("expires_after" in change)
    assert workspace.plan().actions == {}


def test_another_alias_rotates_in_place(workspace: Workspace, crusoe: Crusoe) -> None:
    """Crusoe cannot rename a key; the previous one keeps its name."""
    workspace.write(rotating())
    workspace.apply().succeeded()
    workspace.write(rotating(alias="cd"))

    plan = workspace.plan(out="p").succeeded()

    assert shows_a_rotation(plan.changes[ADDRESS])
    workspace.apply("p").succeeded()
    assert [key.alias for key in check_keys(workspace, crusoe)] == ["cd", "ci"]
    assert workspace.plan().actions == {}


def test_the_previous_key_is_revoked_in_time(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Where that is wished; the current one is not touched."""
    timed.write(rotating('rotate_after = "30d"\n  revoke_previous_after = "7d"'))
    timed.apply().succeeded()
    movable_time.advance(days=30)
    timed.apply().succeeded()
    current, _ = check_keys(timed, crusoe)
    movable_time.advance(days=6)
    assert timed.plan().actions == {}
    movable_time.advance(days=2)

    plan = timed.plan(out="p").succeeded()

    change = plan.changes[ADDRESS]
    assert (change.action, change.unknown) == ("update", frozenset())
    after = change.after or {}
    assert after["access_key_id"] == current.access_key_id
    assert [after[f"previous_{name}"] for name in KEY] == [None] * len(KEY)
    timed.apply("p").succeeded()
    assert check_keys(timed, crusoe) == [current]
    assert timed.plan().actions == {}


def test_replacing_revokes_both(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """For a key that has leaked; also in a plan that would have rotated."""
    timed.write(rotating('rotate_after = "30d"'))
    timed.apply().succeeded()
    movable_time.advance(days=30)
    timed.apply().succeeded()
    for _ in range(2):
        old = check_keys(timed, crusoe)
        timed.apply(f"-replace={ADDRESS}").succeeded()
        (new,) = check_keys(timed, crusoe)
        assert new not in old
        assert state_of(timed)["generation"] == 1
        movable_time.advance(days=30)


@pytest.mark.parametrize(
    "body", ['rotate_after = "720h"', 'rotate_after = ""', "rotate_after = null"]
)
def test_an_equal_configuration_shows_no_difference(workspace: Workspace, body: str) -> None:
    """Another spelling, or an empty value for none."""
    first = 'rotate_after = "30d"' if "720h" in body else body
    empty = '\n  expires_after = ""\n  rotate_when_changed = {}\n  revoke_previous_after = ""'
    workspace.write(rotating(first + empty))
    workspace.apply().succeeded()
    workspace.write(rotating(body + empty))

    assert workspace.plan().succeeded().actions == {}


def test_terraform_test_runs_through_a_rotation(workspace: Workspace, crusoe: Crusoe) -> None:
    """And leaves nothing behind."""
    workspace.write('variable "n" {}\n' + rotating("rotate_when_changed = { n = var.n }"))
    run = """
        run "generation_%d" {
          variables {
            n = "%d"
          }
          assert {
            condition     = crusoe_storage_rotating_token.ci.generation == %d
            error_message = "wrong generation"
          }
        }
        """
    workspace.write("".join(run % (n, n, n) for n in (1, 2, 3)), name="rotation.tftest.hcl")

    workspace.run("test").succeeded()

    assert crusoe.simulator.cloud.keys() == []


# -- Time ------------------------------------------------------------------------------------------


def test_it_rotates_without_a_refresh(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """A large configuration is planned with -refresh=false, night after night."""
    timed.write(rotating('rotate_after = "30d"'))
    timed.apply().succeeded()
    movable_time.advance(days=30)

    plan = timed.plan("-refresh=false", out="p").succeeded()

    assert shows_a_rotation(plan.changes[ADDRESS])
    timed.apply("p").succeeded()
    assert len(check_keys(timed, crusoe)) == 2
    movable_time.advance(days=30)
    timed.apply("-refresh=false").succeeded()
    assert state_of(timed)["generation"] == 3
    assert timed.plan("-refresh=false").actions == {}


@pytest.mark.parametrize("refresh", ["-refresh=true", "-refresh=false"])
def test_a_late_approval_never_rotates_what_the_plan_did_not_show(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe, refresh: str
) -> None:
    """The moment comes between a plan of something else and its apply; the next plan rotates."""
    timed.write(rotating('rotate_after = "30d"\n  revoke_previous_after = "60d"'))
    timed.apply().succeeded()
    movable_time.advance(days=30)
    timed.apply().succeeded()
    keys = check_keys(timed, crusoe)
    movable_time.advance(days=29)
    timed.write(
        rotating(
            'rotate_after = "30d"\n  revoke_previous_after = "29d"\n'
            '  timeouts {\n    update = "1m"\n  }'
        )
    )
    timed.plan(refresh, out="p").succeeded()
    movable_time.advance(days=2)

    timed.apply("p").succeeded()

    assert check_keys(timed, crusoe)[0] == keys[0]
    assert shows_a_rotation(timed.plan().changes[ADDRESS])


def test_a_rotation_that_was_planned_is_carried_out_however_late(
    timed: Workspace, movable_time: MovableTime
) -> None:
    """The current key may have expired meanwhile."""
    timed.write(rotating('rotate_after = "30d"\n  expires_after = "31d"'))
    timed.apply().succeeded()
    movable_time.advance(days=30, hours=12)
    timed.plan(out="p").succeeded()
    movable_time.advance(days=1)

    timed.apply("p").succeeded()

    assert state_of(timed)["generation"] == 2
    timed.apply().succeeded()
    assert timed.plan().actions == {}


def test_a_shorter_age_counts_at_once(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Also one that is given for the first time; a longer one takes a rotation back."""
    timed.write(rotating())
    timed.apply().succeeded()
    movable_time.advance(days=30)
    timed.write(rotating('rotate_after = "20d"'))

    assert shows_a_rotation(timed.plan().changes[ADDRESS])

    timed.write(rotating('rotate_after = "40d"'))
    timed.apply().succeeded()
    assert state_of(timed)["generation"] == 1
    movable_time.advance(days=15)
    timed.write(rotating('rotate_after = "90d"'))
    timed.apply().succeeded()
    assert len(check_keys(timed, crusoe)) == 1
    assert timed.plan().actions == {}


# -- What is known only in the apply ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        *((a, True) for a in ("alias", "rotate_after", "expires_after", "map", "revocation")),
        *((a, False) for a in ("alias", "map")),
    ],
)
def test_a_value_that_only_the_apply_knows_may_rotate(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe, argument: str, changes: bool
) -> None:
    """The plan shows that it may, so the apply may do either."""
    values = {
        "alias": ("ci", "cd"),
        "rotate_after": ("90d", "1d"),
        "expires_after": ("200d", "300d"),
        "map": ("1", "2"),
        "revocation": ("90d", "1d"),
    }[argument]
    lines = {
        "alias": "alias = {}",
        "rotate_after": "rotate_after = {}",
        "expires_after": "expires_after = {}",
        "map": "rotate_when_changed = {{ n = {} }}",
        "revocation": "revoke_previous_after = {}",
    }[argument]

    def configuration(value: str, more: str = "") -> str:
        line = lines.format(value)
        return f'resource "crusoe_storage_rotating_token" "ci" {{\n  {line}\n  {more}\n}}\n'

    more = "" if argument == "map" else 'rotate_when_changed = { m = "2" }'
    if argument == "map":
        timed.write(configuration(f'"{values[0]}"'))
        timed.apply().succeeded()
    else:
        for m in "12":
            timed.write(configuration(f'"{values[0]}"', f'rotate_when_changed = {{ m = "{m}" }}'))
            timed.apply().succeeded()
    generation, keys = state_of(timed)["generation"], check_keys(timed, crusoe)
    movable_time.advance(days=10)
    source = f'resource "terraform_data" "v" {{\n  input = "{values[changes]}"\n}}\n'
    timed.write(source + configuration("terraform_data.v.output", more))

    plan = timed.plan(out="p").succeeded()

    change = plan.changes[ADDRESS]
    assert "previous_access_key_id" in change.unknown
    assert ("access_key_id" in change.unknown) == (argument != "revocation")
    timed.apply("p").succeeded()
    rotated = changes and argument != "revocation"
    assert state_of(timed)["generation"] == generation + rotated
    assert (check_keys(timed, crusoe) == keys) != changes
    assert timed.plan().actions == {}


# -- What is wrong by itself -----------------------------------------------------------------------


def test_what_is_wrong_by_itself_is_told_without_a_plan(
    workspace: Workspace, subtests: pytest.Subtests
) -> None:
    """By `terraform validate`, on the argument to blame."""
    cases = [
        ('rotate_after = "30d"\n  expires_after = "30d"', "Expiry before the rotation"),
        ('rotate_after = "soon"', "Invalid duration"),
        ('revoke_previous_after = "0s"', "Invalid duration"),
        ('timeouts {\n    update = "long"\n  }', "Invalid duration"),
    ]
    workspace.write("".join(rotating(body, name=f"n{n}") for n, (body, _) in enumerate(cases)))

    validated = workspace.validate()

    for n, (body, summary) in enumerate(cases):
        with subtests.test(body):
            validated.failed_with(summary, address=ADDRESS.replace("ci", f"n{n}"))
