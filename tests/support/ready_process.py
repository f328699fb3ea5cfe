"""A process that has everything loaded, and forks plugins that serve at once; see `ready_plugins`.

It prints the address at which it takes launchers, and ends with its standard input.
"""

import os
import pkgutil
import select
import signal
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from crusoe_provider.providerserver import quick_start
from crusoe_provider.providerserver.warm_start.child import (
    Launcher,
    Ready,
    close_all_but,
    serve_and_end,
)
from crusoe_provider.providerserver.warm_start.launcher import credentials_of, stat_of

_QUEUE = 1024


class _Taken(Ready):
    """A process that a launcher has taken already."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def wait_for_launcher(self) -> Launcher:
        """Return the launcher."""
        return self._launcher

    def end_nursery_if_stopped(self) -> None:
        """Do nothing: what has forked it looks after itself."""


def main() -> None:
    """Fork a plugin for each launcher."""
    quick_start.begin()
    _load_everything()
    # Nobody asks how a plugin has ended but its launcher.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket(AF_UNIX, SOCK_STREAM)
    address = f"ready-plugins/{os.getpid()}"
    listener.bind(b"\0" + address.encode())
    listener.listen(_QUEUE)
    print(address, flush=True)  # noqa: T201 - what it is asked for
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(0, 0)
    while 0 not in dict(poll.poll()):
        connection = socket(fileno=listener._accept()[0])  # type: ignore[attr-defined]
        if os.fork() == 0:
            _be_plugin(connection)
        connection.close()


def _load_everything() -> None:
    import grpc._server  # noqa: F401, PLC0415 - not before the start is made quick

    import crusoe_provider  # noqa: PLC0415 - the same

    for module in pkgutil.walk_packages(crusoe_provider.__path__, "crusoe_provider."):
        import_module(module.name)


def _be_plugin(connection: socket) -> NoReturn:
    """Serve by a launcher as if this process had been started by it."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        close_all_but({connection.fileno()})
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(null, standard)
        # Until the handshake it is all that Terraform is told.
        os.dup2(connection.fileno(), 2)
        connection.setblocking(True)
        module, *sys.argv[1:] = connection.recv(4096).decode().split("\0")
        launcher, _ = credentials_of(connection)
        _take_environment(launcher)
        terraform = os.pidfd_open(int(stat_of(launcher)[1]))
        taken = _Taken(Launcher(connection, launcher, terraform))
        serve_and_end(taken, lambda ready: _serve(module, ready))
    finally:
        os._exit(1)


def _take_environment(pid: int) -> None:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    os.environb.clear()
    os.environb.update(entry.partition(b"=")[::2] for entry in entries if entry)
    os.chdir(f"/proc/{pid}/cwd")


def _serve(module: str, ready: Ready) -> None:
    from crusoe_provider.providerserver.serve import serve  # noqa: PLC0415 - loads grpc

    serve(import_module(module).new_provider, find_host=ready.wait_for_launcher)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
