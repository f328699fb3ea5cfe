"""A server on this machine that says whatever a test wants, byte by byte."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class HostileServer:
    """A listener that reads one request per connection and lets a test answer it.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        requests: What came in, as bytes.
        asked: Set when a request has come in.
        over: Set when the test is over; endless answers end then.
    """

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def hostile_server(
    answer: Callable[[socket.socket, HostileServer], None], *, reads: bool = True
) -> Iterator[HostileServer]:
    """Serve; `answer` gets the connection, after a request if `reads`."""
    server = HostileServer()
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if reads:
                request = b""
                while b"\r\n\r\n" not in request:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    request += chunk
                server.requests.append(request)
            server.asked.set()
            answer(connection, server)

    def accept(listener: socket.socket) -> None:
        while not server.over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(10)
                thread = threading.Thread(target=serve, args=(connection,))
                thread.start()
                threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server.port = listener.getsockname()[1]
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        try:
            yield server
        finally:
            server.over.set()
            accepting.join()
            for thread in threads:
                thread.join()


def whole(content: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return an answer in JSON, as bytes."""
    lines = [b"HTTP/1.1 " + status, b"Content-Type: application/json", *headers]
    if not any(header.lower().startswith(b"content-length") for header in headers):
        lines.append(b"Content-Length: %d" % len(content))
    return b"\r\n".join(lines) + b"\r\n\r\n" + content
