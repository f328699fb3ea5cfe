"""The distance of the benchmark."""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import certifi
import httpx
import pytest

from bench.distance import Far

ROUND_TRIP = 0.08


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server that answers at once."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def get(client: httpx.Client, far: Far) -> float:
    """Make a request, and return how long it took."""
    started = time.perf_counter()
    assert client.get(f"https://127.0.0.1:{far.port}/").text == "hello"
    return time.perf_counter() - started


def test_a_request_takes_a_round_trip(tmp_path: Path, port: int) -> None:
    """One; on a new connection three: for TCP, for TLS, and for itself."""
    with Far(tmp_path, port, ROUND_TRIP) as far:
        context = ssl.create_default_context(cafile=str(far.authorities))
        with httpx.Client(verify=context, trust_env=False) as client:
            first, *later = (get(client, far) for _ in range(4))

    assert first > 3 * ROUND_TRIP
    # Machines under load are late, but not each time.
    assert ROUND_TRIP < min(later) < 2 * ROUND_TRIP


@pytest.mark.parametrize("has_folder", [True, False])
def test_its_authority_is_in_a_folder_where_the_system_has_one(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, has_folder: bool
) -> None:
    """By their hashes, the system's own beside it."""
    system = tmp_path / "system"
    system.mkdir()
    if has_folder:
        (system / "01234567.0").symlink_to(certifi.where())
    paths = ssl.get_default_verify_paths()._replace(capath=str(system))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)

    with Far(tmp_path / "far", port, 0.0) as far:
        if far.folder is not None:
            context = ssl.create_default_context(capath=str(far.folder))
            with httpx.Client(verify=context, trust_env=False) as client:
                get(client, far)
            assert (far.folder / "01234567.0").is_file()

    assert (far.folder is not None) is has_folder


def test_its_certificate_is_not_trusted_by_everybody(tmp_path: Path, port: int) -> None:
    """Only by who is given its authority: the whole check is part of what is measured."""
    with Far(tmp_path, port, 0.0) as far, pytest.raises(httpx.ConnectError):
        httpx.get(f"https://127.0.0.1:{far.port}/", trust_env=False)
