"""What the simulator can do wrong on the wire: slowly, endlessly, or too much of it."""

import http.client
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.request_log import RecordedRequest, RequestLog
from crusoe_simulator.server import Simulator

PATH = "/v1/users/identities"
REFUSED = {"code": "401", "message": "bad_credential"}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator that knows nobody, so that every answer is that of a missing signature."""
    with Simulator() as simulator:
        yield simulator


@contextmanager
def asked(simulator: Simulator) -> Iterator[http.client.HTTPConnection]:
    """Return a connection on which a request was sent."""
    url = urlsplit(simulator.endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.request("GET", PATH)
    try:
        yield connection
    finally:
        connection.close()


def answered(simulator: Simulator, fault: Fault) -> tuple[http.client.HTTPResponse, bytes]:
    simulator.faults.add(fault)
    with asked(simulator) as connection:
        response = connection.getresponse()
        return response, response.read()


@contextmanager
def raw(simulator: Simulator) -> Iterator[socket.socket]:
    """Return a socket on which a request was sent."""
    url = urlsplit(simulator.endpoint)
    with socket.create_connection((url.hostname, url.port or 0), timeout=10) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
        yield connection


# -- Slow and endless ------------------------------------------------------------------------------


def test_an_answer_can_drip(simulator: Simulator) -> None:
    """One byte, and the next after a pause; the rest at once when it is let go."""
    fault = simulator.faults.add(Fault("identity", drip=60.0))
    with asked(simulator) as connection:
        response = connection.getresponse()
        first = response.read(1)
        fault.wait_arrived()
        fault.release()
        rest = response.read()

    assert json.loads(first + rest) == REFUSED
    assert response.headers["Content-Length"] == str(1 + len(rest))


def test_an_answer_in_place_of_the_real_one_can_drip_too(simulator: Simulator) -> None:
    _, body = answered(simulator, Fault("identity", answer=Answer(200, "abc"), drip=0.0))

    assert body == b"abc"


def test_an_answer_without_a_body_cannot_drip(simulator: Simulator) -> None:
    response, body = answered(simulator, Fault("identity", answer=Answer(204), drip=60.0))

    assert (response.status, body) == (204, b"")


def test_the_end_waits_for_no_drop(simulator: Simulator) -> None:
    fault = simulator.faults.add(Fault("identity", drip=60.0))
    with asked(simulator) as connection:
        fault.wait_arrived()

        simulator.stop()

        assert json.loads(connection.getresponse().read()) == REFUSED


def test_100_continue_can_come_without_end(simulator: Simulator) -> None:
    """Until it is let go; then comes the answer."""
    fault = simulator.faults.add(Fault("identity", continues=0.0))
    with raw(simulator) as connection, connection.makefile("rb") as stream:
        interim = stream.read(len(CONTINUE) * 100)
        fault.release()
        line = stream.readline()
        while line in CONTINUE:
            line = stream.readline()

    assert interim == CONTINUE * 100
    assert line == b"HTTP/1.1 401 UNAUTHORIZED\r\n"


class WatchedLog(RequestLog):
    """A log that tells when something is added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.added = threading.Event()

    def add(self, request: RecordedRequest) -> None:
        super().add(request)
        self.added.set()


def test_100_continue_ends_when_the_client_has_gone(simulator: Simulator) -> None:
    simulator.api.requests = log = WatchedLog()
    simulator.faults.add(Fault("identity", continues=0.0))
    with raw(simulator) as connection:
        assert connection.recv(len(CONTINUE))

    assert log.added.wait(10)
    assert [request.status for request in log.all()] == [None]


# -- Too much --------------------------------------------------------------------------------------


def test_a_body_can_be_of_any_size(simulator: Simulator) -> None:
    """And is JSON all the same."""
    answer = Answer(200, '{"items": []}', padding=3_000_000)

    response, body = answered(simulator, Fault("identity", answer=answer))

    assert len(body) == len(answer.body) + 3_000_000
    assert response.headers["Content-Length"] == str(len(body))
    assert json.loads(body) == {"items": []}


def test_a_small_body_can_become_a_big_one(simulator: Simulator) -> None:
    """Compressed twice over it is a fraction of a thousandth."""
    answer = Answer(200, "{}", padding=20_000_000, gzip=2)

    response, body = answered(simulator, Fault("identity", answer=answer))

    assert response.headers["Content-Encoding"] == "gzip, gzip"
    assert len(body) < 1000
    once = zlib.decompress(body, wbits=zlib.MAX_WBITS | 16)
    assert len(zlib.decompress(once, wbits=zlib.MAX_WBITS | 16)) == 20_000_002


def test_json_can_be_nested_deeply(simulator: Simulator) -> None:
    answer = Answer(200, "{}", nesting=100_000)

    _, body = answered(simulator, Fault("identity", answer=answer))

    assert body == b"[" * 100_000 + b"{}" + b"]" * 100_000


# -- Headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stand_in", [True, False], ids=["stand-in", "real"])
def test_headers_can_be_absurd(simulator: Simulator, stand_in: bool) -> None:
    """Each is sent once, as UTF-8 if need be, with the real answer or with another."""
    headers = {
        "Set-Cookie": "größe=…",
        "Retry-After": "9" * 400,
        "Date": "Thu, 01 Jan 1970 00:00:00 GMT",
    }
    fault = (
        Fault("identity", answer=Answer(401, headers=headers))
        if stand_in
        else Fault("identity", headers=headers)
    )

    response, _ = answered(simulator, fault)

    given = {name: response.headers.get_all(name) for name in headers}
    assert response.status == 401
    assert {
        name: [value.encode("latin-1").decode() for value in values or []]
        for name, values in given.items()
    } == {name: [value] for name, value in headers.items()}
