"""Looking on while the API answers: the way to it, and what of its answers is read leniently."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crusoe_provider.api.clock import clock_skew
from crusoe_provider.api.network import Network
from crusoe_provider.api.tls import Authorities

if TYPE_CHECKING:
    import httpx

    from crusoe_provider.api.settings import Settings


class WatchedNetwork(Network):
    """The way to the API, on which the first answer is looked at.

    Args:
        settings: Where the API is.
        now: The clock.

    Attributes:
        is_reached: Whether an answer has come.
        skew: How far the clock of this machine was ahead of the server's then, if it said.
        tls_version: The version of TLS; `None` where there is none.
    """

    def __init__(self, settings: "Settings", now: Callable[[], datetime]) -> None:
        authorities = settings.authorities or Authorities()
        super().__init__(settings.endpoint, settings.proxy, authorities)
        self._now = now
        self.is_reached = False
        self.skew: timedelta | None = None
        self.tls_version: str | None = None

    def handle_request(self, request: "httpx.Request") -> "httpx.Response":
        """Send a request, and look at the answer."""
        response = super().handle_request(request)
        if not self.is_reached:
            self.is_reached = True
            self.skew = clock_skew(response.headers.get("Date"), self._now())
            stream = response.extensions.get("network_stream")
            secured = stream.get_extra_info("ssl_object") if stream is not None else None
            self.tls_version = secured.version() if secured is not None else None
        return response


class Deviations(logging.Handler):
    """Collects what is read leniently: names of fields, never their values."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of one."""
        text = record.getMessage()
        if text not in self.found:
            self.found.append(text)


@contextmanager
def collected_deviations() -> Iterator[Deviations]:
    """Collect what is read leniently in the body."""
    logger = logging.getLogger("crusoe_provider.api.documents")
    handler, level, propagates = Deviations(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
