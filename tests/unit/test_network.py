"""The steps of a connection, each bounded by the request that takes it."""

import ssl
import threading
from typing import Any

import httpcore
import pytest

from crusoe_provider.api import network
from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.proxies import proxy_for

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Raw(httpcore.NetworkStream):
    """A connection whose handshake lasts until it may go on.

    Attributes:
        asked: With whom hands were to be shaken, and in how many seconds.
        go_on: Lets the handshake end.
        closed: Set once the connection is closed.
        secured: What the handshake makes of it.
    """

    def __init__(self, secured: "Raw | None" = None) -> None:
        self.asked: list[tuple[ssl.SSLContext, str | None, float | None]] = []
        self.go_on = threading.Event()
        self.closed = threading.Event()
        self.secured = secured

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        self.asked.append((ssl_context, server_hostname, timeout))
        assert self.go_on.wait(10)
        assert self.secured is not None
        return self.secured

    def close(self) -> None:
        self.closed.set()

    def get_extra_info(self, info: str) -> Any:
        return info


def stream(raw: Raw, seconds: float) -> network._Stream:
    """Return a connection under a request that may take so long."""
    requests = network._Requests()
    requests.allowance = network.Allowance(seconds, None)
    return network._Stream(raw, requests)


def test_a_handshake_is_with_the_host_and_has_a_bound_of_its_own() -> None:
    """Ten seconds, however long the request may take: its thread is not to stay for ever."""
    raw = Raw(Raw())
    raw.go_on.set()

    stream(raw, 60).start_tls(CONTEXT, "api.example")

    assert raw.asked == [(CONTEXT, "api.example", 10.0)]


def test_a_connection_whose_handshake_comes_too_late_is_closed() -> None:
    """Nobody waits for it any more, and nobody else would close it."""
    late = Raw()
    raw = Raw(late)

    with pytest.raises(httpcore.ConnectTimeout):
        stream(raw, 0).start_tls(CONTEXT, "api.example")
    assert not late.closed.is_set()
    raw.go_on.set()

    assert late.closed.wait(10)


@pytest.mark.parametrize(
    ("url", "context", "auth"),
    [
        ("http://me:word@proxy:3128", None, (b"me", b"word")),
        ("https://proxy:3128", CONTEXT, None),
        ("socks5://proxy:3128", None, None),
    ],
)
def test_a_proxy_is_spoken_to_as_its_url_says(
    url: str, context: ssl.SSLContext | None, auth: tuple[bytes, bytes] | None
) -> None:
    """With its name and password; over TLS only where that is asked for."""
    server = proxy_for(Endpoint.parse("https://api.example"), {"HTTPS_PROXY": url})
    assert server is not None

    found = network._proxy(server, CONTEXT)

    assert (found.url.scheme.decode(), found.url.host, found.url.port) == (
        *(url.partition(":")[0], b"proxy"),
        3128,
    )
    assert found.url.target == b"/"
    assert found.ssl_context is context
    assert found.auth == auth
