"""The simulator as a server on loopback: in this process, in threads of its own."""

import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cheroot.wsgi import Gateway_10, Server
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from crusoe_simulator import control
from crusoe_simulator.api import BASE_PATH, SOCKET, Api
from crusoe_simulator.faults import Faults
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
            wait: Lets the seconds of latency and delays pass; if `None` they really do, until
                `stop` at the latest.
        """
        self.cloud = Cloud(clock=clock, key_limit=key_limit, list_scope=list_scope, file=file)
        self.faults = Faults()
        self._ending = threading.Event()
        wait = wait or self._ending.wait
        self.api = Api(self.cloud, self.faults, latency=latency, wait=wait)
        application = DispatcherMiddleware(self.api, {control.PREFIX: control.Control(self.api)})
        self._server = _Server((_LOOPBACK, port), application, numthreads=_THREADS)
        self._server.gateway = _Gateway
        self._server.shutdown_timeout = 1
        # How often the server looks whether it is to end.
        self._server.expiration_interval = 0.05
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, daemon=True)

    @property
    def _origin(self) -> str:
        return f"http://{_LOOPBACK}:{self._server.bind_addr[1]}"

    @property
    def endpoint(self) -> str:
        """The base URL of the API."""
        return f"{self._origin}{BASE_PATH}"

    @property
    def control(self) -> str:
        """The base URL of the control interface."""
        return f"{self._origin}{control.PREFIX}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End, and let go whatever is held or delayed."""
        self._ending.set()
        self.faults.clear()
        self._server.stop()
        self._thread.join()

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
