"""A child of the nursery: ready to serve, it waits for a launcher, and then serves by it."""

import os
import select
import signal
import sys
import threading
import traceback
from _socket import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Final, NoReturn

from crusoe_provider.providerserver.warm_start.launcher import (
    ENDED,
    STATE,
    STOP,
    credentials_of,
    stat_of,
)
from crusoe_provider.providerserver.warm_start.portrait import Model, variables_of_this_start

_STANDARD: Final = frozenset({0, 1, 2})
_STOPPED: Final = b"T"
# How long a nursery may take to notice that Terraform has ended, and to let its child go.
_FAREWELL_SECONDS: Final = 1.0


class Ready:
    """A process that is ready to serve.

    Args:
        listener: Where launchers connect.
        terraform: A pidfd of Terraform.
        nursery: A pidfd of the nursery.
        control: Where to tell the nursery that a launcher has come; it closes with the nursery.
        model: What a launcher must be like.
    """

    def __init__(
        self, listener: socket, terraform: int, nursery: int, control: int, model: Model
    ) -> None:
        self._listener = listener
        self._terraform = terraform
        self._nursery = nursery
        self._nursery_pid = os.getppid()
        self._control = control
        self._model = model

    def wait_for_launcher(self) -> "Launcher":
        """Return the launcher to serve by; or end this process, if none comes any more."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        poll.register(self._terraform, select.POLLIN)
        while True:
            events = dict(poll.poll())
            if self._control in events or self._terraform in events:
                self._leave()
            if launcher := self._accepted():
                return launcher

    def _accepted(self) -> "Launcher | None":
        try:
            # The methods of `socket.socket`, which take long to load, are not needed.
            connection = socket(fileno=self._listener._accept()[0])  # type: ignore[attr-defined]  # noqa: SLF001
        except OSError:  # it has given up
            return None
        connection.setblocking(True)
        pid, user = credentials_of(connection)
        try:
            if user != os.geteuid() or not self._model.is_like(pid):
                connection.close()
                return None
            os.environb.update(variables_of_this_start(pid))
            launcher = Launcher(connection, pid, self._terraform)
        except (OSError, ValueError):  # it has given up meanwhile
            connection.close()
            return None
        # From now on the nursery does not end this process before the launcher has ended.
        os.write(self._control, b"%d" % pid)
        self._listener.close()
        return launcher

    def _leave(self) -> NoReturn:
        """End, as nobody has asked for anything."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.poll(_FAREWELL_SECONDS * 1000)
        self.end_nursery_if_stopped()
        os._exit(0)

    def end_nursery_if_stopped(self) -> None:
        """End a nursery that somebody has stopped: it cannot see that Terraform has ended."""
        with suppress(OSError, IndexError):
            if stat_of(self._nursery_pid)[STATE] == _STOPPED:
                signal.pidfd_send_signal(self._nursery, signal.SIGKILL)


class Launcher:
    """The launcher that stands between this process and Terraform: a host, see `lifetime.py`.

    Args:
        connection: The connection to it.
        pid: Its process ID.
        terraform: A pidfd of Terraform.
    """

    def __init__(self, connection: socket, pid: int, terraform: int) -> None:
        self._connection = connection
        self._terraform = terraform
        self.plugin_pid = pid
        self.terraform_pid = int(stat_of(pid)[1])

    def announce(self, line: str) -> None:
        """Have the handshake line printed, and what is written to stderr from now on."""
        self._connection.sendall(f"{line}\n".encode())
        os.dup2(self._connection.fileno(), 2)

    def watch(self, poll: select.poll) -> None:
        """Register what tells of the end of Terraform or of the launcher."""
        poll.register(self._connection, select.POLLIN)
        poll.register(self._terraform, select.POLLIN)

    def is_gone(self, events: Mapping[int, int], stop: threading.Event) -> bool:
        """Say whether nobody takes answers any more."""
        if self._terraform in events:
            return True
        if self._connection.fileno() not in events:
            return False
        try:
            told = self._connection.recv(4096)
        except OSError:
            return True
        if STOP in told:
            stop.set()
        return not told


def serve_and_end(ready: Ready, serve: Callable[[Ready], None]) -> NoReturn:
    """Serve, and end this process."""
    code = 1
    try:
        serve(ready)
        code = 0
    except BaseException:  # noqa: BLE001 - this is where the process ends
        traceback.print_exc()
    finally:
        ready.end_nursery_if_stopped()
        with suppress(Exception):
            sys.stderr.flush()
            if code == 0:
                os.write(2, ENDED)
        os._exit(code)


def close_all_but(kept: Collection[int]) -> None:
    """Close every file that this process has open but some, and the standard ones."""
    kept = _STANDARD | set(kept)
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with suppress(OSError):  # the folder itself
                os.close(int(name))
