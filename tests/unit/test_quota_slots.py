"""Slots in an apply: whose turn it is, what is waited for, and when it is given up."""

from collections.abc import Callable

import pytest

from crusoe_provider.api.errors import Interrupted
from crusoe_provider.tokens.errors import NoRoomToOpen, NoSlotCameFree, PlanExceedsQuota
from support.token_doubles import Account, Terraform, World, key

BEGIN = 1000.0


def world(*keys: str, planning: bool = False, others: int = 0, operations: int = 10) -> World:
    """Return a world in which the caller has these keys, in the middle of an apply."""
    terraform = Terraform(planning=planning, others=others, operations=operations)
    given = World(Account(listed=[key(name) for name in keys]), terraform)
    given.clock.seconds = BEGIN
    return given


def waits_for(given: World, *, seconds: float = 120.0, patient: bool = False) -> frozenset[str]:
    """Wait for a slot, and return the keys there are then."""
    with given.calls.call(), given.quota.reserve(seconds, patient=patient) as slot:
        return slot.wait()


def when_waiting(given: World, act: Callable[[], object]) -> None:
    """Do something at the first wait."""

    def once(_seconds: float) -> None:
        given.clock.on_wait = lambda _seconds: None
        act()

    given.clock.on_wait = once


# -- What is counted -------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [True, False])
def test_a_planned_creation_that_takes_no_slot_counts_as_given_up(taken: bool) -> None:
    """One that takes it is a key from then on, and counts once."""
    given = world(planning=True)
    for _ in range(2):
        given.quota.plan_creation()

    with given.quota.reserve(1) as slot:
        assert slot.wait() == frozenset()
        if taken:
            slot.take("NEW")

    if taken:
        with pytest.raises(PlanExceedsQuota) as caught:
            given.quota.plan_creation()
        verdict = caught.value.shortage.verdict
        assert (sorted(verdict.staying), verdict.creations) == (["NEW"], 2)
    else:
        assert given.quota.plan_creation()


def test_creations_take_turns() -> None:
    """Otherwise both would take the slot that one list has shown."""
    given = world()

    with given.quota.reserve(60) as first:
        first.wait()
        with pytest.raises(NoSlotCameFree) as caught, given.quota.reserve(5):
            pass

    assert caught.value.waited == pytest.approx(5)
    with given.quota.reserve(0) as next_one:
        next_one.wait()


@pytest.mark.parametrize(("keys", "under_way", "seconds"), [("", 0, 0), ("", 1, 1), ("AB", 1, 0)])
def test_creations_beside_are_waited_for_where_they_have_a_slot(
    keys: str, under_way: int, seconds: float
) -> None:
    """So that one list serves all; not for long."""
    given = world(*keys)
    given.quota.is_full()

    if under_way:
        with given.quota.reserve(60):
            given.quota.wait_for_creations()
    else:
        given.quota.wait_for_creations()

    assert given.clock.seconds - BEGIN == pytest.approx(seconds)


# -- Waiting for a slot ----------------------------------------------------------------------------


def test_a_deletion_of_this_process_is_noticed_at_once() -> None:
    """No list is needed for it."""
    given = world("A", "B")
    when_waiting(given, lambda: given.quota.release("A"))

    assert waits_for(given) == {"B"}

    assert given.account.reads == [(False, False)]


def test_a_deletion_by_another_process_is_seen_in_the_list() -> None:
    """Which is read anew after two seconds."""
    given = world("A", "B")
    when_waiting(given, lambda: setattr(given.account, "listed", [key("B")]))

    assert waits_for(given) == {"B"}

    assert given.account.reads == [(False, False), (True, False)]
    assert given.clock.seconds - BEGIN == pytest.approx(2)


@pytest.mark.parametrize(
    ("operations", "others", "patient", "planning", "why", "seconds"),
    [
        # All that Terraform runs at a time waits here.
        (1, 0, True, False, "blocked", 2),
        # Other plugins may hold the rest of it, or are slow.
        (2, 1, True, False, "blocked", 46),
        (3, 1, True, False, None, 120),
        (3, 1, False, False, "idle", 46),
        # Nothing happens any more.
        (10, 0, False, False, "idle", 10),
        (10, 0, True, False, None, 120),
        # An ephemeral token in a plan holds up no deletion.
        (1, 0, True, True, None, 120),
    ],
)
def test_when_a_slot_is_given_up(  # noqa: PLR0917 - a table
    operations: int, others: int, patient: bool, planning: bool, why: str | None, seconds: float
) -> None:
    """With the reason, and with the keys that are in the way."""
    given = world("A", "B", planning=planning, others=others, operations=operations)

    with pytest.raises(NoSlotCameFree) as caught:
        waits_for(given, patient=patient)

    error = caught.value
    assert (error.blocked, error.idle) == (why == "blocked", why == "idle")
    assert error.waited == given.clock.seconds - BEGIN == pytest.approx(seconds, abs=2)
    assert [k.access_key_id for k in error.shortage.keys] == ["A", "B"]
    assert error.shortage.verdict.staying == {"A", "B"}


def test_a_slow_call_of_another_user_keeps_no_creation_waiting() -> None:
    """It frees no slot of this one."""
    given = world("A", "B")
    given.calls.begin_elsewhere(object())
    given.clock.seconds += 5

    with given.calls.call(), given.quota.reserve(120) as slot:
        given.calls.belongs_to(given)
        with pytest.raises(NoSlotCameFree) as caught:
            slot.wait()

    assert caught.value.idle
    assert caught.value.waited < 20


def test_a_stop_ends_the_wait_and_nothing_was_sent() -> None:
    """Whoever reads the error knows that there is no key."""
    given = world("A", "B")
    when_waiting(given, given.stop.set)

    with pytest.raises(Interrupted, match="nothing was sent"):
        waits_for(given)

    assert given.account.creations == 0


# -- Ephemeral tokens ------------------------------------------------------------------------------


def test_an_ephemeral_token_that_has_its_key_asks_for_no_slot_any_more() -> None:
    """It is named as borrowed, until it is revoked."""
    given = World(Account(), limit=1)
    given.quota.open()
    with given.quota.reserve(1) as slot:
        slot.take("E")
    given.quota.borrow("E")

    with pytest.raises(NoRoomToOpen) as caught:
        given.quota.open()
    given.quota.release("E")
    given.account.listed = [key("F")]
    given.clock.seconds += 60
    with pytest.raises(NoRoomToOpen) as again:
        given.quota.open()

    first, second = caught.value.shortage, again.value.shortage
    assert (sorted(first.borrowed), first.opening) == (["E"], 1)
    assert (sorted(second.borrowed), second.opening) == ([], 2)
    assert first.verdict.staying == {"E"}
