"""The client against servers that drip, flood, hang and lie, on real connections."""

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crusoe_provider.api import errors, network
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.settings import Settings
from support.api_fixtures import SECRET
from support.hostile_server import HostileServer, hostile_server, whole

MEBIBYTE = 1024 * 1024
CREATED = b'{"access_key_id": "CKIA1", "secret_key": "SK-the-new-secret"}'
Call = Callable[[CrusoeClient], Any]


def list_keys(client: CrusoeClient) -> Any:
    return client.list_keys("o")


def create_key(client: CrusoeClient) -> Any:
    return client.create_key("o", alias=None, expire_at=None)


def delete_key(client: CrusoeClient) -> Any:
    return client.delete_key("o", "CKIA1")


every_call = pytest.mark.parametrize("call", [list_keys, create_key, delete_key])


def client_of(
    server: HostileServer, *, stop: threading.Event | None = None, seconds: float = 1, tls: str = ""
) -> CrusoeClient:
    settings = Settings(
        endpoint=Endpoint.parse(f"http{tls}://127.0.0.1:{server.port}/v1"),
        access_key_id="CKIDTEST",
        secret_key=SECRET,
        credentials_source="the tests",
        request_timeout=timedelta(seconds=seconds),
        max_retries=0,
    )
    return CrusoeClient(settings, stop=stop or threading.Event())


# -- Time ------------------------------------------------------------------------------------------


def drip(start: bytes, piece: bytes) -> Callable[[socket.socket, HostileServer], None]:
    def answer(connection: socket.socket, server: HostileServer) -> None:
        connection.sendall(start)
        while not server.over.wait(0.05):
            connection.sendall(piece)

    return answer


def hang(connection: socket.socket, server: HostileServer) -> None:
    del connection
    server.over.wait(20)


SLOW = {
    "nothing": hang,
    "body": drip(whole(b"", b"Content-Length: 100000"), b" "),
    "chunks": drip(
        whole(b"", b"Content-Length: 0").replace(
            b"Content-Length: 0", b"Transfer-Encoding: chunked"
        ),
        b"1\r\n \r\n",
    ),
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "status": drip(b"", b"H"),
    "continue": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@every_call
@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW.keys())
def test_the_time_limit_is_one_for_the_whole_request(
    call: Call, answer: Callable[[socket.socket, HostileServer], None]
) -> None:
    """However a server keeps it alive; what it did in the meantime nobody knows."""
    with hostile_server(answer) as server:
        client = client_of(server)
        began = time.monotonic()

        with pytest.raises(errors.RequestError) as error:
            call(client)

        assert error.value.may_have_happened
        assert time.monotonic() - began < 4
        client.close()


def test_a_handshake_that_hangs_is_bounded_too() -> None:
    """Nothing was sent."""
    with hostile_server(hang, reads=False) as server:
        client = client_of(server, tls="s")
        began = time.monotonic()

        with pytest.raises(errors.ConnectionFailed, match="in time") as error:
            create_key(client)

        assert not error.value.may_have_happened
        assert time.monotonic() - began < 4
        client.close()


@pytest.mark.parametrize("tls", ["", "s"])
def test_a_stop_ends_a_list_that_is_waited_for(tls: str) -> None:
    """At once, and not after its time-out; in the handshake, too."""
    with hostile_server(hang, reads=not tls) as server:
        stop = threading.Event()
        client = client_of(server, stop=stop, seconds=30, tls=tls)
        timer = threading.Timer(0.3, stop.set)
        timer.start()
        began = time.monotonic()

        with pytest.raises(errors.Interrupted):
            list_keys(client)

        assert time.monotonic() - began < 3
        timer.join()
        client.close()


def test_a_stop_does_not_cut_a_creation_off() -> None:
    """Its answer has the only copy of a secret."""

    def late(connection: socket.socket, server: HostileServer) -> None:
        server.over.wait(0.8)
        connection.sendall(whole(CREATED))

    with hostile_server(late) as server:
        stop = threading.Event()
        client = client_of(server, stop=stop, seconds=10)

        def stop_when_asked() -> None:
            server.asked.wait(5)
            stop.set()

        threading.Thread(target=stop_when_asked).start()

        assert create_key(client).access_key_id == "CKIA1"

        assert stop.is_set()
        client.close()


def test_a_list_that_has_to_be_finished_is_waited_for_after_a_stop() -> None:
    """As long as any request may take."""

    def late(connection: socket.socket, server: HostileServer) -> None:
        server.over.wait(0.6)
        connection.sendall(whole(b'{"items": []}'))

    with hostile_server(late) as server:
        stop = threading.Event()
        stop.set()
        client = client_of(server, stop=stop, seconds=10)

        assert client.list_keys("o", finish=True) == ()
        client.close()


# -- Size ------------------------------------------------------------------------------------------


