"""The quota: which plans are refused, and what is asked of whom, without waiting in real time."""

from contextlib import suppress

import pytest

from crusoe_provider.tokens.errors import NoRoomToOpen, OwnerUnknown, PlanExceedsQuota
from support.token_doubles import COLLEAGUE, Account, Terraform, World, key

TWO = [key("A"), key("B")]


def world(*keys: str, **terraform: object) -> World:
    """Return a world in which the caller has these keys."""
    return World(
        Account(listed=[key(name) for name in keys]),
        Terraform(**terraform),  # type: ignore[arg-type]  # by name
    )


def test_a_creation_with_a_free_slot_passes_at_once() -> None:
    """Nothing is waited for."""
    given = world("A")

    assert given.quota.plan_creation()

    assert given.clock.seconds == 0


def test_keys_of_a_colleague_take_no_slot() -> None:
    """Nor do they make the verdict uncertain."""
    given = World(Account(listed=[key("A", user_id=COLLEAGUE), key("B", user_id=COLLEAGUE)]))

    assert given.quota.plan_creation()


def test_a_third_key_is_refused_with_the_evidence() -> None:
    """After a while: what depends on a data source is loaded late."""
    given = world("A", "B")
    given.quota.observe("A")

    given.quota.plan_keep("A")

    with pytest.raises(PlanExceedsQuota) as caught:
        given.quota.plan_creation()

    shortage = caught.value.shortage
    assert [k.access_key_id for k in shortage.keys] == ["A", "B"]
    assert shortage.seen == {"A"}
    assert shortage.verdict.needed == 3
    assert 2 <= given.clock.seconds < 5


def test_other_plugins_are_waited_for_longer() -> None:
    """Their data sources may be slow."""
    given = world("A", "B", others=1)

    with pytest.raises(PlanExceedsQuota):
        given.quota.plan_creation()

    assert 10 <= given.clock.seconds < 15


@pytest.mark.parametrize(("others", "checked"), [(0, True), (1, False), (2, False)])
def test_other_plugins_may_hold_what_terraform_runs_at_a_time(others: int, checked: bool) -> None:
    """With -parallelism=2: where one of them may hold the other call, nothing can be known."""
    given = world("A", "B", operations=2, others=others)

    if checked:
        with pytest.raises(PlanExceedsQuota):
            given.quota.plan_creation()
        assert given.clock.seconds > 0
    else:
        assert given.quota.plan_creation() is False
        assert given.clock.seconds == 0


def test_a_slot_that_the_plan_frees_is_waited_for() -> None:
    """The news of it comes while the creation waits."""
    given = world("A", "B")
    given.quota.observe("A")
    given.clock.on_wait = lambda _seconds: given.quota.plan_release("A")

    assert given.quota.plan_creation()


def test_tainted_keys_get_the_benefit_of_the_doubt() -> None:
    """Terraform never says that it replaces them."""
    given = world("A", "B")
    given.quota.observe("A")
    given.quota.observe("B")

    assert given.quota.plan_creation()

    assert 0.4 <= given.clock.seconds < 2


def test_a_key_that_stays_after_all_reports_the_shortage() -> None:
    """The order in which Terraform plans never matters."""
    given = world("A", "B")
    given.quota.observe("A")
    given.quota.observe("B")
    given.quota.plan_creation()

    given.quota.plan_keep("A")
    with pytest.raises(PlanExceedsQuota):
        given.quota.plan_keep("B")


def test_a_plan_is_judged_by_one_list() -> None:
    """A plan of many users takes a while; what another process does meanwhile is not its matter."""
    given = world("A")
    given.clock.seconds = 1000
    given.quota.plan_creation()
    given.clock.seconds += 20
    with pytest.raises(PlanExceedsQuota):
        given.quota.plan_creation()
    assert not given.quota.excuse(0)
    given.quota.excuse(1)
    given.quota.is_full()
    assert given.account.reads == [(False, False)]

    given.clock.seconds += 20
    given.quota.is_full()
    given.quota.is_full(fresh=True)
    assert given.account.reads == [(False, False), (True, False), (True, False)]


