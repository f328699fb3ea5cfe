"""The simulated Crusoe Cloud, seen from outside: its rules, and whose requests it takes."""

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from crusoe_simulator.server import Simulator
from crusoe_simulator.state import User
from support.signed_requests import send
from support.simulator_fixtures import Crusoe


@pytest.fixture
def lax() -> Iterator[Crusoe]:
    """A simulator for requests that break the contract."""
    with Simulator() as simulator:
        organization = simulator.cloud.add_organization("acme")
        yield Crusoe(simulator, organization, simulator.cloud.add_user("dev@x", organization))


# -- Rules -----------------------------------------------------------------------------------------


def test_a_key_from_creation_to_deletion(crusoe: Crusoe) -> None:
    """The secret is in the answer to the creation alone; a deleted key is gone at once."""
    path = crusoe.keys_path

    created = send(crusoe.simulator, crusoe.user, "POST", path, {"alias": "a"}).document
    (listed,) = send(crusoe.simulator, crusoe.user, "GET", path).document["items"]
    deleted = send(crusoe.simulator, crusoe.user, "DELETE", f"{path}/{created['access_key_id']}")
    again = send(crusoe.simulator, crusoe.user, "DELETE", f"{path}/{created['access_key_id']}")

    assert listed["access_key_id"] == created["access_key_id"]
    assert (listed["alias"], listed["expire_at"]) == ("a", "1970-01-01T00:00:00Z")
    assert "secret_key" not in listed
    assert (deleted.status, deleted.document) == (204, None)
    assert (again.status, again.document) == (404, {"code": "404", "message": "not_found"})


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2040-01-01T01:00:00+01:00", "2040-01-01T00:00:00Z"),
        ("2040-01-01T00:00:00.999Z", "2040-01-01T00:00:00Z"),
        ("", "1970-01-01T00:00:00Z"),
    ],
)
def test_expiries_come_back_in_utc_and_whole_seconds(
    crusoe: Crusoe, given: str, stored: str
) -> None:
    reply = send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {"expire_at": given})

    assert reply.document["expire_at"] == stored


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {"alias": 1},
        {"expire_at": 5},
        {"expire_at": "soon"},
        {"expire_at": "2040-01-01"},
        {"expire_at": "2040-01-01T00:00:00"},
        {"expire_at": "0001-01-01T00:00:00+01:00"},
    ],
)
def test_bodies_that_are_not_as_documented_are_refused(lax: Crusoe, body: Any) -> None:
    assert send(lax.simulator, lax.user, "POST", lax.keys_path, body).status == 400


def test_a_third_key_is_refused_and_expired_and_disabled_ones_count(crusoe: Crusoe) -> None:
    cloud = crusoe.simulator.cloud
    cloud.add_key(crusoe.user, status="disabled")
    cloud.add_key(crusoe.user, expire_at="2020-01-01T00:00:00Z")

    assert send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {}).status == 400


def test_the_limit_is_per_user_and_organization(crusoe: Crusoe) -> None:
    cloud = crusoe.simulator.cloud
    elsewhere = cloud.add_organization("elsewhere")
    user = cloud.add_user("both@x", crusoe.organization, elsewhere)
    for _ in range(2):
        cloud.add_key(crusoe.user)
        cloud.add_key(user, elsewhere.id)

    assert send(crusoe.simulator, user, "POST", crusoe.keys_path, {}).status == 200


def test_of_two_creations_at_once_for_one_slot_one_wins(crusoe: Crusoe) -> None:
    crusoe.simulator.cloud.add_key(crusoe.user)
    barrier = threading.Barrier(2)

    def create(_: int) -> int:
        barrier.wait(10)
        return send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {}).status

    with ThreadPoolExecutor(2) as executor:
        assert sorted(executor.map(create, range(2))) == [200, 400]


def test_keys_of_others_are_shown_or_not_and_never_deleted(crusoe: Crusoe) -> None:
    """The documentation can be read both ways."""
    cloud = crusoe.simulator.cloud
    other = cloud.add_user("other@x", crusoe.organization)
    key = cloud.add_key(other)

    def listed() -> int:
        reply = send(crusoe.simulator, crusoe.user, "GET", crusoe.keys_path)
        return len(reply.document["items"])

    assert listed() == 1
    cloud.list_scope = "caller"
    assert listed() == 0
    path = f"{crusoe.keys_path}/{key.access_key_id}"
    assert send(crusoe.simulator, crusoe.user, "DELETE", path).status == 404


def test_a_list_has_no_order(crusoe: Crusoe) -> None:
    for n in range(8):
        crusoe.simulator.cloud.add_key(crusoe.user, alias=str(n))

    orders = {
        tuple(
            item["alias"]
            for item in send(crusoe.simulator, crusoe.user, "GET", crusoe.keys_path).document[
                "items"
            ]
        )
        for _ in range(5)
    }

    assert len(orders) > 1


def test_strangers_and_users_without_the_role_are_forbidden(crusoe: Crusoe) -> None:
    cloud = crusoe.simulator.cloud
    stranger = cloud.add_user("stranger@x", cloud.add_organization("elsewhere"))
    reader = cloud.add_user("reader@x", crusoe.organization, may_manage_keys=False)

    replies = [send(crusoe.simulator, u, "GET", crusoe.keys_path) for u in (stranger, reader)]

    assert [r.status for r in replies] == [403, 403]
    assert replies[0].document == {"code": "403", "message": "unauthorized"}


# -- Signatures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_early_signature_is_refused(crusoe: Crusoe, minutes: int) -> None:
    now = datetime.now(UTC) + timedelta(minutes=minutes)

    reply = send(crusoe.simulator, crusoe.user, "GET", "/users/identities", now=now)

    assert (reply.status, reply.document["message"]) == (401, "bad_credential")


def test_a_signature_is_for_one_method_path_and_time(lax: Crusoe) -> None:
    """Taken from another request it is worth nothing; so is one of an unknown key, or none."""
    other_secret = User("i", "e", lax.user.access_key_id, "b3RoZXI")
    unknown = User("i", "e", "CKIDUNKNOWN", lax.user.secret_key)
    path = lax.keys_path

    assert send(lax.simulator, None, "GET", path).status == 401
    assert send(lax.simulator, other_secret, "GET", path).status == 401
    assert send(lax.simulator, unknown, "GET", path).status == 401
    assert send(lax.simulator, lax.user, "GET", path, Authorization="Bearer x").status == 401


@pytest.mark.parametrize(("query", "status"), [("a=1&b=2", 200), ("b=2&a=1", 401), ("a=1;b", 401)])
def test_parameters_come_in_the_order_in_which_they_are_signed(
    lax: Crusoe, query: str, status: int
) -> None:
    assert send(lax.simulator, lax.user, "GET", f"{lax.keys_path}?{query}").status == status


# -- Connections -----------------------------------------------------------------------------------


def test_one_connection_serves_many_requests(crusoe: Crusoe) -> None:
    """Whatever the answers, and whether or not anybody looks at what was sent."""
    url = urlsplit(crusoe.simulator.endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.connect()
    socket = connection.sock

    def status(method: str, target: str, body: str | None = None) -> int:
        connection.request(method, target, body)
        response = connection.getresponse()
        response.read()
        # The client opens another one unasked where the server has closed this.
        assert connection.sock is socket
        return response.status

    statuses = [
        status("GET", f"{urlsplit(crusoe.simulator.control).path}/keys"),
        status("POST", "/v1/nowhere", "x" * 100_000),
        status("GET", "/v1/nowhere"),
    ]
    connection.close()

    assert statuses == [200, 404, 404]