def flood(start: bytes, piece: bytes) -> Callable[[socket.socket, HostileServer], None]:
    def answer(connection: socket.socket, server: HostileServer) -> None:
        connection.sendall(start)
        while not server.over.is_set():
            connection.sendall(piece)

    return answer


CHUNKED = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b"10000\r\n" + b"[" * 65536 + b"\r\n"


@every_call
@pytest.mark.parametrize("status", [b"200 OK", b"500 No"])
def test_an_answer_without_an_end_is_given_up(call: Call, status: bytes) -> None:
    """Before it takes the memory of the machine."""
    with hostile_server(flood(CHUNKED % status, PIECE)) as server:
        client = client_of(server, seconds=20)
        tracemalloc.start()

        with pytest.raises(errors.RequestError) as error:
            call(client)

        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert error.value.may_have_happened
        assert peak < 100 * MEBIBYTE
        client.close()


def test_a_list_of_millions_of_things_is_given_up() -> None:
    """Which would fit the limit in bytes."""
    content = b'{"items": [' + b"[]," * (8 * MEBIBYTE) + b"0]}"
    with hostile_server(lambda connection, _: connection.sendall(whole(content))) as server:
        client = client_of(server, seconds=20)

        with pytest.raises(errors.UnexpectedAnswer, match="too many values"):
            list_keys(client)

        client.close()


@pytest.mark.parametrize("encoding", [b"gzip", b"gzip, gzip", b"br", b"identity, gzip", b"\xff"])
@every_call
def test_what_is_compressed_is_not_unpacked(call: Call, encoding: bytes) -> None:
    """It was asked not to be; two kilobytes may be three gigabytes."""
    content = whole(b"\x1f\x8b" * 100, b"Content-Encoding: " + encoding)
    with hostile_server(lambda connection, _: connection.sendall(content)) as server:
        client = client_of(server)

        with pytest.raises(errors.UnexpectedAnswer, match="compressed"):
            call(client)

        assert b"accept-encoding: identity" in server.requests[0].lower()
        client.close()


# -- Oddities --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookie", [b"a=b", b"\xfcmlaut=\xff\xfe", b"\x80=\x80; Path=\xff", b";;;="]
)
def test_cookies_are_not_kept(cookie: bytes) -> None:
    """Nobody needs them, and one that cannot be sent back would break all that follows."""
    content = whole(b'{"items": []}', b"Set-Cookie: " + cookie, b"Connection: close")
    with hostile_server(lambda connection, _: connection.sendall(content)) as server:
        client = client_of(server, seconds=5)

        assert list_keys(client) == list_keys(client) == ()

        assert len(server.requests) == 2
        assert b"cookie" not in b"".join(server.requests).lower()
        client.close()


@pytest.mark.parametrize(
    "header", [b"Content-Type: \xff\xfe", b"Retry-After: \xff", b"Date: \xfc", b"Location: \xff"]
)
@pytest.mark.parametrize("status", [b"200 OK", b"302 Found", b"401 No", b"503 No", b"599 \xff"])
def test_headers_beyond_ascii_break_nothing(header: bytes, status: bytes) -> None:
    """Whatever comes out is an error of ours, or a list."""
    content = whole(b'{"items": []}', header, status=status)
    with hostile_server(lambda connection, _: connection.sendall(content)) as server:
        client = client_of(server, seconds=5)

        try:
            assert list_keys(client) == ()
        except errors.RequestError as error:
            assert str(error).isprintable()  # noqa: PT017 - either outcome is right
        client.close()


@pytest.mark.parametrize(
    "answer",
    [
        CREATED[:-1],
        b'{"access_key_id": "CKIA1", "secret_key": "SK-the-new-sec',
        b"",
    ],
)
def test_a_creation_whose_answer_breaks_off_may_have_happened(answer: bytes) -> None:
    """Half a secret is none."""
    content = whole(answer, b"Content-Length: 1000")
    with hostile_server(lambda connection, _: connection.sendall(content)) as server:
        client = client_of(server)

        with pytest.raises(errors.ConnectionFailed, match="cut") as error:
            create_key(client)

        assert error.value.may_have_happened
        client.close()


def test_a_secret_that_came_before_the_connection_broke_is_kept() -> None:
    """The document is whole, whatever the length that was announced."""
    content = whole(CREATED, b"Content-Length: 1000")
    with hostile_server(lambda connection, _: connection.sendall(content)) as server:
        client = client_of(server)

        assert create_key(client).secret_key == "SK-the-new-secret"
        client.close()


def test_plain_http_never_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name under localhost may resolve to something else by the time of the connection."""
    with hostile_server(hang) as server:
        client = client_of(server)
        monkeypatch.setattr(network, "is_loopback_address", lambda _: False)

        with pytest.raises(errors.ConnectionFailed, match="this machine only") as error:
            client.identity()

        assert not error.value.may_have_happened
        assert server.requests == []
        client.close()
