"""The calls that Terraform has in flight with this process, and waiting for what they bring."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# A wait cannot listen to the stop signal and to notifications at once; this is how late it hears
# of a stop.
_STOP_CHECK_SECONDS: Final = 0.2


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

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count the body as a call in flight."""
        self._change(calls=+1)
        try:
            yield
        finally:
            self._change(calls=-1)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the body, part of a call, as waiting for others to do something."""
        self._change(waiting=+1)
        try:
            yield
        finally:
            self._change(waiting=-1)

    def notify(self) -> None:
        """Wake those who wait: something has changed."""
        self._change()

    @property
    def waiters(self) -> int:
        """How many calls wait for others."""
        with self._changed:
            return self._waiting

    def quiet_seconds(self) -> float:
        """Return for how long nothing has happened; 0 while a call does not wait but works."""
        with self._changed:
            if self._calls > self._waiting:
                return 0.0
            return self._monotonic() - self._changed_at

    def wait(
        self,
        done: Callable[[], bool],
        *,
        at_most: float,
        quiet: Callable[[], float] | None = None,
    ) -> bool:
        """Wait until `done`; a stop ends it early. Belongs into the body of `waiting`.

        Args:
            done: Asked after every change.
            at_most: After how many seconds to give up, whatever the others do.
            quiet: Give up when nothing has happened for so many seconds; default: do not.

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
                left = min(left, quiet() - self.quiet_seconds())
            if left <= 0 or self._stop.is_set():
                return done()
            self._wait_for_change(seen, min(left, _STOP_CHECK_SECONDS))

    def _wait_for_change(self, seen: int, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, seconds)

    def _change(self, *, calls: int = 0, waiting: int = 0) -> None:
        with self._changed:
            # A call that begins or ends to wait while all others wait is no news to them.
            if calls or not waiting or self._calls > self._waiting:
                self._changed_at = self._monotonic()
            self._calls += calls
            self._waiting += waiting
            self._changes += 1
            self._changed.notify_all()
