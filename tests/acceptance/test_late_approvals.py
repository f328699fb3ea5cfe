"""The moment of renewal is decided in the plan, however late the approval comes."""

import pytest

from harness.workspace import Workspace
from support.clock_fixtures import MovableTime
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"


def token(*lines: str) -> str:
    """Return a resource block with these arguments."""
    return 'resource "crusoe_storage_token" "t" {\n' + "".join(f"  {x}\n" for x in lines) + "}\n"


LIFE = ('expires_after = "90d"', 'renew_before = "14d"')
CHANGED = (*LIFE, 'timeouts {\n    create = "3m"\n  }')


@pytest.mark.parametrize("days", [80, 100], ids=["due", "expired"])
def test_an_update_approved_after_the_renewal_moment_is_carried_out_as_planned(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe, days: int
) -> None:
    """It stays an update; the next plan renews."""
    timed.write(token(*LIFE))
    timed.apply().succeeded()
    keys = crusoe.simulator.cloud.keys()
    timed.write(token(*CHANGED))

    assert timed.plan(out="p").succeeded().actions == {ADDRESS: "update"}
    movable_time.advance(days=days)
    timed.apply("p").succeeded()

    assert crusoe.simulator.cloud.keys() == keys
    assert timed.plan().actions == {ADDRESS: "replace"}


@pytest.mark.parametrize(
    ("lines", "days"),
    [(LIFE, 100), (('expires_after = "1d"',), 3)],
    ids=["a renewal", "a new life"],
)
def test_a_creation_approved_late_lives_from_its_creation(
    timed: Workspace, movable_time: MovableTime, lines: tuple[str, ...], days: int
) -> None:
    """Its life begins with the POST, not with the plan."""
    timed.write(token(*lines))
    timed.plan(out="p").succeeded()
    movable_time.advance(days=days)

    timed.apply("p").succeeded()

    assert timed.plan().actions == {}


def test_a_replacement_approved_late_is_carried_out(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """It was due when it was planned; by its apply the old token has expired."""
    timed.write(token(*LIFE))
    timed.apply().succeeded()
    movable_time.advance(days=80)
    assert timed.plan(out="p").succeeded().actions == {ADDRESS: "replace"}
    movable_time.advance(days=20)

    timed.apply("p").succeeded()

    assert len(crusoe.simulator.cloud.keys()) == 1
    assert timed.plan().actions == {}


def test_a_fixed_expiry_that_passes_before_the_approval_is_told_truly(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Nothing is created that could never be used, and the error names the argument."""
    timed.write(token(f'expires_at = "{movable_time.after(hours=1)}"'))
    timed.plan(out="p").succeeded()
    movable_time.advance(hours=2)

    timed.apply("p").failed_with("Expiry is in the past", attribute="expires_at")

    assert crusoe.simulator.cloud.keys() == []
