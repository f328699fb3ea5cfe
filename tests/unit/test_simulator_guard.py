"""Whom the simulator serves: programs on this machine, and no web page in a browser on it."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from crusoe_simulator.server import Simulator

WHERE = ["API", "control", "S3"]
JSON = "application/json"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator that serves everything it can, to one user."""
    with Simulator(s3=True) as simulator:
        simulator.cloud.add_user("dev@x", simulator.cloud.add_organization("acme"))
        yield simulator


def status(
    simulator: Simulator,
    where: str,
    method: str = "GET",
    path: str = "",
    body: str | None = None,
    **headers: str,
) -> int:
    bases = {
        "API": f"{simulator.endpoint}/users/identities",
        "control": f"{simulator.control}/keys",
        "S3": f"{simulator.s3_endpoint}/",
    }
    url = urlsplit(bases[where])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path or url.path, body, given)
        return connection.getresponse().status
    finally:
        connection.close()


def body_of_refusal(simulator: Simulator, **headers: str) -> bytes:
    url = urlsplit(simulator.endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    try:
        connection.request("GET", "/v1/users/identities", headers=headers)
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1", "localhost", "LocalHost:65535", "[::1]", "[::1]:80"]
)
def test_it_answers_to_the_names_of_loopback(simulator: Simulator, host: str) -> None:
    """With any port, as behind a tunnel; a 401 is an answer of the API, and says who is missing."""
    assert b"bad_credential" in body_of_refusal(simulator, Host=host)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "127.0.0.1.rebound.example",
        "localhost.example:80",
        "127.0.0.1@rebound.example",
        "127.0.0.1:80:80",
        "localhost\u00a0",
        "",
    ],
)
def test_it_answers_to_no_other_name(simulator: Simulator, where: str, host: str) -> None:
    """A page could let its own name point here, and would be allowed to read the answers."""
    assert status(simulator, where, Host=host) == 403


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("origin", ["https://page.example", "http://localhost", "null", ""])
def test_it_answers_no_web_page(simulator: Simulator, where: str, origin: str) -> None:
    """Not even one that has come from this machine."""
    assert status(simulator, where, Origin=origin) == 403
    assert simulator.api.requests.all() == []


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (JSON, 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain; application/json", 415),
        ("", 415),
    ],
)
def test_the_control_interface_takes_json_only(
    simulator: Simulator, content_type: str, expected: int
) -> None:
    """What a form can send without asking first is of another type."""
    answer = status(simulator, "control", "POST", body="{}", Content_Type=content_type)

    assert answer == expected
    assert len(simulator.cloud.keys()) == int(expected == 200)


def test_no_body_needs_no_type(simulator: Simulator) -> None:
    assert status(simulator, "control", "DELETE", "/_simulator/requests") == 200
