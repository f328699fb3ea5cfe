"""The quota in an apply: a slot for each creation.

Creations take turns. One that finds no slot waits for a deletion, of this apply or from elsewhere,
and gives up where none can come.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from crusoe_provider.api.errors import Interrupted
from crusoe_provider.tokens.errors import NoSlotCameFree, OwnerUnknown
from crusoe_provider.tokens.quota_keys import QuotaKeys

logger = logging.getLogger(__name__)

# In an apply, longer than a slow deletion of another plugin takes.
_PATIENCE_WITH_OTHERS_APPLYING_SECONDS: Final = 45.0
# In an apply without other plugins: what Terraform does between two calls takes less.
_IDLE_SECONDS: Final = 10.0
# How often the list is read while a creation waits for a slot that another process may free.
_LIST_SECONDS: Final = 2.0
# How long a token that is created waits for those beside it, before the list is read for all.
_NEIGHBOURS_SECONDS: Final = 1.0


class Reservation:
    """A slot for one creation; see `SlotQuota.reserve`.

    Attributes:
        taken: Whether a key has taken it.
        counted: Whether the caller's keys could be told from those of others, and were counted.
    """

    def __init__(self, slots: "SlotQuota", wait: Callable[[], frozenset[str]]) -> None:
        self._slots = slots
        self._wait = wait
        self.taken = False
        self.counted = True

    def wait(self) -> frozenset[str]:
        """Wait until a slot is free, and return the access key IDs of the keys there are.

        Raises:
            NoSlotCameFree: None came free in time.
            Interrupted: A stop was asked for meanwhile.
            CrusoeError: The keys, or who the caller is, could not be read.
        """
        return self._wait()

    def take(self, access_key_id: str) -> None:
        """Take note that the slot is taken by this key, which was just made."""
        self.taken = True
        self._slots._created(access_key_id)  # noqa: SLF001 - two halves of one thing

    def was_full(self) -> bool:
        """Say, after the API has refused a creation, whether that is for want of a slot.

        The list tells, not the text of the refusal: another process may have been faster.

        Raises:
            CrusoeError: The list could not be read.
        """
        try:
            return self._slots.is_full(fresh=True)
        except OwnerUnknown:
            return False  # then the refusal says all that is known

    def awaits_deletion(self) -> bool:
        """Say whether the last list shows a key that this process has deleted.

        The API may count it, too.
        """
        return self._slots._lists_deleted()  # noqa: SLF001 - see take


class SlotQuota(QuotaKeys):
    """What an apply asks of the quota, and tells it."""

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
                try:
                    self._list(fresh=False)
                except OwnerUnknown:
                    reservation.counted = False
                    return self._without_count(make_room)
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

    def _lists_deleted(self) -> bool:
        with self._lock:
            return self._count.listed_in_spite_of_deletion

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
                    extra={
                        "organization_id": self._organization_id,
                        "user_id": self._account.identity().id,
                    },
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

    def _without_count(self, make_room: Callable[[], bool] | None) -> frozenset[str]:
        """Return the keys there are, whoever they are of: the API says whether there is room."""
        if make_room:
            make_room()
        keys = self._account.keys(self._organization_id)
        return frozenset(key.access_key_id for key in keys) | self._existing()

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
