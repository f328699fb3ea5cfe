"""When this process ends, and what must be finished before.

Terraform ends a plugin with the RPC `GRPCController.Shutdown` and kills it two seconds later. When
Terraform itself is killed nobody sends anything, but the other end of our standard output closes.
A terminal's Ctrl-C reaches the whole process group: Terraform hears it too and decides, so it is
ignored here, as go-plugin servers do. The other signals by which an end is asked for, of a service
manager, of a terminal that is closed, are taken as Terraform's own wish to stop: calls under way
finish, and Terraform still gets answers.
"""

import faulthandler
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, Protocol

logger = logging.getLogger(__name__)

# How often to look whether the server lives, and, where a system does not report the closed pipe,
# the parent.
_CHECK_MS: Final = 1000
_CLOSED: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL
_STOPS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Host(Protocol):
    """Terraform, as this process is connected with it.

    Attributes:
        terraform_pid: Its process ID.
        plugin_pid: The ID of the process that it has started.
    """

    terraform_pid: int
    plugin_pid: int

    def announce(self, line: str) -> None:
        """Give it the handshake line."""

    def watch(self, poll: select.poll) -> None:
        """Register what tells of its end."""

    def is_gone(self, events: Mapping[int, int], stop: threading.Event) -> bool:
        """Say whether no answer reaches it any more.

        Args:
            events: What has happened at the file descriptors that are registered.
            stop: Set if it is asked for in another way than by a signal.
        """


class Parent:
    """A Terraform that has started this very process.

    Args:
        output: File descriptor of the pipe to it. Default: that of standard output.
    """

    def __init__(self, output: int | None = None) -> None:
        self.terraform_pid = os.getppid()
        self.plugin_pid = os.getpid()
        self._output = sys.stdout.fileno() if output is None else output

    def announce(self, line: str) -> None:
        """Give it the handshake line."""
        print(line, flush=True)  # noqa: T201 - the handshake itself

    def watch(self, poll: select.poll) -> None:
        """Register the pipe to it."""
        # No event is asked for: a closed pipe is reported all the same.
        poll.register(self._output, 0)

    def is_gone(self, events: Mapping[int, int], stop: threading.Event) -> bool:
        """Say whether the pipe is closed, or this process has got another parent."""
        del stop
        closed = events.get(self._output, 0) & _CLOSED
        return bool(closed) or os.getppid() != self.terraform_pid


class Lifetime:
    """The life of the plugin process.

    Args:
        stop: Set when nothing new is to be started; the provider's waits end with it.
        host: Terraform.

    Attributes:
        stop: See above.
        gone_at: When it was found that no answer reaches Terraform any more, on the monotonic
            clock; `None` if Terraform has ended the process.
        server_died: Whether the gRPC server has, by itself.
    """

    def __init__(self, stop: threading.Event, host: Host) -> None:
        self.stop = stop
        self._host = host
        self._over = threading.Event()
        self.gone_at: float | None = None
        self.server_died = False
        self._asked_to_stop = False
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        self._calls = 0
        self._idle = threading.Condition()

    def handle_signals(self) -> None:
        """Let Ctrl-C be Terraform's business and other signals ask for an end; main thread only."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in _STOPS:
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, _number: int, _frame: object) -> None:
        # A handler runs between two lines of the main thread, which may hold the lock that setting
        # an event takes; so that is left to `wait_for_end`.
        self._asked_to_stop = True
        self._wake()

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
        self._wake()

    def _wake(self) -> None:
        # A full pipe wakes all the same.
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b".")

    def wait_for_end(self, server_threads: Iterable[threading.Thread] = ()) -> None:
        """Return when `end` was called, Terraform is gone, or the server is.

        Args:
            server_threads: Those without which no call is served.
        """
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        self._host.watch(poll)
        while not self._over.is_set():
            events = dict(poll.poll(_CHECK_MS))
            if self._wake_reader in events:
                os.read(self._wake_reader, select.PIPE_BUF)
            if self._asked_to_stop:
                self.stop.set()
            if self._host.is_gone(events, self.stop):
                self._break_off()
            elif not all(thread.is_alive() for thread in server_threads):
                logger.error(
                    "The gRPC server of this process has died, so the process ends. The machine, "
                    "or a limit set for the process, has too little memory or too few threads."
                )
                self.server_died = True
                self._break_off()

    def _break_off(self) -> None:
        self.gone_at = time.monotonic()
        self.stop.set()
        self._over.set()

    def wait_for_over(self) -> None:
        """Return when the end has been decided; for streams that last as long as the process."""
        self._over.wait()

    def wait_for_calls(self, seconds: float) -> None:
        """Return when no call is under way, or after some time."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._calls == 0, seconds):
                logger.error("The process ends with calls under way", extra={"calls": self._calls})


def end_within(seconds: float) -> None:
    """End the process after some time whatever happens in it, with a trace in the log.

    The time of an earlier call counts no more.
    """
    try:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.stderr)
    except (RuntimeError, MemoryError):  # it takes a thread
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
