"""The slots for keys of one user in one organization, as plans and applies share them.

Around the pure count of `key_budget` this adds what is not pure: the list of keys, the waiting, and
the order of creations. A plan asks whether it fits; an apply takes a slot for each creation, and
waits for one where a neighbour's deletion is still to come.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from crusoe_provider.api.errors import Interrupted
from crusoe_provider.providerserver.terraform import TerraformProcess
from crusoe_provider.tokens.in_flight import Activity
from crusoe_provider.tokens.quota_count import KeyBudget, Verdict

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account
    from crusoe_provider.api.models import StorageKey

logger = logging.getLogger(__name__)

# For how long no call has to come until a verdict counts. Most calls of a plan come within
# milliseconds of each other.
_QUIET_SECONDS: Final = 0.4
# A plan that is about to be refused for a key that no state has shown is worth more patience: what
# depends on a slow data source is loaded late. Other plugins can be slow for much longer than
# Terraform's own data source, terraform_remote_state.
_PATIENCE_SECONDS: Final = 2.0
_PATIENCE_WITH_OTHERS_SECONDS: Final = 10.0
# Longer than a slow deletion of a neighbour takes.
_PATIENCE_WITH_OTHERS_APPLYING_SECONDS: Final = 45.0
# How often the list is read while a creation waits for a slot that another process may free.
_LIST_SECONDS: Final = 2.0
# How long a token that is created waits for those beside it, before the list is read for all.
_NEIGHBOURS_SECONDS: Final = 1.0
# A list older than this says too little about what existed before a creation.
_RECENT_SECONDS: Final = 30.0


class Shortage(NamedTuple):
    """There are too few slots.

    Attributes:
        verdict: The count.
        keys: The user's keys, oldest first.
        ours: The access key IDs of those that this state has.
        waited: For how many seconds a slot was waited for.
        blocked: Whether the deletions of the same apply could not begin meanwhile, because
            Terraform had all its operations waiting like this one.
    """

    verdict: Verdict
    keys: "tuple[StorageKey, ...]"
    ours: frozenset[str]
    waited: float = 0.0
    blocked: bool = False


class NoFreeSlotError(Exception):
    """No slot came free in time."""

    def __init__(self, shortage: Shortage) -> None:
        super().__init__("no free slot")
        self.shortage = shortage


class KeySlots:
    """The slots of the caller in one organization.

    Args:
        account: The caller's account.
        organization_id: The organization.
        limit: How many keys the caller may have there; 0 for no check.
        activity: What else goes on in this process.
        terraform: The Terraform that has started this process.
        stop: Set when nothing new is to be started.
        monotonic: The clock.
    """

    def __init__(
        self,
        account: "Account",
        organization_id: str,
        *,
        limit: int,
        activity: Activity,
        terraform: TerraformProcess,
        stop: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._organization_id = organization_id
        self._limit = limit
        self._activity = activity
        self._terraform = terraform
        self._stop = stop
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._budget = KeyBudget(limit)
        self._keys: tuple[StorageKey, ...] = ()
        self._ours: set[str] = set()
        self._listed_at: float | None = None
        self._creating = False
        # Creations that are not done yet, those that wait for their turn or for a slot included.
        self._under_way = 0
        # Creations that wait for the verdict on a plan, and whether one was refused.
        self._deciding = 0
        self._refused = False

    # -- What the calls tell -------------------------------------------------------------------

    def seen(self, access_key_id: str) -> None:
        """A state that was loaded has this key."""
        with self._lock:
            self._ours.add(access_key_id)
            self._budget.seen(access_key_id)

    def kept(self, access_key_id: str) -> Shortage | None:
        """The plan keeps this key; returns the shortage that becomes certain by it, if one does.

        The creation that it collides with may have been let through when the key's fate was not
        known yet, so the order in which Terraform plans never matters. A creation that still waits
        for the verdict reports it itself.
        """
        with self._lock:
            self._budget.kept(access_key_id)
            fits = self._budget.verdict().fits
        self._activity.tell()
        if fits or self._terraform.may_be_applying():
            return None
        self._activity.wait_for_quiet(self._verdict_is_final, self._quiet_seconds)
        blind = self._may_block_terraform()
        with self._lock:
            reported = self._refused or self._deciding > 0
            return None if reported else self._shortage(blind=blind)

    def freed(self, access_key_id: str) -> None:
        """The plan deletes this key."""
        with self._lock:
            self._budget.freed(access_key_id)
        self._activity.tell()

    def created(self, access_key_id: str) -> None:
        """A creation of this process has made this key."""
        with self._lock:
            self._ours.add(access_key_id)
            self._budget.created(access_key_id)

    def deleted(self, access_key_id: str) -> None:
        """This process has deleted this key."""
        with self._lock:
            self._budget.deleted(access_key_id)
        self._activity.tell()

    # -- Plans ---------------------------------------------------------------------------------

    def plan_creation(self) -> Shortage | None:
        """Count one planned creation more; returns the shortage if the plan cannot be carried out.

        Where there is room this returns at once, and where there cannot be. Where the fate of
        other keys decides it waits until their plans have come, or until no call has come for a
        while.

        Raises:
            CrusoeError: The keys, or whose they are, could not be read.
        """
        if not self._limit:
            return None
        self._list(fresh=False)
        with self._lock:
            self._budget.creation_planned()
            has_room = len(self._budget.existing) + self._budget.creations <= self._limit
            self._deciding += 1
        self._activity.tell()
        # In an apply the plan was accepted, and what it frees may not have had its turn yet.
        decided = has_room or self._terraform.may_be_applying()
        if not decided:
            self._activity.wait_for_quiet(self._verdict_is_final, self._quiet_seconds)
        blind = not decided and self._may_block_terraform()
        with self._lock:
            self._deciding -= 1
            if decided:
                return None
            shortage = self._shortage(blind=blind)
            self._refused = self._refused or shortage is not None
        if shortage is None:
            self._terraform.note_reliance()
        return shortage

    def creation_dropped(self) -> None:
        """A planned creation was given up."""
        with self._lock:
            self._budget.creation_dropped()
        self._activity.tell()

    @contextmanager
    def planned_creation(self) -> Iterator[None]:
        """Carry out a planned creation in the body; it is given up if the body fails."""
        try:
            yield
        except BaseException:
            self.creation_dropped()
            raise

    def shortage(self) -> Shortage:
        """Return what there is, for a message."""
        with self._lock:
            return self._describe(self._budget.verdict())

    def full(self) -> bool:
        """Say whether no slot is free now.

        Raises:
            CrusoeError: The keys, or whose they are, could not be read.
        """
        if not self._limit:
            return False
        self._list(fresh=False)
        return not self._has_room()

    # -- Applies -------------------------------------------------------------------------------

    @contextmanager
    def slot(self, seconds: float) -> Iterator[frozenset[str]]:
        """Take a slot for a creation, one creation at a time; yields the keys there are already.

        Args:
            seconds: How long to wait for one.

        Raises:
            NoFreeSlotError: None came free in time.
            Interrupted: Terraform asked to stop meanwhile.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        started = self._monotonic()
        with self._counted():
            with self._activity.waiting():
                if not self._activity.wait(self._take_turn, seconds):
                    raise self._gave_up(started)
            try:
                with self._activity.waiting():
                    self._wait_for_room(started, started + seconds)
                with self._lock:
                    existing = self._budget.existing
                yield existing
            finally:
                with self._lock:
                    self._creating = False

    def wait_for_creations(self) -> None:
        """Let the neighbours finish, so that one list serves all; not those that have no slot."""
        self._activity.wait(
            lambda: not self._under_way or not self._has_room(), _NEIGHBOURS_SECONDS
        )

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
            self._activity.tell()

    def refused(self) -> bool:
        """Say, after the API has refused a creation, whether that is for want of a slot.

        The list tells, not the text of the refusal: another process may have been faster.

        Raises:
            CrusoeError: The list could not be read.
        """
        self._list(fresh=True)
        return not self._has_room()

    def _take_turn(self) -> bool:
        with self._lock:
            taken, self._creating = not self._creating, True
            return taken

    def _wait_for_room(self, started: float, ends: float) -> None:
        self._list(fresh=False)
        while not self._has_room():
            logger.info(
                "Both slots for keys are taken; waiting until one comes free",
                extra={"organization_id": self._organization_id},
            )
            # A deletion of this process is noticed at once, one of another by the next list.
            if not self._activity.wait(
                self._has_room, min(_LIST_SECONDS, ends - self._monotonic())
            ):
                self._list(fresh=True)
                waited = self._monotonic() - started
                blocked = not self._has_room() and self._nothing_else_can_run(waited)
                if self._stop.is_set() or blocked or self._monotonic() >= ends:
                    raise self._gave_up(started, blocked=blocked)

    def _nothing_else_can_run(self, waited: float) -> bool:
        """Say whether a deletion of this apply, if there is one to come, could not begin.

        Terraform runs so many operations at a time (-parallelism) and in any order. When all of
        them are creations that wait here, one has to make way; and after a while also when other
        plugins, those of other provider blocks for instance, may hold the rest.
        """
        waiting = self._activity.waiters
        if waited >= _PATIENCE_WITH_OTHERS_APPLYING_SECONDS:
            waiting += self._terraform.other_plugins()
        return waiting >= self._terraform.parallelism() and self._terraform.may_be_applying()

    def _gave_up(self, started: float, *, blocked: bool = False) -> Exception:
        if self._stop.is_set():
            return Interrupted("Terraform asked to stop while a slot for the key was waited for.")
        waited = self._monotonic() - started
        with self._lock:
            verdict = self._budget.verdict()
            shortage = self._describe(verdict)._replace(waited=waited, blocked=blocked)
            return NoFreeSlotError(shortage)

    def _has_room(self) -> bool:
        with self._lock:
            return not self._limit or len(self._budget.existing) < self._limit

    # -- The list ------------------------------------------------------------------------------

    def _list(self, *, fresh: bool) -> None:
        """Read the list unless the count is recent; what this process did since is known."""
        now = self._monotonic()
        if not fresh and self._listed_at is not None and now - self._listed_at < _RECENT_SECONDS:
            return
        self._account.expect_identity()
        keys = self._account.keys(self._organization_id, fresh=fresh)
        caller = self._account.identity().id
        mine = sorted((k for k in keys if k.user_id == caller), key=lambda k: k.created_at or "")
        with self._lock:
            self._keys = tuple(mine)
            self._listed_at = now
            self._budget.listed(key.access_key_id for key in mine)

    def _verdict_is_final(self) -> bool:
        with self._lock:
            verdict = self._budget.verdict()
        return verdict.hopeless or (verdict.fits and verdict.certain)

    def _quiet_seconds(self) -> float:
        with self._lock:
            verdict = self._budget.verdict()
        if verdict.fits:
            return _QUIET_SECONDS
        if self._may_block_terraform():
            return 0.0
        others = self._terraform.other_plugins()
        return _PATIENCE_WITH_OTHERS_SECONDS if others else _PATIENCE_SECONDS

    def _may_block_terraform(self) -> bool:
        """Say whether the calls that wait here may be all that Terraform runs at a time.

        Then no news can come before one of them returns. Other plugins may hold calls up as well.
        """
        waiting = max(self._activity.deciders, 1) + self._terraform.other_plugins()
        return waiting >= self._terraform.parallelism()

    def _shortage(self, *, blind: bool) -> Shortage | None:
        """Return the shortage; if `blind`, only one that no key not yet seen can turn round."""
        verdict = self._budget.verdict()
        if verdict.fits or (blind and not verdict.hopeless):
            return None
        return self._describe(verdict)

    def _describe(self, verdict: Verdict) -> Shortage:
        existing = self._budget.existing
        keys = tuple(key for key in self._keys if key.access_key_id in existing)
        return Shortage(verdict, keys, frozenset(self._ours))
