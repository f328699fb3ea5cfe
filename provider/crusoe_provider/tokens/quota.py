"""The quota: how many keys a user may have in an organization, for plans and for applies.

The one door to it. Around the pure count of `quota_count` this adds what is not pure: the list of
keys, the waiting, the order of creations, and whether Terraform plans or applies. A plan asks
whether a creation fits; an apply reserves a slot for each creation, and waits for one where the
deletion of another token is still to come. How a verdict is reached is in
`docs/development/key-limit.md`.

Longer than other files, because plans and applies share one count and one lock.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from crusoe_provider.api.errors import Interrupted
from crusoe_provider.tokens.errors import NoRoomToOpen, NoSlotCameFree, PlanExceedsQuota, Shortage
from crusoe_provider.tokens.quota_count import QuotaCount, Verdict
from crusoe_provider.tokens.tally import Owner, Tallies, Tally
from crusoe_provider.tokens.token import in_order

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account
    from crusoe_provider.tokens.in_flight import InFlightCalls
    from crusoe_provider.tokens.ownership import Ownership
    from crusoe_provider.tokens.terraform import Terraform

logger = logging.getLogger(__name__)

# For how long nothing has to happen until a verdict counts. Most calls of a plan come within
# milliseconds of each other.
_QUIET_SECONDS: Final = 0.4
# A plan that is about to be refused for a key that no state has shown is worth more patience: what
# depends on a slow data source is loaded late. Other plugins can be slow for much longer than
# Terraform's own data source, terraform_remote_state.
_PATIENCE_SECONDS: Final = 2.0
_PATIENCE_WITH_OTHERS_SECONDS: Final = 10.0
# However lively the others are, a verdict comes.
_LONGEST_DECISION_SECONDS: Final = 120.0
# In an apply, longer than a slow deletion of another plugin takes.
_PATIENCE_WITH_OTHERS_APPLYING_SECONDS: Final = 45.0
# In an apply without other plugins: what Terraform does between two calls takes less.
_IDLE_SECONDS: Final = 10.0
# How often the list is read while a creation waits for a slot that another process may free.
_LIST_SECONDS: Final = 2.0
# How long a token that is created waits for those beside it, before the list is read for all.
_NEIGHBOURS_SECONDS: Final = 1.0
# A list older than this says too little about what existed before a creation.
_RECENT_SECONDS: Final = 5.0
# A plan is a snapshot, and one of many users takes a while; see also `Account.keys`.
_SNAPSHOT_SECONDS: Final = 30.0


class Reservation:
    """A slot for one creation; see `Quota.reserve`."""

    def __init__(self, quota: "Quota", wait: Callable[[], frozenset[str]]) -> None:
        self._quota = quota
        self._wait = wait
        self.taken = False

    def wait(self) -> frozenset[str]:
        """Wait until a slot is free, and return the access key IDs of the keys there are.

        Raises:
            NoSlotCameFree: None came free in time.
            Interrupted: A stop was asked for meanwhile.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        return self._wait()

    def take(self, access_key_id: str) -> None:
        """Take note that the slot is taken by this key, which was just made."""
        self.taken = True
        self._quota._created(access_key_id)  # noqa: SLF001 - two halves of one thing

    def was_full(self) -> bool:
        """Say, after the API has refused a creation, whether that is for want of a slot.

        The list tells, not the text of the refusal: another process may have been faster.

        Raises:
            CrusoeError: The list could not be read.
        """
        return self._quota.is_full(fresh=True)


