"""The steps of a rotation: a table, and any interruption against a model of the world."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.errors import ConnectionFailed
from crusoe_provider.api.models import StorageKey
from crusoe_provider.tokens.errors import AnswerLost
from crusoe_provider.tokens.rotation import (
    Aim,
    Create,
    Holding,
    Revoke,
    Step,
    aim_of,
    carry_out,
    created,
    next_step,
)

ONE, TWO = Holding("b"), Holding("b", "a")


@dataclass(frozen=True)
class Row:
    """What is held and wanted, and the steps to it.

    Attributes:
        holding: What is held.
        steps: Each step, with whether a slot is free before it.
        end: What is held at the end.
        rotate: Whether a new key is wanted.
        revoke_previous: Whether the previous one is to go.
        useless: Which keys have expired.
    """

    holding: Holding
    steps: tuple[tuple[bool, Step], ...]
    end: Holding
    rotate: bool = True
    revoke_previous: bool = False
    useless: tuple[str, ...] = ()


TABLE = {
    "one key, a free slot": Row(ONE, ((True, Create()),), Holding("n", "b")),
    "one key, none free": Row(ONE, ((False, Create()),), Holding("n", "b")),
    "two keys, a free slot": Row(TWO, ((True, Create()), (False, Revoke("a"))), Holding("n", "b")),
    "two keys, none free": Row(TWO, ((False, Revoke("a")), (True, Create())), Holding("n", "b")),
    "the slot is taken meanwhile": Row(
        TWO, ((False, Revoke("a")), (False, Create())), Holding("n", "b")
    ),
    "something leaves, and none is free": Row(
        Holding("b", "a", ("x",)),
        ((False, Revoke("x")), (False, Revoke("a")), (True, Create())),
        Holding("n", "b"),
    ),
    "something leaves, and room": Row(
        Holding("b", None, ("x",)), ((True, Create()), (True, Revoke("x"))), Holding("n", "b")
    ),
    "the current key is gone": Row(Holding(None, "a"), ((True, Create()),), Holding("n", "a")),
    "the current key has expired": Row(
        TWO, ((False, Revoke("b")), (True, Create())), Holding("n", "a"), useless=("b",)
    ),
    "both have expired": Row(
        TWO,
        ((False, Revoke("a")), (True, Create()), (False, Revoke("b"))),
        Holding("n"),
        useless=("a", "b"),
    ),
    "only the previous one has expired": Row(
        TWO, ((True, Create()), (True, Revoke("a"))), Holding("n", "b"), useless=("a",)
    ),
    "the previous one is due": Row(
        TWO, ((False, Revoke("a")),), ONE, rotate=False, revoke_previous=True
    ),
    "nothing is due": Row(TWO, (), TWO, rotate=False),
    "something leaves, nothing is due": Row(
        Holding("b", "a", ("x",)), ((True, Revoke("x")),), TWO, rotate=False
    ),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_the_steps_and_what_is_held_after_them(row: Row) -> None:
    """Row by row; and when the end is reached there is no further step."""
    holding = row.holding
    aim = aim_of(
        holding, rotate=row.rotate, revoke_previous=row.revoke_previous, useless=row.useless
    )

    for room, wanted in row.steps:
        step = next_step(holding, aim, room=room)
        assert step == wanted
        if isinstance(step, Revoke):
            holding = holding.without(step.key)
        else:
            holding, aim = created(holding, aim, "n")

    assert holding == row.end
    assert next_step(holding, aim, room=True) is None


@dataclass
class Recorder:
    """Hands that note what they are told.

    Attributes:
        free: How many slots are free.
        told: The steps, and what is stored after each.
    """

    free: int
    told: list[object] = field(default_factory=list)

    def revoke(self, key: str) -> None:
        self.free += 1
        self.told.append(Revoke(key))

    def create(self, make_room: Callable[[], bool]) -> str:
        made = [make_room()] if not self.free else []
        self.told.append((Create(), made))
        return "n"

    def save(self, holding: Holding, *, rotated: bool) -> None:
        self.told.append((holding, rotated))


@pytest.mark.parametrize(
    ("free", "told"),
    [
        (
            1,
            [
                (Create(), []),
                (Holding("n", "b", ("a",)), True),
                Revoke("a"),
                (Holding("n", "b"), True),
            ],
        ),
        (0, [Revoke("a"), (Holding("b"), False), (Create(), [True]), (Holding("n", "b"), True)]),
    ],
)
def test_what_is_stored_after_each_step(free: int, told: list[object]) -> None:
    """Until the new key is there the state says that a rotation is wanted, and no longer."""
    hands = Recorder(free)
    aim = aim_of(TWO, rotate=True, revoke_previous=False)

    assert carry_out(TWO, aim, hands) == Holding("n", "b")

    assert hands.told == told


def test_where_there_is_nothing_to_revoke_no_room_can_be_made() -> None:
    """Whoever creates waits for somebody else then."""
    hands = Recorder(0)

    carry_out(ONE, aim_of(ONE, rotate=True, revoke_previous=False), hands)

    assert hands.told == [(Create(), [False]), (Holding("n", "b"), True)]


# -- Any interruption ------------------------------------------------------------------------------


class StepFailedError(Exception):
    """A step has failed, and nothing has happened."""


class KilledError(Exception):
    """Terraform was killed: what this run has done is not stored."""


# What comes of each request. A deletion that is said to have failed may have happened.
OUTCOMES = st.sampled_from(
    ["done", "done", "refused", "done, then error", "lost", "lost and left", "killed"]
)


@dataclass
class World:
    """The keys of one user, and Terraform with its state.

    Attributes:
        limit: How many keys there may be.
        keys: Those that exist.
        stored: What the state has.
        orphans: Keys that neither the state has nor somebody has cleared away.
    """

    limit: int
    keys: set[str] = field(default_factory=set)
    stored: Holding = field(default_factory=lambda: Holding(None))
    wanted: bool = False
    made: int = 0
    history: list[set[str]] = field(default_factory=list)

    def refresh(self) -> None:
        """Bring the state in line with reality."""
        self.stored = self.stored.among(self.keys)

    def apply(self, outcomes: Callable[[], str]) -> None:
        """Plan and apply, with whatever comes of each request."""
        self.refresh()
        if not self.stored.keys:
            self.keys.add(self._new())
            self.stored, self.wanted = Holding(max(self.keys)), False
            return
        prior = self.stored
        rotate = self.wanted or prior.current is None
        aim = aim_of(prior, rotate=rotate, revoke_previous=False)
        terraform = Terraform(self, prior, aim, outcomes)
        try:
            carry_out(prior, aim, terraform)
        except (StepFailedError, AnswerLost):
            pass
        except KilledError:
            # The provider undoes what was created; Terraform has stored nothing.
            self.keys -= terraform.new
            return
        self.stored = terraform.saved
        self.wanted = rotate and not terraform.rotated

    def _new(self) -> str:
        self.made += 1
        return f"k{self.made:03}"


class Terraform:
    """The hands of one apply."""

    def __init__(self, world: World, prior: Holding, aim: Aim, outcomes: Callable[[], str]) -> None:
        self.world = world
        self.prior = prior
        self.aim = aim
        self.outcomes = outcomes
        self.saved = prior
        self.rotated = False
        self.new: set[str] = set()

    def revoke(self, key: str) -> None:
        outcome = self.outcomes()
        if outcome == "refused":
            raise StepFailedError
        assert key != self.prior.current or not self.aim.rotate or key != self.aim.kept
        self.world.keys.discard(key)
        self.check()
        if outcome == "killed":
            raise KilledError
        if outcome != "done":
            raise StepFailedError

    def create(self, make_room: Callable[[], bool]) -> str:
        while len(self.world.keys) >= self.world.limit:
            if not make_room():
                raise StepFailedError
        outcome = self.outcomes()
        if outcome == "refused":
            raise StepFailedError
        key = self.world._new()
        self.world.keys.add(key)
        self.check()
        if outcome == "lost and left":
            lost = AnswerLost(ConnectionFailed("cut", may_have_happened=True))
            lost.left = StorageKey(key, "u", key, "enabled", "2026-01-01T00:00:00Z")
            raise lost
        if outcome in {"lost", "done, then error"}:
            self.world.keys.discard(key)  # found, and revoked at once
            raise AnswerLost(ConnectionFailed("cut", may_have_happened=True))
        self.new.add(key)
        if outcome == "killed":
            raise KilledError
        return key

    def save(self, holding: Holding, *, rotated: bool) -> None:
        self.saved, self.rotated = holding, rotated

    def check(self) -> None:
        """The key that clients have been told to use works, whatever was done."""
        assert len(self.world.keys) <= self.world.limit
        if self.prior.current is not None:
            assert self.prior.current in self.world.keys


@given(data=st.data(), limit=st.integers(2, 3), rotations=st.integers(1, 4))
def test_after_any_interruption_quiet_applies_leave_exactly_the_keys_of_the_state(
    data: st.DataObject, limit: int, rotations: int
) -> None:
    """At most two at the end, never more than the limit, and the current one works all along."""
    world = World(limit)
    world.apply(lambda: "done")
    for _ in range(rotations):
        world.wanted = True
        for _ in range(data.draw(st.integers(0, 3))):
            world.apply(lambda: data.draw(OUTCOMES))
            assert world.keys == set(world.stored.among(world.keys).keys)

    before = world.stored.current
    wanted = world.wanted
    for _ in range(2):
        world.apply(lambda: "done")

    assert not world.wanted
    assert world.keys == set(world.stored.keys)
    assert len(world.keys) <= 2
    assert not world.stored.leaving
    assert world.stored.current in world.keys
    if wanted and before is not None:
        assert world.stored.previous == before


def test_a_key_whose_secret_was_lost_and_that_stays_is_held_until_it_is_revoked() -> None:
    """It is in no attribute; the next apply revokes it, whether or not it rotates."""
    world = World(3, keys={"k000"}, stored=Holding("k000"), wanted=True)
    world.apply(lambda: "lost and left")
    assert world.stored == Holding("k000", None, ("k001",))
    assert world.wanted
    world.wanted = False

    world.apply(lambda: "done")

    assert world.stored == Holding("k000")
    assert world.keys == {"k000"}
