"""When this process ends, and what must be finished before.

Terraform ends a plugin with the RPC `GRPCController.Shutdown` and kills it two seconds later. When
Terraform itself is killed nobody sends anything, but the other end of our standard output closes.
A terminal's Ctrl-C reaches the whole process group: Terraform hears it too and decides, so it is
ignored here, as go-plugin servers do. SIGTERM, which a service manager sends to every process, is
taken as Terraform's own wish to stop: calls under way finish, and Terraform still gets answers.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Only where a system does not report the closed pipe: how often to look whether the parent lives.
_PARENT_CHECK_MS: Final = 1000
_CLOSED: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Lifetime:
    """The life of the plugin process.

    Args:
        stop: Set when nothing new is to be started; the provider's waits end with it.
        output: File descriptor of the pipe to Terraform.

    Attributes:
        stop: See above.
        gone_at: When Terraform was found to be gone without a word, on the monotonic clock; `None`
            if it was not.
    """

    def __init__(self, stop: threading.Event, output: int) -> None:
        self.stop = stop
        self._output = output
        self._parent = os.getppid()
        self._over = threading.Event()
        self.gone_at: float | None = None
        self._wake_reader, self._wake_writer = os.pipe()
        self._calls = 0
        self._idle = threading.Condition()

    def handle_signals(self) -> None:
        """Let Ctrl-C be Terraform's business and SIGTERM ask for an end; main thread only."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda _number, _frame: self.stop.set())

    @contextmanager
    def call(self) -> Iterator[None]:
        """Keep the process alive while the body runs."""
        with self._idle:
            self._calls += 1
        try:
            yield
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def end(self) -> None:
        """End the process once the calls under way are done."""
        self.stop.set()
        self._over.set()
        os.write(self._wake_writer, b".")

    def wait_for_end(self) -> None:
        """Return when `end` was called, or Terraform is gone."""
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        # No event is asked for: a closed pipe is reported all the same.
        poll.register(self._output, 0)
        while not self._over.is_set():
            events = dict(poll.poll(_PARENT_CHECK_MS))
            if events.get(self._output, 0) & _CLOSED or os.getppid() != self._parent:
                self.gone_at = time.monotonic()
                self.stop.set()
                self._over.set()

    def wait_for_over(self) -> None:
        """Return when the end has been decided; for streams that last as long as the process."""
        self._over.wait()

    def wait_for_calls(self) -> None:
        """Return when no call is under way."""
        with self._idle:
            self._idle.wait_for(lambda: self._calls == 0)
