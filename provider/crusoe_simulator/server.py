"""The simulator as a server on loopback: in this process, in threads of its own."""

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cheroot.wsgi import Gateway_10, Server
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from crusoe_simulator import control
from crusoe_simulator.api import BASE_PATH, Api
from crusoe_simulator.faults import Faults
from crusoe_simulator.guard import Guard
from crusoe_simulator.misbehaviour import SOCKET
from crusoe_simulator.speech import Speech
from crusoe_simulator.state import Clock, Cloud, ListScope

_LOOPBACK: Final = "127.0.0.1"
# Requests may be held, so there must be more threads than any test has requests under way.
_THREADS: Final = 80


class _Gateway(Gateway_10):
    """Gives the application the connection, for it to be cut."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]  # cheroot's stub is wrong
        """Return the environment of a request."""
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        return environ | {SOCKET: self.req.conn.socket}


class _Server(Server):
    """A server that takes connections which end early as a matter of course."""

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log only what is no cut connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().error_log(msg, level, traceback)


class Simulator:
    """A simulated Crusoe Cloud, serving from `start` (or `with`) until `stop`.

    Attributes:
        cloud: The state, to be looked at and changed behind the API's back.
        faults: What is to go wrong.
        api: The application; `api.requests` is what came in.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Clock | None = None,
        key_limit: int = 2,
        list_scope: ListScope = "organization",
        latency: float = 0.0,
        file: Path | None = None,
        s3: bool = False,
        dialects: Iterable[str] = (),
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Prepare the server.

        Args:
            port: The port; 0 for a free one.
            clock: The time.
            key_limit: How many keys a user may have in an organization.
            list_scope: Whose keys a list shows.
            latency: Seconds that every request takes at least.
            file: Where to keep the state, if it is to survive.
            s3: Whether there is an S3 endpoint too; what it needs takes a moment to load.
            dialects: Names of the dialects that it speaks, see `crusoe_simulator.dialects`.
            wait: Lets the seconds of latency and delays pass; if `None` they really do, until
                `stop` at the latest.
        """
        self.cloud = Cloud(clock=clock, key_limit=key_limit, list_scope=list_scope, file=file)
        self.faults = Faults()
        self._ending = threading.Event()
        wait = wait or self._ending.wait
        self.api = Api(self.cloud, self.faults, latency=latency, wait=wait)
        self.speak(*dialects)
        application = DispatcherMiddleware(self.api, {control.PREFIX: control.Control(self.api)})
        # Before anything listens: should it not be installed, no thread is left behind.
        s3_application = _s3(self.cloud) if s3 else None
        self._server = _listening(port, application)
        self._s3_server = _listening(0, s3_application) if s3_application else None
        self._threads: list[threading.Thread] = []

    @property
    def endpoint(self) -> str:
        """The base URL of the API."""
        return f"{_origin(self._server)}{BASE_PATH}"

    @property
    def control(self) -> str:
        """The base URL of the control interface."""
        return f"{_origin(self._server)}{control.PREFIX}"

    @property
    def s3_endpoint(self) -> str | None:
        """The endpoint for S3 clients, if there is one."""
        return _origin(self._s3_server) if self._s3_server else None

    def speak(self, *dialects: str) -> None:
        """Speak these dialects from now on, and no others.

        Raises:
            ValueError: There is no such dialect, or two exclude each other.
        """
        self.api.speech = Speech(dialects)

    def start(self) -> None:
        """Begin to serve."""
        for server in self._servers:
            thread = threading.Thread(target=server.serve, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End, and let go whatever is held or delayed; what is late is carried out before."""
        self._ending.set()
        self.faults.clear()
        self.api.settle()
        for server in self._servers:
            server.stop()
        for thread in self._threads:
            thread.join()

    @property
    def _servers(self) -> list[_Server]:
        return [server for server in (self._server, self._s3_server) if server]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _listening(port: int, application: Any) -> _Server:
    server = _Server((_LOOPBACK, port), Guard(application), numthreads=_THREADS)
    server.gateway = _Gateway
    server.shutdown_timeout = 1
    # How often the server looks whether it is to end.
    server.expiration_interval = 0.05
    # A plan of many users opens a connection for each of them at once; the system cuts what does
    # not fit in here.
    server.request_queue_size = 512
    server.prepare()
    return server


def _origin(server: _Server) -> str:
    return f"http://{_LOOPBACK}:{server.bind_addr[1]}"


def _s3(cloud: Cloud) -> Any:
    from crusoe_simulator.s3 import S3  # noqa: PLC0415 - it takes half a second

    return S3(cloud)