def test_where_nothing_can_be_known_nothing_is_refused() -> None:
    """With -parallelism=1 no news can come before this call returns; the caller is told so."""
    given = world("A", "B", operations=1)

    assert given.quota.plan_creation() is False

    assert given.clock.seconds == 0


def test_the_creation_that_waits_reports_the_shortage_itself() -> None:
    """Once: the key that is kept meanwhile says nothing, and none that is kept afterwards."""
    given = world("A", "B")
    given.quota.observe("A")
    given.quota.observe("B")
    given.clock.on_wait = lambda _seconds: keep_both(given)

    with pytest.raises(PlanExceedsQuota):
        given.quota.plan_creation()

    given.clock.on_wait = lambda _seconds: None
    given.quota.plan_keep("A")


def keep_both(given: World) -> None:
    given.clock.on_wait = lambda _seconds: None
    given.quota.plan_keep("A")
    given.quota.plan_keep("B")


def test_where_little_can_be_known_only_certainty_refuses() -> None:
    """With -parallelism=1 the word on the other key may still come, until it has."""
    given = world("A", "B", operations=1)
    assert given.quota.plan_creation() is False
    given.quota.plan_keep("A")

    with pytest.raises(PlanExceedsQuota) as caught:
        given.quota.plan_keep("B")

    assert caught.value.shortage.verdict.staying == {"A", "B"}
    assert [k.access_key_id for k in caught.value.shortage.keys] == ["A", "B"]
    assert given.clock.seconds == 0


@pytest.mark.parametrize(
    ("keys", "seen", "freed", "terraform", "keys_left"),
    [
        ("AB", "AB", "", {}, "AB"),
        ("AB", "AB", "A", {}, "B"),
        ("A", "A", "", {}, ""),
        ("AB", "", "", {}, ""),
        ("AB", "AB", "", {"operations": 1}, ""),
        ("AB", "AB", "", {"planning": False}, ""),
    ],
)
def test_a_plan_leans_on_the_keys_of_which_nothing_is_said(
    keys: str, seen: str, freed: str, terraform: dict[str, object], keys_left: str
) -> None:
    """Tainted ones, or such as are only forgotten; nothing where the word may still come."""
    given = world(*keys, **terraform)
    for name in seen:
        given.quota.observe(name)
    for name in freed:
        given.quota.plan_release(name)
    for _ in range(1 + len(freed)):
        with suppress(PlanExceedsQuota):
            given.quota.plan_creation()

    assert given.quota.leans_on() == set(keys_left)


@pytest.mark.parametrize(
    ("keys", "terraform", "needed", "seconds"),
    [
        ("A", {}, 2, 0.0),
        ("", {}, None, 0.4),
        ("A", {"operations": 1}, 2, 0.0),
        ("", {"operations": 1}, None, 0.0),
        ("A", {"planning": False}, None, 0.0),
        ("A", {"nothing": True}, None, 0.0),
    ],
)
def test_what_leaves_no_room_for_a_key_of_another_profile_is_told(
    keys: str, terraform: dict[str, object], needed: int | None, seconds: float
) -> None:
    """What Terraform plans beside is waited for, but not where there is no room already."""
    given = world(*keys, **terraform)
    given.quota.plan_creation()

    shortage = given.quota.shortage_of_another()

    assert (shortage.verdict.needed if shortage else None) == needed
    assert seconds <= given.clock.seconds < seconds + 0.1


# -- Another user whose API does not answer --------------------------------------------------------


def test_a_slow_call_of_another_user_holds_no_verdict_up_for_ever() -> None:
    """It is waited for as other plugins are."""
    given = world("A", "B")
    given.calls.begin_elsewhere(object())
    given.clock.seconds = 5

    with given.calls.call():
        given.calls.belongs_to(given)
        with pytest.raises(PlanExceedsQuota):
            given.quota.plan_creation()

    assert 15 <= given.clock.seconds < 16


