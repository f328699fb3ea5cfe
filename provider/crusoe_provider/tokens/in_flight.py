"""What is going on in this process, so that a decision can wait until nothing more comes."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# Waits cannot listen to the stop signal and to news at once; this is how late they hear of a stop.
_STOP_CHECK_SECONDS: Final = 0.2


class Activity:
    """Counts the token calls under way, and wakes those who wait for news.

    Args:
        stop: Ends every wait.
        monotonic: The clock.
    """

    def __init__(
        self, stop: threading.Event, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop = stop
        self._monotonic = monotonic
        self._news = threading.Condition()  # of a lock that its holder may take again
        self._calls = 0
        self._waiting = 0
        self._deciding = 0
        self._last_news = monotonic()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count the body as a call that may bring news."""
        self._change(+1)
        try:
            yield
        finally:
            self._change(-1)

    def tell(self) -> None:
        """Wake those who wait: something has changed."""
        self._change(0)

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done`, at most for `seconds`; a stop ends it early.

        Args:
            done: Asked after every piece of news; it must not call `tell`.
            seconds: How long to wait at most.

        Returns:
            What `done` said last.
        """
        ends = self._monotonic() + seconds
        return self._wait(done, lambda: ends)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the body among those that wait for others to do something."""
        with self._news:
            self._waiting += 1
        try:
            yield
        finally:
            with self._news:
                self._waiting -= 1

    @property
    def waiters(self) -> int:
        """How many wait for others to do something."""
        with self._news:
            return self._waiting

    def wait_for_quiet(self, done: Callable[[], bool], quiet: Callable[[], float]) -> bool:
        """Wait, within a call, until `done` or until nothing has happened for `quiet()` seconds.

        A call that is still at work may bring news, so it is waited for; others that wait here
        themselves do not count. A stop ends it early. Returns what `done` said last.
        """
        self._change(-1)
        with self._news:
            self._deciding += 1
        try:
            return self._wait(done, lambda: math.inf if self._calls else self._last_news + quiet())
        finally:
            with self._news:
                self._deciding -= 1
            self._change(+1)

    @property
    def deciders(self) -> int:
        """How many calls wait for quiet."""
        with self._news:
            return self._deciding

    def _wait(self, done: Callable[[], bool], ends: Callable[[], float]) -> bool:
        with self._news:
            while not (finished := done()) and not self._stop.is_set():
                remaining = ends() - self._monotonic()
                if remaining <= 0:
                    break
                self._news.wait(min(remaining, _STOP_CHECK_SECONDS))
            return finished

    def _change(self, calls: int) -> None:
        with self._news:
            self._calls += calls
            self._last_news = self._monotonic()
            self._news.notify_all()
