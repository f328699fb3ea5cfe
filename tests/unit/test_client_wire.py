"""The client on real connections: proxies, and what the libraries below it write down."""

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from crusoe_provider.api import errors
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.proxies import proxy_for
from crusoe_provider.api.settings import Settings
from support.api_fixtures import SECRET

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


def client(endpoint: str) -> CrusoeClient:
    settings = Settings(
        endpoint=Endpoint.parse(endpoint),
        proxy=proxy_for(Endpoint.parse(endpoint), os.environ),
        access_key_id="CKIDTEST",
        secret_key=SECRET,
        credentials_source="the tests",
        max_retries=0,
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