def test_a_slow_call_of_another_user_does_not_hold_up_what_is_only_told() -> None:
    """Whether there is room for a key of another profile."""
    given = world()
    given.calls.begin_elsewhere(object())
    given.clock.seconds = 5

    with given.calls.call():
        given.calls.belongs_to(given)
        assert given.quota.shortage_of_another() is None

    assert 5 <= given.clock.seconds < 6


# -- A rotation that may be the first half of a replacement ----------------------------------------


def test_a_rotation_without_room_is_excused_as_often_as_something_is_replaced() -> None:
    """At once: the successor comes next, and nothing could be waited for."""
    given = world("A", "B")
    given.quota.plan_keep("A")

    assert given.quota.excuse(1)
    assert given.clock.seconds == 0
    given.quota.plan_release("A")
    given.quota.plan_successor(1, counted=False, excused=True)

    assert given.quota.plan_creation()
    assert not given.quota.excuse(1)


def test_planned_creations_take_the_room_that_a_rotation_would_need() -> None:
    """So it may be the first half of a replacement, although a slot is free now."""
    given = world("A")
    given.quota.plan_creation()

    assert given.quota.excuse(1)


def refused_creations(given: World) -> int:
    """Return how many creations the plan is refused for, with one more."""
    with pytest.raises(PlanExceedsQuota) as caught:
        given.quota.plan_creation()
    return caught.value.shortage.verdict.creations


@pytest.mark.parametrize("matched", [0, 1, 2])
def test_rotations_that_were_excused_for_nothing_are_counted_once(matched: int) -> None:
    """As soon as all that is replaced has come to its second half."""
    given = world("A", "B")
    for name in "AB":
        given.quota.plan_keep(name)
    for _ in range(2):
        assert given.quota.excuse(2)

    # One more than was announced comes as well.
    for n in range(3):
        given.quota.plan_successor(2, counted=False, excused=n < matched)

    assert refused_creations(given) == 2 - matched + 1


def test_what_is_excused_depends_on_how_many_replacements_are_still_to_come() -> None:
    """With two of them, the first leaves one."""
    given = world("A", "B")
    for excused in (True, True, False):
        assert given.quota.excuse(2) is excused
        given.quota.plan_successor(2, counted=False, excused=excused)


@pytest.mark.parametrize("first", ["creation", "object"])
def test_the_second_key_of_an_object_that_may_be_replaced_is_left_open(first: str) -> None:
    """Both are given up with it, so there is room for another creation, in whatever order."""
    given = world("A", "B")
    for name in "AB":
        given.quota.observe(name)
    if first == "creation":
        given.quota.plan_creation()
    given.quota.plan_keep("A")
    given.quota.plan_keep_second("B", 1)
    if first == "object":
        given.quota.plan_creation()

    for name in "AB":
        given.quota.plan_release(name)
    given.quota.plan_successor(1, counted=False, excused=False)

    assert given.quota.plan_creation()


def test_where_not_all_of_the_state_is_shown_no_second_key_is_left_open() -> None:
    """What is replaced may belong to another provider block, and its successor never comes here."""
    given = world("A", "B", whole_state=False)
    given.quota.observe("B")
    given.quota.plan_keep("A")
    given.quota.plan_keep_second("B", 1)

    assert refused_creations(given) == 1


@pytest.mark.parametrize("replaced", [0, 1])
def test_a_second_key_that_was_left_open_for_nothing_stays(replaced: int) -> None:
    """The replacement was that of another object, or there is none."""
    given = world("A", "B")
    given.quota.plan_keep("A")
    given.quota.plan_keep_second("B", replaced)
    if replaced:
        given.quota.plan_successor(replaced, counted=False, excused=False)

    assert refused_creations(given) == 1


@pytest.mark.parametrize(
    ("keys", "replaced", "terraform"),
    [("AB", 0, {}), ("A", 1, {}), ("AB", 1, {"planning": False}), ("AB", 1, {"nothing": True})],
)
def test_nothing_else_is_excused(keys: str, replaced: int, terraform: dict[str, bool]) -> None:
    """Where nothing is replaced, where there is room, and where nothing would be refused."""
    assert not world(*keys, **terraform).quota.excuse(replaced)


