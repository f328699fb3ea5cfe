"""Rotating between two keys: which steps, in which order, and what is held after each of them.

Pure: what touches the world is passed in. A key is named by its access key ID.

    rotate, a slot is free          Create                       Revoke what is not kept
    rotate, no slot is free         Revoke what is not kept      Create
    revoke the previous key         Revoke

What is kept beside the new key is the current one, so that whoever still uses it is not cut off. A
current key that has expired is of no use to anybody; then the previous one stays, if it still
works. No step takes the key away that clients are to use: of the keys that work, the newest one
goes last.

After each step what is held is saved. So whatever comes in between, a later run begins with what
there is: `leaving` holds keys that have no place in the two any more and are still to be revoked.
"""

from collections.abc import Callable, Collection, Container
from typing import NamedTuple, Protocol

from crusoe_provider.tokens.errors import AnswerLost


class Holding(NamedTuple):
    """The keys of one resource.

    Attributes:
        current: The key that clients are to use; `None` if it is gone.
        previous: The key before it; `None` if there is none.
        leaving: Keys that are neither any more, and still to be revoked.
    """

    current: str | None
    previous: str | None = None
    leaving: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All of them, those first that are to go first."""
        held = (*self.leaving, self.previous, self.current)
        return tuple(key for key in held if key is not None)

    def without(self, key: str) -> "Holding":
        """Return what is left once `key` is gone."""
        return self.among(set(self.keys) - {key})

    def among(self, existing: Container[str]) -> "Holding":
        """Return what is left of it if only these keys exist."""
        return Holding(
            self.current if self.current in existing else None,
            self.previous if self.previous in existing else None,
            tuple(key for key in self.leaving if key in existing),
        )


class Aim(NamedTuple):
    """What is to be reached.

    Attributes:
        rotate: Whether a new key is to become the current one.
        kept: The key that is the previous one then; `None` for none.
    """

    rotate: bool
    kept: str | None


class Revoke(NamedTuple):
    """Revoke this key."""

    key: str


class Create(NamedTuple):
    """Create a new key, which becomes the current one."""


Step = Revoke | Create


def aim_of(
    holding: Holding, *, rotate: bool, revoke_previous: bool, useless: Collection[str] = ()
) -> Aim:
    """Return what is to be reached.

    Args:
        holding: What is held.
        rotate: Whether a new key is wanted.
        revoke_previous: Whether the previous key is to go, where no new one is wanted.
        useless: Keys that have expired.
    """
    if not rotate:
        return Aim(rotate=False, kept=None if revoke_previous else holding.previous)
    candidates = (holding.current, holding.previous)
    working = [key for key in candidates if key is not None and key not in useless]
    return Aim(rotate=True, kept=working[0] if working else None)


def surplus(holding: Holding, aim: Aim) -> tuple[str, ...]:
    """Return the keys that are to go, those first that are to go first."""
    staying = {aim.kept} if aim.rotate else {aim.kept, holding.current}
    return tuple(key for key in holding.keys if key not in staying)


def next_step(holding: Holding, aim: Aim, *, room: bool) -> Step | None:
    """Return the next step; `None` when the aim is reached.

    Args:
        holding: What is held.
        aim: What is to be reached.
        room: Whether a slot is free.
    """
    going = surplus(holding, aim)
    if aim.rotate and (room or not going):
        return Create()
    return Revoke(going[0]) if going else None


def created(holding: Holding, aim: Aim, new: str) -> tuple[Holding, Aim]:
    """Return what is held, and what is left to be reached, once the new key is there."""
    return Holding(new, aim.kept, surplus(holding, aim)), Aim(rotate=False, kept=aim.kept)


class Hands(Protocol):
    """What carries out the steps. Each either does what it says or raises an error."""

    def revoke(self, key: str) -> None:
        """Revoke a key; one that is gone already is success."""

    def create(self, make_room: Callable[[], bool]) -> str:
        """Create a key, and return it.

        Args:
            make_room: Called as often as no slot is free, with the turn to create held; says
                whether it has freed one.
        """

    def save(self, holding: Holding, *, rotated: bool) -> None:
        """Store what is held now, and whether the new key is among it already."""


def carry_out(holding: Holding, aim: Aim, hands: Hands) -> Holding:
    """Take every step to the aim, and save after each; return what is held at the end.

    Raises:
        AnswerLost: It is not known whether there is a new key. One that certainly is there, and
            could not be revoked, is held as leaving.
        Exception: As the hands raise it.
    """
    rotated = False

    def revoke(key: str) -> None:
        nonlocal holding
        hands.revoke(key)
        holding = holding.without(key)
        hands.save(holding, rotated=rotated)

    def make_room() -> bool:
        step = next_step(holding, aim, room=False)
        if not isinstance(step, Revoke):
            return False
        revoke(step.key)
        return True

    if aim.rotate:
        try:
            new = hands.create(make_room)
        except AnswerLost as lost:
            if lost.left is not None:
                lost_key = lost.left.access_key_id
                holding = holding._replace(leaving=(*holding.leaving, lost_key))
                hands.save(holding, rotated=False)
            raise
        holding, aim = created(holding, aim, new)
        rotated = True
        hands.save(holding, rotated=True)
    for key in surplus(holding, aim):
        revoke(key)
    return holding
