"""Connections to the API, on which one request takes a bounded time.

Strategy: httpcore bounds each read, so a server that drips bytes, headers or `100 Continue` could
hold a request for ever. Here every step on a socket (look-up, connect, handshake, read, write) gets
what is left of the time of the request that the calling thread has under way. A step that Python
cannot interrupt (look-up, connect, handshake: nothing has been sent by then) runs in a thread of
its own, which is left behind when the time is over. Reads are cut into slices, so that a stop ends
those that may be given up.
"""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import httpcore
import httpx

from crusoe_provider.api.addresses import connect_to_any
from crusoe_provider.api.endpoint import Endpoint, is_loopback_address
from crusoe_provider.api.errors import Interrupted
from crusoe_provider.api.proxies import ProxyServer
from crusoe_provider.api.tls import Authorities, is_behind

Result = TypeVar("Result")

# A connection that cannot be made soon will not be made at all.
_CONNECT_SECONDS: Final = 10.0
# How long a stop may go unnoticed.
_SLICE_SECONDS: Final = 0.25
_NO_TIME: Final = 0.001
_IDLE_CONNECTIONS: Final = 20
# Shorter than what servers and their load balancers keep.
_IDLE_SECONDS: Final = 5.0


class Allowance:
    """What one request may take.

    Args:
        seconds: The time from now on.
        stop: Ends the request when it is set; `None` if nothing does.
    """

    def __init__(self, seconds: float, stop: threading.Event | None) -> None:
        self._ends = time.monotonic() + seconds
        self._stop = stop

    def left(self) -> float:
        """Return the seconds that are left, more than 0 while any are.

        Raises:
            Interrupted: The stop has come.
        """
        if self._stop is not None and self._stop.is_set():
            raise Interrupted("The request was interrupted before it was answered.")
        return max(0.0, self._ends - time.monotonic())


class Network(httpx.BaseTransport):
    """The way to one endpoint. Safe to use from several threads.

    Args:
        endpoint: The endpoint.
        proxy: The proxy on the way, if there is one.
        authorities: Who vouches for certificates; asked only where there is TLS.
    """

    def __init__(
        self, endpoint: Endpoint, proxy: ProxyServer | None, authorities: Authorities
    ) -> None:
        self._backend = _Backend(loopback_only=endpoint.scheme == "http")
        self._authorities = None if endpoint.scheme == "http" else authorities
        context = None if self._authorities is None else self._authorities.context()
        self._pool = httpcore.ConnectionPool(
            # Without a context httpcore would load one of its own; plain http asks for none.
            ssl_context=context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=_proxy(proxy, context) if proxy else None,
            # As many connections as -parallelism may ask for.
            max_connections=None,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=self._backend,
        )

    @contextlib.contextmanager
    def allow(self, allowance: Allowance) -> Iterator[None]:
        """Let the calling thread send one request within `allowance`, and read its answer."""
        self._backend.requests.allowance = allowance
        try:
            yield
        finally:
            del self._backend.requests.allowance

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is read as it comes."""
        response = self._sent(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _sent(self, request: httpcore.Request) -> httpcore.Response:
        authorities = self._authorities
        if authorities is None or authorities.are_whole:
            return self._pool.handle_request(request)
        try:
            return self._pool.handle_request(request)
        except httpcore.ConnectError as error:
            # No connection, so nothing was sent, not even of a creation.
            if not is_behind(error, ssl.SSLCertVerificationError):
                raise
        authorities.complete()
        return self._pool.handle_request(request)


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Requests(threading.local):
    """The allowance of the request that each thread has under way."""

    allowance: Allowance


class _Backend(httpcore.NetworkBackend):
    """Connects.

    Args:
        loopback_only: Refuse to talk to anybody but this machine, whatever a name resolves to.
    """

    def __init__(self, *, loopback_only: bool) -> None:
        self.requests = _Requests()
        self._loopback_only = loopback_only
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the allowance says it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Look a host up and connect to it."""

        def connect(address: str, seconds: float) -> httpcore.NetworkStream:
            if self._loopback_only and not is_loopback_address(address):
                raise httpcore.ConnectError("plain http is for this machine only")
            return self._sockets.connect_tcp(address, port, seconds, local_address, socket_options)

        stream = _aside(
            lambda seconds: connect_to_any(host, port, seconds, connect),
            self.requests.allowance,
            lambda late: late.close(),
        )
        return _Stream(stream, self.requests)


class _Stream(httpcore.NetworkStream):
    """A connection, each step on which is bounded by the request that takes it."""

    def __init__(self, stream: httpcore.NetworkStream, requests: _Requests) -> None:
        self._stream = stream
        self._requests = requests

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - see above
        """Return what has come; wait for it as long as the request may take."""
        while left := self._requests.allowance.left():
            with contextlib.suppress(httpcore.ReadTimeout):
                return self._stream.read(max_bytes, min(left, _SLICE_SECONDS))
        raise httpcore.ReadTimeout

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - see above
        """Send; what we send fits the buffers of a socket, so this is one step."""
        self._stream.write(buffer, self._requests.allowance.left() or _NO_TIME)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - see above
    ) -> httpcore.NetworkStream:
        """Shake hands."""

        def shake_hands(seconds: float) -> httpcore.NetworkStream:
            return self._stream.start_tls(ssl_context, server_hostname, seconds)

        # A handshake that fails closes the connection, in whichever thread that happens.
        secured = _aside(shake_hands, self._requests.allowance, lambda late: late.close())
        return _Stream(secured, self._requests)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore wants to know of the socket."""
        return self._stream.get_extra_info(info)


def _aside(
    step: Callable[[float], Result], allowance: Allowance, discard: Callable[[Result], None]
) -> Result:
    """Return what `step` returns, if it does so in time.

    Args:
        step: What to do; it is told how many seconds there are.
        allowance: What the request may take.
        discard: Called with a result that comes when nobody waits for it any more.
    """
    seconds = min(_CONNECT_SECONDS, allowance.left() or _NO_TIME)
    done, lock = threading.Event(), threading.Lock()
    results: list[Result] = []
    failures: list[BaseException] = []
    abandoned = False

    def run() -> None:
        try:
            result = step(seconds)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failures.append(error)
        else:
            with lock:
                if abandoned:
                    discard(result)
                results.append(result)
        done.set()

    ends = time.monotonic() + seconds
    threading.Thread(target=run, name="connect", daemon=True).start()
    try:
        while not done.wait(min(_SLICE_SECONDS, max(_NO_TIME, ends - time.monotonic()))):
            _check(allowance, ends)
    except BaseException:
        with lock:
            abandoned = True
            for result in results:
                discard(result)
        raise
    if failures:
        raise failures[0]
    return results[0]


def _check(allowance: Allowance, ends: float) -> None:
    allowance.left()
    if time.monotonic() >= ends:
        raise httpcore.ConnectTimeout


def _proxy(server: ProxyServer, context: ssl.SSLContext | None) -> httpcore.Proxy:
    return httpcore.Proxy(
        httpcore.URL(
            scheme=server.scheme.encode(),
            host=server.host.encode(),
            port=server.port,
            target=b"/",
        ),
        auth=server.user and tuple(part.encode() for part in server.user),  # type: ignore[arg-type]  # two parts
        ssl_context=context if server.scheme == "https" else None,
    )
