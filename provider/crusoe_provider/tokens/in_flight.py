"""The calls that Terraform has in flight with this process, and waiting for what they bring."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

# A wait cannot listen to the stop signal and to notifications at once; this is how late it hears
# of a stop.
_STOP_CHECK_SECONDS: Final = 0.2
# A call of another user that works for longer waits for an API that does not answer. No news is to
# be expected of it soon.
_SLOW_SECONDS: Final = 2.0


@dataclass(eq=False)
class _Call:
    began: float
    party: object | None = None
    waits: bool = False


class InFlightCalls:
    """Counts calls in flight, and wakes those of them that wait for others.

    What is passed to a wait is called without any lock held, so it may do what it likes.

    Args:
        stop: Ends every wait.
        monotonic: The clock, in seconds.
    """

    def __init__(
        self, stop: threading.Event, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop = stop
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._changes = 0
        self._changed_at = monotonic()
        self._calls = 0
        self._waiting = 0
        self._open: set[_Call] = set()
        self._here = threading.local()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count the body as a call in flight."""
        here, outer = _Call(self._monotonic()), getattr(self._here, "call", None)
        with self._changed:
            self._open.add(here)
        self._here.call = here
        self._change(calls=+1)
        try:
            yield
        finally:
            self._here.call = outer
            with self._changed:
                self._open.discard(here)
            self._change(calls=-1)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the body, part of a call, as waiting for others to do something."""
        self._mark(waits=True)
        self._change(waiting=+1)
        try:
            yield
        finally:
            self._mark(waits=False)
            self._change(waiting=-1)

    def belongs_to(self, party: object) -> None:
        """Take note of whom the call of this thread is for."""
        here: _Call | None = getattr(self._here, "call", None)
        if here is not None:
            with self._changed:
                here.party = party

    def _mark(self, *, waits: bool) -> None:
        here: _Call | None = getattr(self._here, "call", None)
        if here is not None:
            with self._changed:
                here.waits = waits

    def notify(self) -> None:
        """Wake those who wait: something has changed."""
        self._change()

    @property
    def waiters(self) -> int:
        """How many calls wait for others."""
        with self._changed:
            return self._waiting

    def quiet_seconds(self, party: object | None = None) -> float:
        """Return for how long nothing has happened; 0 while a call does not wait but works.

        Args:
            party: Who asks. Slow calls of others do not count for them.
        """
        with self._changed:
            if self._calls - len(self._slow(party)) > self._waiting:
                return 0.0
            return self._monotonic() - self._changed_at

    def others_are_slow(self, party: object) -> bool:
        """Say whether a call that is not of `party` has worked for long."""
        with self._changed:
            return bool(self._slow(party))

    def _slow(self, party: object | None) -> list[_Call]:
        if party is None:
            return []
        before = self._monotonic() - _SLOW_SECONDS
        return [
            call
            for call in self._open
            if call.party not in {None, party} and not call.waits and call.began < before
        ]

    def wait(
        self,
        done: Callable[[], bool],
        *,
        at_most: float,
        quiet: Callable[[], float] | None = None,
        party: object | None = None,
    ) -> bool:
        """Wait until `done`; a stop ends it early. Belongs into the body of `waiting`.

        Args:
            done: Asked after every change.
            at_most: After how many seconds to give up, whatever the others do.
            quiet: Give up when nothing has happened for so many seconds; default: do not.
            party: Who waits; see `quiet_seconds`.

        Returns:
            What `done` said last.
        """
        ends = self._monotonic() + at_most
        while True:
            with self._changed:
                seen = self._changes
            if done():
                return True
            left = ends - self._monotonic()
            if quiet is not None:
                left = min(left, quiet() - self.quiet_seconds(party))
            if left <= 0 or self._stop.is_set():
                return done()
            self._wait_for_change(seen, min(left, _STOP_CHECK_SECONDS))

    def _wait_for_change(self, seen: int, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, seconds)

    def _change(self, *, calls: int = 0, waiting: int = 0) -> None:
        with self._changed:
            self._changed_at = self._monotonic()
            self._calls += calls
            self._waiting += waiting
            self._changes += 1
            self._changed.notify_all()
