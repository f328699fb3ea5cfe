"""What the quota knows of the caller's keys in one organization: listed, and counted.

Around the pure count of `quota_count` this adds what both plans and applies need: the list, whose
the keys are, and that all sessions of one user count together. `quota_plans` and `quota_slots`
stand on it.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from crusoe_provider.tokens.errors import OwnerUnknown, Shortage
from crusoe_provider.tokens.quota_count import QuotaCount, Verdict
from crusoe_provider.tokens.tally import Owner, Tallies, Tally
from crusoe_provider.tokens.token import in_order

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account
    from crusoe_provider.tokens.in_flight import InFlightCalls
    from crusoe_provider.tokens.ownership import Ownership
    from crusoe_provider.tokens.terraform import Terraform

# A list older than this says too little about what existed before a creation.
_RECENT_SECONDS: Final = 5.0
# A plan is a snapshot, and one of many users takes a while; see also `Account.keys`.
SNAPSHOT_SECONDS: Final = 30.0


class QuotaKeys:
    """The caller's keys in one organization. Safe under threads.

    Args:
        account: The caller's account.
        organization_id: The organization.
        limit: How many keys the caller may have there; 0 for no check.
        ownership: Tells the caller's keys from those of others.
        calls: What else is in flight in this process.
        terraform: The Terraform that has started this process.
        stop: Set when nothing new is to be started.
        tallies: What is counted in this process; shared by all who may be the same user.
        origin: The scheme, host and port of the API.
        party: Who counts; calls of others are not waited for where they are slow.
        monotonic: The clock, in seconds.
    """

    def __init__(
        self,
        account: "Account",
        organization_id: str,
        *,
        limit: int,
        ownership: "Ownership",
        calls: "InFlightCalls",
        terraform: "Terraform",
        stop: threading.Event,
        tallies: Tallies | None = None,
        origin: str = "",
        party: object | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._organization_id = organization_id
        self._limit = limit
        self._ownership = ownership
        self._calls = calls
        self._terraform = terraform
        self._stop = stop
        self._monotonic = monotonic
        self._origin = origin
        self._party = party
        self._tallies = tallies or Tallies()
        self._lock = self._tallies.lock
        self._tally = self._tallies.new(limit)

    @property
    def _count(self) -> QuotaCount:
        return self._tally.count

    def observe(self, access_key_id: str) -> None:
        """A state that was loaded has this key."""
        self._tallies.observe(access_key_id)

    def has_seen(self, access_key_id: str) -> bool:
        """Say whether a state that was loaded has this key."""
        with self._lock:
            return access_key_id in self._tallies.fates.seen_keys

    def drop_planned_creation(self) -> None:
        """A planned creation was given up."""
        with self._lock:
            self._count.creation_dropped()
        self._calls.notify()

    def is_full(self, *, fresh: bool = False) -> bool:
        """Say whether no slot is free now; `fresh` asks the API in any case.

        Raises:
            OwnerUnknown: Whose the keys are cannot be told.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        if not self._limit:
            return False
        self._list(fresh=fresh, recent=SNAPSHOT_SECONDS)
        return not self._has_room()

    def is_still_full(self) -> bool:
        """Say whether no slot is free, certainly; a key that was revoked a moment ago counts not.

        Raises:
            CrusoeError: The keys, or who the caller is, could not be read.
        """
        try:
            return self.is_full() and self.is_full(fresh=True)
        except OwnerUnknown:
            return False

    def _list(self, *, fresh: bool, recent: float = _RECENT_SECONDS) -> None:
        """Read the list unless the count is recent; what this process did since is known."""
        now, listed_at = self._monotonic(), self._tally.listed_at
        if not fresh and listed_at is not None and now - listed_at < recent:
            return
        self._account.expect_identity()
        fresh = fresh or listed_at is not None
        # What others in this process have read may be older than is recent here.
        keys = self._account.keys(self._organization_id, fresh=fresh, recent=recent)
        caller = self._account.identity()
        mine = in_order(self._ownership.mine(keys, caller))
        self._join(caller.id)
        with self._lock:
            self._tally.keys = tuple(mine)
            self._tally.listed_at = now
            self._count.listed(key.access_key_id for key in mine)

    def _join(self, user_id: str) -> None:
        """Count with all others of this user from now on."""
        owner = Owner(self._origin, user_id, self._organization_id)
        with self._lock:
            self._tally = self._tallies.joined(self._tally, owner)

    def _existing(self) -> frozenset[str]:
        with self._lock:
            return self._count.existing

    def _has_room(self) -> bool:
        return not self._limit or len(self._existing()) < self._limit

    def _certainly_has_room(self) -> bool:
        return bool(self._limit) and self._has_room()

    def _shortage(self, verdict: Verdict, tally: Tally | None = None) -> Shortage:
        tally = tally or self._tally
        existing = tally.count.existing
        return Shortage(
            limit=self._limit,
            keys=tuple(key for key in tally.keys if key.access_key_id in existing),
            seen=frozenset(self._tallies.fates.seen_keys),
            borrowed=frozenset(tally.borrowed),
            opening=tally.opening,
            verdict=verdict,
            unmanaged_known=self._terraform.loads_whole_state(),
        )
