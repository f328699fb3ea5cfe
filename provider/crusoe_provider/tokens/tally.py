"""The tallies of one process: what is counted, one for each user and organization.

A user can be known under several credentials: two API keys are two sessions and one quota. Who the
user is takes a question to the API, which only those ask who create something. So a session counts
for itself until it has asked, and from then on with all others of that user. Nothing is lost by
that: creations are counted by those who have asked, and everything else is noted by key; see
`quota_count.KeyFates`.
"""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from crusoe_provider.tokens.quota_count import KeyFates, QuotaCount

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey


class Owner(NamedTuple):
    """A user in an organization.

    Attributes:
        origin: The scheme, host and port of the API that knows the user.
        user_id: The user.
        organization_id: The organization.
    """

    origin: str
    user_id: str
    organization_id: str


@dataclass(eq=False)
class Tally:
    """What is counted of one user in one organization.

    Attributes:
        count: The count.
        keys: The user's keys as the last list showed them.
        listed_at: When that was; `None` if there was none.
        borrowed: The access key IDs of ephemeral tokens of this run.
        opening: Ephemeral tokens that have asked for a slot and are not borrowed yet.
        creating: Whether a creation has its turn.
        under_way: Creations that are not done yet, those that wait for their turn or for a slot
            included.
        deciding: Creations that wait for the verdict on a plan.
        refused: Whether one was refused.
        excused: Rotations without room that may be the first halves of replacements.
    """

    count: QuotaCount
    keys: "tuple[StorageKey, ...]" = ()
    listed_at: float | None = None
    borrowed: set[str] = field(default_factory=set)
    opening: int = 0
    creating: bool = False
    under_way: int = 0
    deciding: int = 0
    refused: bool = False
    excused: int = 0


class Tallies:
    """All tallies of a process.

    Attributes:
        lock: Is held by whoever reads or changes a tally, or what is known of keys.
        fates: What is known of keys.
        successors: How many replacements have come to their second half.
        open_keys: Keys that the plan keeps, unless their objects turn out to be replaced.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.fates = KeyFates()
        self.successors = 0
        self.open_keys: set[str] = set()
        self._of: dict[Owner, Tally] = {}

    def new(self, limit: int) -> Tally:
        """Return a tally of somebody who is not known yet."""
        return Tally(QuotaCount(limit, self.fates))

    def joined(self, tally: Tally, owner: Owner) -> Tally:
        """Return the tally of a user; `tally`, if it is the first one. The lock is held."""
        return self._of.setdefault(owner, tally)

    def judge_excused(self) -> None:
        """Count what was excused, or left open, after all. The lock is held."""
        for key in self.open_keys - self.fates.freed_keys:
            self.fates.kept(key)
        self.open_keys.clear()
        for tally in self._of.values():
            for _ in range(tally.excused):
                tally.count.creation_planned()
            tally.excused = 0

    def with_key(self, access_key_id: str) -> Tally | None:
        """Return the tally in which a key counts, as far as is known. The lock is held."""
        return next((t for t in self._of.values() if access_key_id in t.count.existing), None)

    def observe(self, access_key_id: str) -> None:
        """A state that was loaded has this key."""
        with self.lock:
            self.fates.seen(access_key_id)
