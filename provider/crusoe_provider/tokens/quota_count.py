"""The quota, counted: what exists, what a plan keeps, frees and creates.

Pure bookkeeping of one user's keys in one organization, fed with events as one process learns of
them, in whatever order Terraform's calls arrive. A key is named by its access key ID.

A key counts against the limit unless this very plan may free it:

    existing key ─┬─ never seen in this state ──────────────► stays
                  └─ seen ─┬─ planned, kept ────────────────► stays
                           ├─ planned, replaced or destroyed ► freed
                           └─ not planned yet ──────────────► pending

A tainted token stays pending for good: Terraform plans its replacement without a word about the
old one. So pending keys are given the benefit of the doubt; `Verdict.certain` says whether that
was needed.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Verdict(NamedTuple):
    """Whether a plan fits.

    Attributes:
        limit: How many keys there may be.
        staying: Existing keys that nothing in the plan frees.
        unseen: Those of them that no state has shown. They are somebody else's, or Terraform has
            not come to them yet.
        pending: Existing keys of this state whose fate is not known yet.
        creations: Planned creations that have not been carried out.
    """

    limit: int
    staying: frozenset[str]
    unseen: frozenset[str]
    pending: frozenset[str]
    creations: int

    @property
    def needed(self) -> int:
        """How many keys there will be at least."""
        return len(self.staying) + self.creations

    @property
    def fits(self) -> bool:
        """Whether the plan can be carried out if every pending key is freed."""
        return not self.creations or self.needed <= self.limit

    @property
    def hopeless(self) -> bool:
        """Whether the plan cannot be carried out even if every key not yet planned is freed."""
        return bool(self.creations) and self.needed - len(self.unseen) > self.limit

    @property
    def certain(self) -> bool:
        """Whether no pending key could turn the verdict round."""
        return not self.fits or self.needed + len(self.pending) <= self.limit


class KeyFates:
    """What is known of keys by themselves, whoever's they are.

    Whose a key is takes a question to the API. What the state shows of it and what a plan does with
    it is known without, so that is noted here, for all users at once.
    """

    def __init__(self) -> None:
        self.seen_keys: set[str] = set()
        self.kept_keys: set[str] = set()
        self.freed_keys: set[str] = set()
        self.deleted_keys: set[str] = set()

    def seen(self, key: str) -> None:
        """A token of this state has this key."""
        self.seen_keys.add(key)

    def kept(self, key: str) -> None:
        """The plan leaves this key alone, or changes it in place."""
        self.seen_keys.add(key)
        self.freed_keys.discard(key)
        self.kept_keys.add(key)

    def freed(self, key: str) -> None:
        """The plan deletes this key."""
        self.seen_keys.add(key)
        self.kept_keys.discard(key)
        self.freed_keys.add(key)

    def deleted(self, key: str) -> None:
        """This process has deleted the key."""
        self.deleted_keys.add(key)


class QuotaCount:
    """Counts the keys of one user in one organization.

    Args:
        limit: How many keys the user may have there.
        fates: What is known of keys; shared by the counts of all users.
    """

    def __init__(self, limit: int, fates: KeyFates | None = None) -> None:
        self._limit = limit
        self._fates = fates or KeyFates()
        self._listed: frozenset[str] = frozenset()
        self._made: set[str] = set()
        self._creations = 0

    def listed(self, keys: Iterable[str]) -> None:
        """The API lists these keys of the user, and no others."""
        self._listed = frozenset(keys)

    def seen(self, key: str) -> None:
        """A token of this state has this key."""
        self._fates.seen(key)

    def kept(self, key: str) -> None:
        """The plan leaves this key alone, or changes it in place."""
        self._fates.kept(key)

    def freed(self, key: str) -> None:
        """The plan deletes this key."""
        self._fates.freed(key)

    def creation_planned(self) -> None:
        """The plan creates one key more."""
        self._creations += 1

    def created(self, key: str) -> None:
        """A planned creation was carried out, by this process."""
        self._creations = max(0, self._creations - 1)
        self._made.add(key)
        self.kept(key)

    def creation_dropped(self) -> None:
        """A planned creation was given up."""
        self._creations = max(0, self._creations - 1)

    def deleted(self, key: str) -> None:
        """This process has deleted the key."""
        self._fates.deleted(key)

    @property
    def listed_in_spite_of_deletion(self) -> bool:
        """Whether the list shows a key that this process has deleted."""
        return bool(self._listed & self._fates.deleted_keys)

    @property
    def creations(self) -> int:
        """How many planned creations have not been carried out."""
        return self._creations

    @property
    def existing(self) -> frozenset[str]:
        """The keys that exist, as far as is known: lists may lag behind this process."""
        return (self._listed | self._made) - self._fates.deleted_keys

    def verdict(self) -> Verdict:
        """Return what the events so far amount to."""
        existing, fates = self.existing, self._fates
        pending = (existing & fates.seen_keys) - fates.kept_keys - fates.freed_keys
        return Verdict(
            limit=self._limit,
            staying=existing - fates.freed_keys - pending,
            unseen=existing - fates.seen_keys,
            pending=pending,
            creations=self._creations,
        )
