"""The client on real connections: proxies, and what the libraries below it write down."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crusoe_provider.api import errors
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.proxies import proxy_for
from crusoe_provider.api.settings import Settings
from crusoe_provider.api.tls import Authorities
from support.api_fixtures import SECRET
from support.hostile_server import HostileServer, hostile_server
from support.tls_servers import tls_server

NEW_SECRET = "SK-the-new-secret"
BODIES = {
    "GET": b'{"items": []}',
    "POST": f'{{"access_key_id": "CKIA1", "secret_key": "{NEW_SECRET}"}}'.encode(),
}
PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]


@dataclass
class Server:
    """A server on this machine, which is the API, or a proxy that lets nobody through.

    Attributes:
        requests: The request lines that came in, and their headers.
        address: Its host and port.
    """

    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            found.requests.append((self.requestline, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = BODIES.get(self.command, b"")
            self.send_response(200 if body else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_CONNECT = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: Any) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        found.address = f"127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def client(endpoint: str, authorities: Authorities | None = None) -> CrusoeClient:
    settings = Settings(
        endpoint=Endpoint.parse(endpoint),
        proxy=proxy_for(Endpoint.parse(endpoint), os.environ),
        access_key_id="CKIDTEST",
        secret_key=SECRET,
        credentials_source="the tests",
        max_retries=0,
        request_timeout=timedelta(seconds=3),
        authorities=authorities,
    )
    return CrusoeClient(settings, stop=threading.Event())


def test_a_server_on_this_machine_is_reached_without_a_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says of proxies is about the world outside."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    crusoe = client(f"http://{server.address}/v1")

    assert crusoe.list_keys("o") == ()

    assert [line for line, _ in server.requests] == [
        "GET /v1/organizations/o/storage/s3/keys HTTP/1.1"
    ]
    crusoe.close()


def test_any_other_server_is_reached_through_the_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which learns the host and no more; if it refuses, nothing has happened at the API."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
    crusoe = client("https://api.example/v1")

    with pytest.raises(errors.ConnectionFailed, match="proxy") as error:
        crusoe.create_key("o", alias=None, expire_at=None)

    assert not error.value.may_have_happened
    assert [line for line, _ in server.requests] == ["CONNECT api.example:443 HTTP/1.1"]
    assert "Authorization" not in server.requests[0][1]
    crusoe.close()


def test_a_port_where_nobody_listens_is_no_connection(server: Server) -> None:
    """Nothing was sent, so nothing can have happened."""
    crusoe = client("http://127.0.0.1:1/v1")

    with pytest.raises(errors.ConnectionFailed, match="could not be made") as error:
        crusoe.create_key("o", alias=None, expire_at=None)

    assert not error.value.may_have_happened
    assert server.requests == []
    crusoe.close()


def test_no_library_below_writes_a_secret_down(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Terraform shows the log of all of them under TF_LOG=DEBUG."""
    caplog.set_level(logging.DEBUG)
    crusoe = client(f"http://{server.address}/v1")

    assert crusoe.create_key("o", alias=None, expire_at=None).secret_key == NEW_SECRET

    text = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    signature = server.requests[0][1]["Authorization"].rpartition(":")[2]
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}
    assert all(secret not in text for secret in (SECRET, NEW_SECRET, signature))
    crusoe.close()


# -- Proxies ---------------------------------------------------------------------------------------


def socks_to(target: int) -> Callable[[socket.socket, HostileServer], None]:
    """Speak SOCKS 5 with whoever connects, and lead them to `target` on this machine."""

    def answer(connection: socket.socket, server: HostileServer) -> None:
        connection.recv(16)  # which ways to log in there are
        connection.sendall(b"\x05\x00")
        server.requests.append(connection.recv(512))
        connection.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        with socket.create_connection(("127.0.0.1", target), timeout=10) as there:
            back = threading.Thread(target=copy, args=(there, connection))
            back.start()
            copy(connection, there)
            back.join()

    return answer


def copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_leads_to_the_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """It is told the name of the host, and sees nothing of what is said there."""
    with (
        tls_server(tmp_path, name="api.example") as api,
        hostile_server(socks_to(api.port), reads=False) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{proxy.port}")
        crusoe = client("https://api.example/v1", Authorities(file=str(api.certificate)))

        assert crusoe.create_key("o", alias=None, expire_at=None).access_key_id == "CKIA1"

        assert b"api.example" in proxy.requests[0]
        crusoe.close()


def hang(connection: socket.socket, server: HostileServer) -> None:
    del connection
    server.over.wait(20)


def test_a_proxy_that_hangs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time of the request."""
    with hostile_server(hang) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        crusoe = client("https://api.example/v1")
        began = time.monotonic()

        with pytest.raises(errors.ConnectionFailed):
            crusoe.identity()

        assert time.monotonic() - began < 6
        crusoe.close()


def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    """Servers and balancers cut what is idle without a word; the next request, a POST, works."""
    closed = threading.Semaphore(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(BODIES[self.command])))
            self.end_headers()
            self.wfile.write(BODIES[self.command])
            self.close_connection = True

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: Any) -> None:
            """Keep the tests' output clean."""

    class Closing(ThreadingHTTPServer):
        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request)
            closed.release()

    with Closing(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        crusoe = client(f"http://127.0.0.1:{http.server_port}/v1")
        for _ in range(2):
            assert crusoe.list_keys("o") == ()
            assert closed.acquire(timeout=10)
            key = crusoe.create_key("o", alias=None, expire_at=None)
            assert closed.acquire(timeout=10)
            assert key.secret_key == NEW_SECRET
        crusoe.close()
        http.shutdown()
        thread.join()