def test_a_rotation_that_was_excused_for_nothing_is_counted_in_the_end() -> None:
    """Whatever else is replaced then has no room."""
    given = world("A", "B", "C")
    for name in "AB":
        given.quota.plan_keep(name)
    assert given.quota.excuse(1)  # that of A
    given.quota.plan_release("B")

    given.quota.plan_successor(1, counted=False, excused=False)  # that of B

    with pytest.raises(PlanExceedsQuota) as caught:
        given.quota.plan_creation()
    assert caught.value.shortage.verdict.creations == 2


def test_what_is_hopeless_is_refused_even_then() -> None:
    """More creations than slots."""
    given = world(operations=1)
    given.quota.plan_creation()
    given.quota.plan_creation()

    with pytest.raises(PlanExceedsQuota):
        given.quota.plan_creation()


@pytest.mark.parametrize("terraform", [{"planning": False}, {"nothing": True}])
def test_applies_and_destroys_are_not_refused(terraform: dict[str, bool]) -> None:
    """In an apply the plan was accepted; a destroy or a refresh creates nothing."""
    given = world("A", "B", **terraform)

    assert given.quota.plan_creation()
    given.quota.plan_keep("A")
    given.quota.open()


def test_without_a_limit_nothing_is_asked() -> None:
    """key_limit = 0."""
    given = World(Account(lists=[AssertionError("nobody asks")]), limit=0)

    assert given.quota.plan_creation()
    assert not given.quota.is_full()


def test_when_owners_cannot_be_told_apart_the_error_says_so() -> None:
    """Nothing is counted."""
    given = World(Account(listed=[key("A", user_id="S3U_A"), key("B", user_id="S3U_B")]))

    with pytest.raises(OwnerUnknown):
        given.quota.plan_creation()


def test_when_owners_cannot_be_told_apart_an_ephemeral_token_is_opened() -> None:
    """The API says whether there is room."""
    given = World(Account(listed=[key("A", user_id="S3U_A"), key("B", user_id="S3U_B")]))

    given.quota.open()

    assert not given.quota.is_still_full()


def test_a_decision_has_an_end_whatever_the_others_do() -> None:
    """Calls that never finish do not hold it up for ever."""
    given = world("A", "B")

    with given.calls.call(), given.calls.call(), pytest.raises(PlanExceedsQuota):
        given.quota.plan_creation()

    assert given.clock.seconds >= 120


# -- Ephemeral tokens ------------------------------------------------------------------------------


def test_an_ephemeral_token_needs_a_slot_now() -> None:
    """Nothing comes free in a plan; borrowed keys are named."""
    given = world("A", "B")
    given.quota.borrow("B")

    with pytest.raises(NoRoomToOpen) as caught:
        given.quota.open()

    assert caught.value.shortage.borrowed == {"B"}
    assert caught.value.shortage.verdict.staying == {"A", "B"}
    assert given.clock.seconds == 0


def test_a_key_that_was_just_revoked_elsewhere_takes_no_slot() -> None:
    """The list is read again before an ephemeral token is refused."""
    given = World(Account(listed=[key("A")], lists=[TWO]))

    given.quota.open()


def test_an_ephemeral_token_that_the_plan_has_no_room_for_is_not_counted_on() -> None:
    """One slot is free now, but a planned token needs it."""
    given = world("A")
    given.quota.observe("A")
    given.quota.plan_keep("A")
    assert given.quota.plan_creation()

    with pytest.raises(NoRoomToOpen) as caught:
        given.quota.open()
    with pytest.raises(NoRoomToOpen) as again:
        given.quota.open()
    assert again.value.shortage.verdict.creations == 2
    assert [error.value.shortage.opening for error in (caught, again)] == [1, 2]
    assert again.value.shortage.limit == 2
    assert again.value.shortage.unmanaged_known
