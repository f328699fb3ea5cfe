"""The quota in a plan: does what is planned fit?

A plan asks for each creation, and tells of each key that it keeps or deletes, in whatever order
Terraform's calls come. Where their order would decide, this waits for the rest. How a verdict is
reached is in `docs/development/key-limit.md`.
"""

from typing import Final

from crusoe_provider.tokens.errors import NoRoomToOpen, OwnerUnknown, PlanExceedsQuota, Shortage
from crusoe_provider.tokens.quota_keys import SNAPSHOT_SECONDS, QuotaKeys
from crusoe_provider.tokens.tally import Tally

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


class PlanQuota(QuotaKeys):
    """What a plan asks of the quota, and tells it."""

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
        self._list(fresh=False, recent=SNAPSHOT_SECONDS)
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
        self._list(fresh=False, recent=SNAPSHOT_SECONDS)
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

    def plan_keep_second(self, access_key_id: str, replaced: int) -> None:
        """The plan keeps this key, the second of an object that has two.

        Where something is replaced it may be that object, which then gives up both. With the one it
        might have no room even for that. What is replaced has to come here: it may belong to
        another provider block, or not be planned at all.

        Args:
            access_key_id: The key.
            replaced: How many objects of this kind the command is told to replace.

        Raises:
            PlanExceedsQuota: See `plan_keep`.
        """
        comes_here = bool(replaced) and self._terraform.loads_whole_state()
        with self._lock:
            may_go = comes_here and self._tallies.successors < replaced
            if may_go:
                self._tallies.open_keys.add(access_key_id)
        if not may_go:
            self.plan_keep(access_key_id)

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

    def leans_on(self) -> frozenset[str]:
        """Return the keys without whose end this plan does not fit, and of which nothing is known.

        A tainted token is one, and one that is only forgotten: Terraform says no word about either.
        Where so few calls come at a time that the word may still come, nothing is said.
        """
        if not self._checks_plans() or self._may_block_terraform():
            return frozenset()
        with self._lock:
            verdict = self._count.verdict()
        return verdict.pending if verdict.fits and not verdict.certain else frozenset()

    def plan_release(self, access_key_id: str) -> None:
        """The plan deletes this key."""
        with self._lock:
            self._count.freed(access_key_id)
        self._calls.notify()

    def open(self) -> None:
        """Check that an ephemeral token has room, as `plan_creation`; nothing comes free for it.

        Raises:
            NoRoomToOpen: All slots are taken, or the plan as a whole cannot be carried out.
            CrusoeError: The keys, or who the caller is, could not be read.
        """
        if self._checks_plans():
            try:
                self._list(fresh=False)
            except OwnerUnknown:
                return  # the API says whether there is room
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
