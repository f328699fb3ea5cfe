"""Misbehaviour on the wire: what a fault does to an answer, and to the connection."""

import contextlib
import errno
import json
import socket
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from crusoe_simulator.faults import Answer, Fault

SOCKET: Final = "crusoe_simulator.socket"
"""Where in the WSGI environment the server puts the connection."""
_HOLD_SECONDS: Final = 120.0
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BLANKS: Final = b" " * 65536
_GZIP: Final = zlib.MAX_WBITS | 16  # zlib's name for gzip's header


class CutConnectionError(ConnectionResetError):
    """The connection was closed on purpose; there is nothing left to answer."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "cut on purpose")


def hold(fault: Fault) -> None:
    """Wait until the fault is released."""
    fault.arrived.set()
    fault.released.wait(_HOLD_SECONDS)


def cut(request: Request) -> None:
    """Close the connection.

    Raises:
        CutConnectionError: Always.
    """
    connection: socket.socket = request.environ[SOCKET]
    with contextlib.suppress(OSError):  # the client may have gone first
        connection.shutdown(socket.SHUT_RDWR)
    raise CutConnectionError


def send_half(request: Request, response: Response) -> None:
    """Send an answer up to the middle of its body, and close the connection.

    Raises:
        CutConnectionError: Always.
    """
    body = response.get_data()
    head = (
        f"HTTP/1.1 {response.status}\r\nContent-Type: {response.content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection: socket.socket = request.environ[SOCKET]
    connection.sendall(head.encode() + body[: len(body) // 2])
    cut(request)


def say_continue(request: Request, fault: Fault) -> None:
    """Send one interim answer after the other until the fault is released.

    Raises:
        CutConnectionError: The client has gone.
    """
    connection: socket.socket = request.environ[SOCKET]
    while not fault.released.wait(fault.continues or 0.0):
        try:
            connection.sendall(_CONTINUE)
        except OSError:
            raise CutConnectionError from None
        fault.arrived.set()


def stand_in(answer: Answer) -> Response:
    """Return the answer that is given in place of the real one."""
    opening, closing = b"[" * answer.nesting, b"]" * answer.nesting
    body = opening + answer.body.encode() + closing
    length = len(body) + answer.padding
    chunks: Iterable[bytes] = _padded(body, answer.padding)
    for _ in range(answer.gzip):
        chunks = [b"".join(_gzipped(chunks))]  # the small form: fit to be held in memory
        length = len(chunks[0])
    response = Response(chunks, status=answer.status, content_type=answer.content_type)
    response.content_length = length
    if answer.gzip:
        response.headers["Content-Encoding"] = ", ".join(["gzip"] * answer.gzip)
    for name, value in answer.headers.items():
        response.headers[name] = _as_bytes(value)
    return response


def patched(response: Response, patch: Mapping[str, Any]) -> Response:
    """Return an answer with other members in its JSON; `None` leaves one out."""
    if patch and response.is_json:
        document = response.get_json() | patch
        kept = {name: value for name, value in document.items() if value is not None}
        response.set_data(json.dumps(kept))
    return response


def disguised(response: Response, fault: Fault) -> Response:
    """Return an answer with the headers, and at the speed, that a fault gives it."""
    for name, value in fault.headers.items():
        response.headers[name] = _as_bytes(value)
    if fault.drip is not None:
        body = response.get_data()
        response.response = _dripping(body, fault)
        response.content_length = len(body)
    return response


def _padded(body: bytes, blanks: int) -> Iterator[bytes]:
    yield body
    while blanks > 0:
        yield _BLANKS[:blanks]
        blanks -= len(_BLANKS)


def _gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(wbits=_GZIP)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _dripping(body: bytes, fault: Fault) -> Iterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        fault.arrived.set()
        fault.released.wait(fault.drip)


def _as_bytes(value: str) -> str:
    """Return a header's value in the form in which WSGI takes the bytes of its UTF-8."""
    return value.encode().decode("latin-1")
