"""A host with several addresses, of which some lead nowhere."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpcore
import pytest

from crusoe_provider.api import addresses, network
from crusoe_provider.api.addresses import connect_to_any

HOST = "api.example"
IPV6 = ("2001:db8::1", "2001:db8::2", "2001:db8::3")
IPV4 = ("192.0.2.1", "192.0.2.2")
PORT = 443
# Long for whoever waits, and short of the ten seconds that a connection may take.
SOON = 5.0

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of the machine"
)

Resolve = Callable[..., None]


class Stream(httpcore.NetworkStream):
    """A connection that is none.

    Attributes:
        closed: Set once it is closed.
    """

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Let the host have these addresses; others are looked up as ever."""
    look_up = socket.getaddrinfo

    def give(*texts: str) -> None:
        def found(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
            if host != HOST:
                return look_up(host, port, *rest, **more)
            return [entry for text in texts for entry in look_up(text, port, *rest, **more)]

        monkeypatch.setattr(socket, "getaddrinfo", found)

    return give


@pytest.fixture
def working() -> Iterator[socket.socket]:
    """Listens on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def black_hole(working: socket.socket) -> Iterator[str]:
    """An address where the same port gives no answer: nobody takes the connections there are."""
    address = ("127.0.0.2", working.getsockname()[1])
    with contextlib.ExitStack() as stack:
        stack.enter_context(socket.create_server(address, backlog=0))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[0]


def connected(server: socket.socket, *, loopback_only: bool = False) -> str:
    """Connect to the host at the port of a server; return the address at the other end."""
    backend = network._Backend(loopback_only=loopback_only)
    backend.requests.allowance = network.Allowance(60, None)
    stream = backend.connect_tcp(HOST, server.getsockname()[1])
    try:
        return str(stream.get_extra_info("server_addr")[0])
    finally:
        stream.close()


def refusing(reasons: dict[str, str], asked: list[str]) -> addresses.Connect:
    """Return what connects to no address, and says why."""

    def connect(address: str, _seconds: float) -> httpcore.NetworkStream:
        asked.append(address)
        raise httpcore.ConnectError(reasons.get(address, "refused"))

    return connect


@linux_only
def test_an_address_that_leads_nowhere_does_not_hold_up_the_next(
    resolve: Resolve, black_hole: str, working: socket.socket
) -> None:
    """As for programs in Go, and for curl."""
    resolve(black_hole, "127.0.0.1")
    started = time.monotonic()

    assert connected(working) == "127.0.0.1"

    assert time.monotonic() - started < SOON


@linux_only
def test_an_address_that_refuses_is_followed_by_the_next_at_once(
    resolve: Resolve, working: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after the pause between two attempts."""
    monkeypatch.setattr(addresses, "_APART_SECONDS", 60.0)
    resolve("127.0.0.2", "127.0.0.1")
    started = time.monotonic()

    assert connected(working) == "127.0.0.1"

    assert time.monotonic() - started < SOON


def test_plain_http_is_spoken_to_addresses_of_this_machine_only(
    resolve: Resolve, working: socket.socket
) -> None:
    """Whatever else a name under localhost resolves to; nobody else is even connected to."""
    resolve("192.0.2.1", "127.0.0.1")

    assert connected(working, loopback_only=True) == "127.0.0.1"
    resolve("192.0.2.1", "192.0.2.2")
    with pytest.raises(httpcore.ConnectError, match=r"^plain http is for this machine only$"):
        connected(working, loopback_only=True)


def test_a_connection_that_comes_after_the_first_is_closed(resolve: Resolve) -> None:
    """Nobody else would."""
    resolve(*IPV4)
    go_on, late, first = threading.Event(), Stream(), Stream()

    def connect(address: str, _seconds: float) -> httpcore.NetworkStream:
        if address == IPV4[1]:
            return first
        assert go_on.wait(10)
        return late

    assert connect_to_any(HOST, PORT, 10, connect) is first
    assert not late.closed.is_set()
    go_on.set()

    assert late.closed.wait(10)
    assert not first.closed.is_set()


def test_a_slow_first_address_still_counts(resolve: Resolve) -> None:
    """It goes on while others are tried; here until they have failed."""
    resolve(*IPV4)
    others_failed, slow = threading.Event(), Stream()

    def connect(address: str, _seconds: float) -> httpcore.NetworkStream:
        if address == IPV4[0]:
            assert others_failed.wait(10)
            return slow
        others_failed.set()
        raise httpcore.ConnectError("refused")

    assert connect_to_any(HOST, PORT, 10, connect) is slow


@pytest.mark.parametrize("seconds", [0, 0.6])
def test_the_time_for_all_addresses_is_bounded(resolve: Resolve, seconds: float) -> None:
    """Each attempt gets what is left, and what comes later is closed."""
    resolve(*IPV4)
    over, late, left = threading.Event(), [Stream(), Stream()], []

    def connect(address: str, seconds: float) -> httpcore.NetworkStream:
        left.append(seconds)
        assert over.wait(10)
        return late[IPV4.index(address)]

    with pytest.raises(httpcore.ConnectTimeout):
        connect_to_any(HOST, PORT, seconds, connect)
    over.set()

    assert left == sorted(left, reverse=True)
    assert all(0 < some <= max(seconds, addresses._NO_TIME) for some in left)
    assert all(late[n].closed.wait(10) for n in range(len(left)))


def test_the_order_is_the_resolvers_with_the_families_by_turns(resolve: Resolve) -> None:
    """Each address once, however often it is named."""
    resolve(*IPV6, IPV6[0], *IPV4)
    asked: list[str] = []

    with pytest.raises(httpcore.ConnectError, match=r"^refused$"):
        connect_to_any(HOST, PORT, 10, refusing({}, asked))

    assert asked == [IPV6[0], IPV4[0], IPV6[1], IPV4[1], IPV6[2]]


def test_each_address_has_its_reason_where_these_differ(resolve: Resolve) -> None:
    """Or nobody could tell a network without IPv6 from a server that is down."""
    resolve(IPV6[0], IPV4[0])
    reasons = {IPV6[0]: "no route", IPV4[0]: "refused"}

    with pytest.raises(httpcore.ConnectError) as caught:
        connect_to_any(HOST, PORT, 10, refusing(reasons, []))

    assert str(caught.value) == f"{IPV6[0]}: no route; {IPV4[0]}: refused"


def test_an_attempt_that_was_too_slow_is_told_before_those_that_were_refused(
    resolve: Resolve,
) -> None:
    """More time would have helped there."""
    resolve(*IPV4)

    def connect(address: str, _seconds: float) -> httpcore.NetworkStream:
        raise httpcore.ConnectTimeout if address == IPV4[0] else httpcore.ConnectError("refused")

    with pytest.raises(httpcore.ConnectTimeout):
        connect_to_any(HOST, PORT, 10, connect)


def test_a_host_with_one_address_takes_no_other_thread(resolve: Resolve) -> None:
    """It is connected to where it was looked up, and its error stays as it is."""
    resolve(IPV4[0])
    threads = []

    def connect(_address: str, _seconds: float) -> httpcore.NetworkStream:
        threads.append(threading.current_thread())
        raise httpcore.ConnectError("refused")

    with pytest.raises(httpcore.ConnectError, match=r"^refused$"):
        connect_to_any(HOST, PORT, 10, connect)

    assert threads == [threading.current_thread()]


def test_a_host_that_does_not_exist_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the resolver."""

    def unknown(*_arguments: Any, **_more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(httpcore.ConnectError, match="Name or service not known"):
        connect_to_any(HOST, PORT, 10, refusing({}, []))


def test_want_of_threads_fails_one_attempt_and_not_the_connection(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another may be under way."""
    resolve(*IPV4)
    start, stream = threading.Thread.start, Stream()
    started, lacking = threading.Event(), threading.Event()

    def start_one(thread: threading.Thread) -> None:
        if started.is_set():
            lacking.set()
            raise RuntimeError("can't start new thread")
        started.set()
        start(thread)

    def connect(_address: str, _seconds: float) -> httpcore.NetworkStream:
        assert lacking.wait(10)
        return stream

    monkeypatch.setattr(threading.Thread, "start", start_one)

    assert connect_to_any(HOST, PORT, 10, connect) is stream


def test_the_interface_of_a_local_address_is_kept() -> None:
    """Without it nothing of the kind can be connected to."""
    assert addresses._text(("fe80::1", PORT, 0, 2)) == "fe80::1%2"
    assert addresses._text(("2001:db8::1", PORT, 0, 0)) == "2001:db8::1"
    assert addresses._text(("192.0.2.1", PORT)) == "192.0.2.1"