class Quota:
    """The quota of the caller in one organization. Safe under threads.

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

    # -- What Terraform shows ------------------------------------------------------------------

    def observe(self, access_key_id: str) -> None:
        """A state that was loaded has this key."""
        self._tallies.observe(access_key_id)

    def has_seen(self, access_key_id: str) -> bool:
        """Say whether a state that was loaded has this key."""
        with self._lock:
            return access_key_id in self._tallies.fates.seen_keys

    # -- Plans ---------------------------------------------------------------------------------

    def plan_creation(self) -> bool:
        """Count one planned creation more.

        Where there is room this returns at once, and where there cannot be. Where the fate of
        other keys decides it waits until their plans have come, or until nothing has happened for
        a while.

        Returns:
            Whether the limit could be checked. It cannot where Terraform runs so few operations at
            a time that the fate of other keys cannot be told before this call returns.

        Raises:
            PlanExceedsQuota: The plan cannot be carried out.
            OwnerUnknown: Whose the keys are cannot be told.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        if not self._checks_plans():
            return True
        self._list(fresh=False, recent=_SNAPSHOT_SECONDS)
        with self._lock:
            self._count.creation_planned()
            if len(self._count.existing) + self._count.creations <= self._limit:
                return True
            self._tally.deciding += 1
        self._calls.notify()
        try:
            self._wait_for_verdict(self._tally)
            blind = self._may_block_terraform()
            with self._lock:
                verdict = self._count.verdict()
                refused = not verdict.fits and (verdict.hopeless or not blind)
                self._tally.refused = self._tally.refused or refused
                if refused:
                    raise PlanExceedsQuota(self._shortage(verdict))
                return verdict.fits
        finally:
            with self._lock:
                self._tally.deciding -= 1

    def drop_planned_creation(self) -> None:
        """A planned creation was given up."""
        with self._lock:
            self._count.creation_dropped()
        self._calls.notify()

    def excuse(self, replaced: int) -> bool:
        """Say whether a rotation without certain room may be none, and is not to be counted yet.

        Before an object is replaced its update is planned, and with that a rotation that is due.

        Args:
            replaced: How many objects of this kind the command is told to replace.

        Raises:
            OwnerUnknown: Whose the keys are cannot be told.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        if not replaced or not self._checks_plans():
            return False
        self._list(fresh=False, recent=_SNAPSHOT_SECONDS)
        with self._lock:
            room = len(self._count.existing) + self._count.creations < self._limit
            excused = not room and self._tallies.successors < replaced
            self._tally.excused += excused
        return excused

    def plan_successor(self, replaced: int, *, counted: bool, excused: bool) -> None:
        """Take note of the second half of a replacement; the creation of it is counted by itself.

        Args:
            replaced: How many objects of this kind the command is told to replace.
            counted: Whether the first half counted a creation, which now is none.
            excused: Whether it was excused from that.
        """
        with self._lock:
            if counted:
                self._count.creation_dropped()
            if excused:
                self._tally.excused = max(0, self._tally.excused - 1)
            self._tallies.successors += 1
            if self._tallies.successors >= replaced:
                # Those that are left will be carried out.
                self._tallies.judge_excused()
        self._calls.notify()

    def plan_keep(self, access_key_id: str) -> None:
        """The plan keeps this key.

        The creation that it collides with may have been let through when the key's fate was not
        known yet, so the order in which Terraform plans never matters. A creation that still waits
        for the verdict reports the shortage itself.

        Raises:
            PlanExceedsQuota: It is certain by this that the plan cannot be carried out.
        """
        with self._lock:
            self._count.kept(access_key_id)
            # Another session may have counted it: one of the same user, under another API key.
            tally = self._tallies.with_key(access_key_id) or self._tally
            fits = tally.count.verdict().fits
        self._calls.notify()
        if fits or not self._checks_plans():
            return
        self._wait_for_verdict(tally)
        blind = self._may_block_terraform()
        with self._lock:
            verdict = tally.count.verdict()
            if verdict.fits or (blind and not verdict.hopeless):
                return
            if not tally.refused and not tally.deciding:
                raise PlanExceedsQuota(self._shortage(verdict, tally))

    def shortage_of_another(self) -> Shortage | None:
        """Return the evidence if this plan, as far as it is known, leaves room for no other key.

        What Terraform plans beside is waited for until nothing has happened for a while.
        """
        if not self._checks_plans():
            return None
        if not self._may_block_terraform():
            with self._calls.waiting():
                self._calls.wait(
                    self._leaves_no_room,
                    at_most=_LONGEST_DECISION_SECONDS,
                    quiet=lambda: _QUIET_SECONDS,
                    party=self._party,
                )
        with self._lock:
            verdict = self._count.verdict()
            return self._shortage(verdict) if verdict.needed >= self._limit else None

    def _leaves_no_room(self) -> bool:
        with self._lock:
            return self._count.verdict().needed >= self._limit

    def plan_release(self, access_key_id: str) -> None:
        """The plan deletes this key."""
        with self._lock:
            self._count.freed(access_key_id)
        self._calls.notify()

    def is_full(self, *, fresh: bool = False) -> bool:
        """Say whether no slot is free now; `fresh` asks the API in any case.

        Raises:
            OwnerUnknown: Whose the keys are cannot be told.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        if not self._limit:
            return False
        self._list(fresh=fresh, recent=_SNAPSHOT_SECONDS)
        return not self._has_room()

    def is_still_full(self) -> bool:
        """Say whether no slot is free; a key that was revoked a moment ago does not count.

        Raises:
            OwnerUnknown: Whose the keys are cannot be told.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        return self.is_full() and self.is_full(fresh=True)

    def open(self) -> None:
        """Check that an ephemeral token has room, as `plan_creation`; nothing comes free for it.

        Raises:
            NoRoomToOpen: All slots are taken, or the plan as a whole cannot be carried out.
            CrusoeError: The keys, or whose they are, could not be read.
        """
        if self._checks_plans():
            self._list(fresh=False)
        with self._lock:
            self._tally.opening += 1
        if self._checks_plans() and self.is_still_full():
            with self._lock:
                raise NoRoomToOpen(self._shortage(self._count.verdict()))
        try:
            self.plan_creation()
        except PlanExceedsQuota as error:
            self.drop_planned_creation()
            raise NoRoomToOpen(error.shortage) from error

    def _checks_plans(self) -> bool:
        # In an apply the plan was accepted, and what it frees may not have had its turn yet. A
        # command that only destroys or refreshes has nothing to be refused for.
        return bool(
            self._limit and self._terraform.is_planning() and not self._terraform.creates_nothing()
        )

    def _wait_for_verdict(self, tally: Tally) -> None:
        with self._calls.waiting():
            self._calls.wait(
                lambda: self._verdict_is_final(tally),
                at_most=_LONGEST_DECISION_SECONDS,
                quiet=lambda: self._patience(tally),
                party=self._party,
            )

    def _verdict_is_final(self, tally: Tally) -> bool:
        with self._lock:
            verdict = tally.count.verdict()
        return verdict.hopeless or (verdict.fits and verdict.certain)

    def _patience(self, tally: Tally) -> float:
        with self._lock:
            verdict = tally.count.verdict()
        if verdict.fits:
            return _QUIET_SECONDS
        if self._may_block_terraform():
            return 0.0
        others = self._terraform.other_plugins() or self._calls.others_are_slow(self._party)
        return _PATIENCE_WITH_OTHERS_SECONDS if others else _PATIENCE_SECONDS

    def _may_block_terraform(self) -> bool:
        """Say whether the calls that wait here may be all that Terraform runs at a time.

        Then no news can come before one of them returns. Other plugins may hold calls up as well.
        """
        waiting = max(self._calls.waiters, 1) + self._terraform.other_plugins()
        return waiting >= self._terraform.parallelism()

    # -- Applies -------------------------------------------------------------------------------

    @contextmanager
    def reserve(
        self,
        seconds: float,
        *,
        patient: bool = False,
        make_room: Callable[[], bool] | None = None,
    ) -> Iterator[Reservation]:
        """Take a slot for a creation, one creation at a time.

        A planned creation that does not take its slot counts as given up.

        Args:
            seconds: How long to wait for a slot, and for the turn.
            patient: Wait so long even if nothing in this apply can free a slot any more.
            make_room: Frees a slot, and says whether it could; called before any waiting where no
                slot is certainly free.

        Raises:
            NoSlotCameFree: The turn did not come in time.
            Interrupted: A stop was asked for meanwhile.
        """
        started = self._monotonic()
        ends = started + seconds
        self._join(self._account.identity().id)
        with self._counted():
            with self._calls.waiting():
                if not self._calls.wait(self._take_turn, at_most=seconds):
                    raise self._gave_up(started)

            def wait() -> frozenset[str]:
                self._list(fresh=False)
                while make_room and not self._certainly_has_room() and make_room():
                    pass
                return self._wait_for_room(started, ends, patient)

            reservation = Reservation(self, wait)
            try:
                yield reservation
            finally:
                with self._lock:
                    self._tally.creating = False
                if not reservation.taken:
                    self.drop_planned_creation()

    def release(self, access_key_id: str) -> None:
        """This process has deleted this key."""
        with self._lock:
            self._count.deleted(access_key_id)
            self._tally.borrowed.discard(access_key_id)
        self._calls.notify()

    def borrow(self, access_key_id: str) -> None:
        """This key is an ephemeral token of this run."""
        with self._lock:
            self._tally.opening = max(0, self._tally.opening - 1)
            self._tally.borrowed.add(access_key_id)

    def wait_for_creations(self) -> None:
        """Let the creations beside this one finish, so that one list serves all.

        Not those that have no slot.
        """
        with self._calls.waiting():
            self._calls.wait(
                lambda: not self._tally.under_way or not self._has_room(),
                at_most=_NEIGHBOURS_SECONDS,
            )

    def _created(self, access_key_id: str) -> None:
        with self._lock:
            self._count.created(access_key_id)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._tally.under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._tally.under_way -= 1
            self._calls.notify()

    def _take_turn(self) -> bool:
        with self._lock:
            taken, self._tally.creating = not self._tally.creating, True
            return taken

    def _wait_for_room(self, started: float, ends: float, patient: bool) -> frozenset[str]:
        with self._calls.waiting():
            while not self._has_room():
                logger.info(
                    "All slots for keys are taken; waiting until one comes free",
                    extra={"organization_id": self._organization_id},
                )
                # A deletion of this process is noticed at once, one of another by the next list.
                left = min(_LIST_SECONDS, ends - self._monotonic())
                if self._calls.wait(self._has_room, at_most=left):
                    break
                self._list(fresh=True)
                waited = self._monotonic() - started
                blocked = not self._has_room() and self._nothing_else_can_run(waited)
                over = self._stop.is_set() or self._monotonic() >= ends
                if blocked or over:
                    raise self._gave_up(started, blocked=blocked)
                if not patient and self._waits_in_vain():
                    raise self._gave_up(started, idle=True)
        with self._lock:
            return self._count.existing

    def _waits_in_vain(self) -> bool:
        """Say whether nothing in this apply seems to free a slot any more.

        Deletions that do not depend on this creation have had their turn when nothing has happened
        for a while. One that does depend on it, with create_before_destroy for instance, which
        Terraform tells no provider of, never comes.
        """
        others = self._terraform.other_plugins()
        patience = _PATIENCE_WITH_OTHERS_APPLYING_SECONDS if others else _IDLE_SECONDS
        return not self._has_room() and self._calls.quiet_seconds(self._party) >= patience

    def _nothing_else_can_run(self, waited: float) -> bool:
        """Say whether a deletion of this apply, if there is one to come, could not begin.

        Terraform runs so many operations at a time (-parallelism) and in any order. When all of
        them are creations that wait here, one has to make way; and after a while also when other
        plugins, those of other provider blocks for instance, may hold the rest.
        """
        waiting = self._calls.waiters
        if waited >= _PATIENCE_WITH_OTHERS_APPLYING_SECONDS:
            waiting += self._terraform.other_plugins()
        return waiting >= self._terraform.parallelism() and not self._terraform.is_planning()

    def _gave_up(
        self, started: float, *, blocked: bool = False, idle: bool = False
    ) -> NoSlotCameFree | Interrupted:
        if self._stop.is_set():
            return Interrupted("A slot for the key was still waited for, and nothing was sent.")
        with self._lock:
            shortage = self._shortage(self._count.verdict())
        waited = self._monotonic() - started
        return NoSlotCameFree(shortage, waited=waited, blocked=blocked, idle=idle)

    # -- The count -----------------------------------------------------------------------------

    def _list(self, *, fresh: bool, recent: float = _RECENT_SECONDS) -> None:
        """Read the list unless the count is recent; what this process did since is known."""
        now, listed_at = self._monotonic(), self._tally.listed_at
        if not fresh and listed_at is not None and now - listed_at < recent:
            return
        self._account.expect_identity()
        keys = self._account.keys(self._organization_id, fresh=fresh or listed_at is not None)
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
