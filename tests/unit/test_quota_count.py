"""The counting of keys, against a naive model that knows the whole plan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.tokens.quota_count import QuotaCount


@dataclass(frozen=True)
class Instance:
    """One token of a configuration or state, and what the plan does with it."""

    name: str
    fate: str  # kept, updated, replaced, forced, tainted, removed, new, untouched

    @property
    def exists(self) -> bool:
        return self.fate != "new"

    @property
    def keys_afterwards(self) -> int:
        return 0 if self.fate == "removed" else 1

    @property
    def creations(self) -> int:
        return int(self.fate in {"replaced", "forced", "tainted", "new"})


Event = Callable[[QuotaCount], None]


def calls_of(instance: Instance) -> list[Event]:
    """Return what the budget hears of an instance after the states were loaded, in order."""
    key = instance.name
    kept: Event = lambda budget: budget.kept(key)  # noqa: E731 - events are values here
    freed: Event = lambda budget: budget.freed(key)  # noqa: E731
    create: Event = QuotaCount.creation_planned
    return {
        "kept": [kept],
        "replaced": [freed, create],
        # -replace: planned as kept, then once more as a creation that names the old key
        "forced": [kept, lambda budget: (budget.freed(key), budget.creation_planned())[0]],
        "tainted": [create],
        "removed": [freed],
        "new": [create],
        "untouched": [],
    }[instance.fate]


def interleaved(data: st.DataObject, sequences: list[list[Event]]) -> list[Event]:
    """Return the events of all sequences in some order that keeps each sequence's own."""
    waiting = [list(sequence) for sequence in sequences if sequence]
    order: list[Event] = []
    while waiting:
        chosen = data.draw(st.sampled_from(range(len(waiting))))
        order.append(waiting[chosen].pop(0))
        waiting = [sequence for sequence in waiting if sequence]
    return order


fates = st.sampled_from(["kept", "replaced", "forced", "tainted", "removed", "new", "untouched"])


def loaded_budget(limit: int, foreign: int, instances: Sequence[Instance]) -> QuotaCount:
    budget = QuotaCount(limit)
    ours = [instance.name for instance in instances if instance.exists]
    budget.listed([*ours, *(f"foreign-{n}" for n in range(foreign))])
    # An instance that -target leaves out is never loaded: its key looks like anybody's.
    for instance in instances:
        if instance.exists and instance.fate != "untouched":
            budget.seen(instance.name)
    return budget


@given(
    data=st.data(),
    limit=st.integers(1, 4),
    foreign=st.integers(0, 3),
    fates=st.lists(fates, max_size=5),
)
def test_any_order_gives_the_verdict_of_a_model_that_knows_the_plan(
    data: st.DataObject, limit: int, foreign: int, fates: list[str]
) -> None:
    """The verdict at the end is right, and none on the way is a false alarm."""
    instances = [Instance(f"key-{n}", fate) for n, fate in enumerate(fates)]
    creates = any(instance.creations for instance in instances)
    afterwards = foreign + sum(instance.keys_afterwards for instance in instances)
    fits = not creates or afterwards <= limit
    budget = loaded_budget(limit, foreign, instances)

    for event in interleaved(data, [calls_of(instance) for instance in instances]):
        event(budget)
        verdict = budget.verdict()
        assert verdict.fits or not fits, "a false alarm on the way"
        assert not (verdict.certain and verdict.fits) or verdict.needed <= limit

    assert budget.verdict().fits == fits


@given(data=st.data(), limit=st.integers(1, 4), foreign=st.integers(0, 3), new=st.integers(1, 4))
def test_carrying_out_a_plan_never_counts_a_creation_twice(
    data: st.DataObject, limit: int, foreign: int, new: int
) -> None:
    """Planned, then made, then listed: one key all along, whether the list lags or not."""
    budget = loaded_budget(limit, foreign, [])
    listed = [f"foreign-{n}" for n in range(foreign)]
    for _ in range(new):
        budget.creation_planned()
    before = budget.verdict()

    for n in range(new):
        budget.created(f"new-{n}")
        assert budget.creations == new - n - 1
        assert f"new-{n}" not in budget.verdict().unseen
        if data.draw(st.booleans()):
            listed.append(f"new-{n}")
            budget.listed(listed)

    after = budget.verdict()
    assert after.creations == 0
    assert len(after.staying) == before.needed == foreign + new


@given(keys=st.sets(st.text(min_size=1, max_size=3)), data=st.data())
def test_deleted_keys_are_free_even_while_the_list_still_shows_them(
    keys: set[str], data: st.DataObject
) -> None:
    """A list that lags behind a deletion keeps nobody waiting."""
    gone = data.draw(st.sets(st.sampled_from(sorted(keys)))) if keys else set()
    budget = QuotaCount(2)
    budget.listed(keys)

    for key in gone:
        budget.deleted(key)
    budget.listed(keys)

    assert budget.existing == keys - gone


def test_a_pending_key_leaves_the_verdict_open() -> None:
    """Two tainted tokens and two creations: it fits if both go, and that is not certain yet."""
    budget = QuotaCount(2)
    budget.listed(["a", "b"])
    budget.seen("a")
    budget.seen("b")
    budget.creation_planned()

    verdict = budget.verdict()

    assert verdict.fits
    assert not verdict.certain
    assert verdict.pending == {"a", "b"}


def test_what_is_said_of_a_key_last_counts() -> None:
    """A key is planned as kept first, and as freed when it is to be replaced; or the other way."""
    budget = QuotaCount(2)
    budget.listed(["a"])
    budget.kept("a")
    assert budget.verdict().staying == {"a"}
    budget.freed("a")
    assert not budget.verdict().staying
    assert not budget.verdict().unseen
    budget.kept("a")
    assert budget.verdict().staying == {"a"}


def test_more_creations_are_never_given_up_than_were_planned() -> None:
    """One that is planned afterwards counts."""
    budget = QuotaCount(1)
    budget.creation_dropped()
    assert budget.creations == 0
    budget.creation_planned()
    assert budget.creations == 1


def test_a_plan_that_creates_nothing_always_fits() -> None:
    """Three keys where two are allowed (an administrator's doing) are no reason to fail."""
    budget = QuotaCount(2)
    budget.listed(["a", "b", "c"])

    assert budget.verdict().fits
    assert len(budget.verdict().staying) == 3
