"""The simulated Crusoe Cloud, seen from outside: rules, signatures, faults, control."""

import http.client
import json
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from openapi_spec_validator import validate
from werkzeug.wrappers import Request, Response

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.server import Simulator
from crusoe_simulator.state import Cloud, User
from support.contract import DOCUMENT, ContractCheck
from support.signed_requests import control, send
from support.simulator_fixtures import Crusoe


def keys_path(crusoe: Crusoe) -> str:
    return f"/organizations/{crusoe.organization.id}/storage/s3/keys"


@pytest.fixture
def lax() -> Iterator[Crusoe]:
    """A simulator for requests that break the contract."""
    with Simulator() as simulator:
        organization = simulator.cloud.add_organization("acme")
        yield Crusoe(simulator, organization, simulator.cloud.add_user("dev@x", organization))


# -- The contract ----------------------------------------------------------------------------------


def test_the_contract_is_valid_openapi() -> None:
    validate(yaml.safe_load(DOCUMENT.read_text()))


def test_the_contract_check_notices_violations() -> None:
    """A check that could not fail would prove nothing."""
    check = ContractCheck()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/users/identities", "wsgi.input": None}

    check(Request(environ), Response("{}", content_type="application/json"))

    assert check.violations


# -- Rules -----------------------------------------------------------------------------------------


def test_a_key_from_creation_to_deletion(crusoe: Crusoe) -> None:
    """The secret is in the answer to the creation alone; a deleted key is gone at once."""
    path = keys_path(crusoe)

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
    reply = send(crusoe.simulator, crusoe.user, "POST", keys_path(crusoe), {"expire_at": given})

    assert reply.document["expire_at"] == stored


@pytest.mark.parametrize("body", [[], "x", {"alias": 1}, {"expire_at": "soon"}, {"expire_at": 5}])
def test_bodies_that_are_not_as_documented_are_refused(lax: Crusoe, body: Any) -> None:
    assert send(lax.simulator, lax.user, "POST", keys_path(lax), body).status == 400


def test_a_third_key_is_refused_and_expired_and_disabled_ones_count(crusoe: Crusoe) -> None:
    cloud = crusoe.simulator.cloud
    cloud.add_key(crusoe.user, status="disabled")
    cloud.add_key(crusoe.user, expire_at="2020-01-01T00:00:00Z")

    assert send(crusoe.simulator, crusoe.user, "POST", keys_path(crusoe), {}).status == 400


def test_the_limit_is_per_user_and_organization(crusoe: Crusoe) -> None:
    cloud = crusoe.simulator.cloud
    elsewhere = cloud.add_organization("elsewhere")
    user = cloud.add_user("both@x", crusoe.organization, elsewhere)
    for _ in range(2):
        cloud.add_key(crusoe.user)
        cloud.add_key(user, elsewhere.id)

    assert send(crusoe.simulator, user, "POST", keys_path(crusoe), {}).status == 200


def test_of_two_creations_at_once_for_one_slot_one_wins(crusoe: Crusoe) -> None:
    crusoe.simulator.cloud.add_key(crusoe.user)
    barrier = threading.Barrier(2)

    def create(_: int) -> int:
        barrier.wait(10)
        return send(crusoe.simulator, crusoe.user, "POST", keys_path(crusoe), {}).status

    with ThreadPoolExecutor(2) as executor:
        assert sorted(executor.map(create, range(2))) == [200, 400]


def test_keys_of_others_are_shown_or_not_and_never_deleted(crusoe: Crusoe) -> None:
    """The documentation can be read both ways."""
    cloud = crusoe.simulator.cloud
    other = cloud.add_user("other@x", crusoe.organization)
    key = cloud.add_key(other)

    def listed() -> int:
        reply = send(crusoe.simulator, crusoe.user, "GET", keys_path(crusoe))
        return len(reply.document["items"])

    assert listed() == 1
    cloud.list_scope = "caller"
    assert listed() == 0
    path = f"{keys_path(crusoe)}/{key.access_key_id}"
    assert send(crusoe.simulator, crusoe.user, "DELETE", path).status == 404


def test_a_list_has_no_order(crusoe: Crusoe) -> None:
    for n in range(8):
        crusoe.simulator.cloud.add_key(crusoe.user, alias=str(n))

    orders = {
        tuple(
            item["alias"]
            for item in send(crusoe.simulator, crusoe.user, "GET", keys_path(crusoe)).document[
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

    replies = [send(crusoe.simulator, u, "GET", keys_path(crusoe)) for u in (stranger, reader)]

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
    path = keys_path(lax)

    assert send(lax.simulator, None, "GET", path).status == 401
    assert send(lax.simulator, other_secret, "GET", path).status == 401
    assert send(lax.simulator, unknown, "GET", path).status == 401
    assert send(lax.simulator, lax.user, "GET", path, Authorization="Bearer x").status == 401


@pytest.mark.parametrize(("query", "status"), [("a=1&b=2", 200), ("b=2&a=1", 401), ("a=1;b", 401)])
def test_parameters_come_in_the_order_in_which_they_are_signed(
    lax: Crusoe, query: str, status: int
) -> None:
    assert send(lax.simulator, lax.user, "GET", f"{keys_path(lax)}?{query}").status == status


# -- Faults ----------------------------------------------------------------------------------------


def test_an_answer_can_be_replaced_before_or_after_the_work(crusoe: Crusoe) -> None:
    faults, path = crusoe.simulator.faults, keys_path(crusoe)
    faults.add(Fault("create", answer=Answer(500, "{}")))
    faults.add(Fault("create", answer=Answer(502, "{}"), carried_out=True))

    statuses = [
        send(crusoe.simulator, crusoe.user, "POST", path, {"alias": str(n)}).status
        for n in range(3)
    ]

    assert statuses == [500, 502, 200]
    assert crusoe.aliases() == ["1", "2"]


@pytest.mark.parametrize(("cut", "made"), [("before", 0), ("after", 1), ("within", 1)])
def test_a_connection_can_be_cut(crusoe: Crusoe, cut: Any, made: int) -> None:
    crusoe.simulator.faults.add(Fault("create", cut=cut))

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        send(crusoe.simulator, crusoe.user, "POST", keys_path(crusoe), {})

    assert len(crusoe.simulator.cloud.keys()) == made


def test_a_request_can_be_held_and_let_go(crusoe: Crusoe) -> None:
    fault = crusoe.simulator.faults.add(Fault("create", hold="after"))
    with ThreadPoolExecutor(1) as executor:
        reply = executor.submit(send, crusoe.simulator, crusoe.user, "POST", keys_path(crusoe), {})
        fault.wait_arrived()
        assert len(crusoe.simulator.cloud.keys()) == 1
        assert not reply.done()
        fault.release()

        assert reply.result(10).status == 200


def test_fields_can_be_put_in_and_left_out(crusoe: Crusoe) -> None:
    crusoe.simulator.faults.add(Fault("create", patch={"secret_key": None, "more": 1}))

    document = send(crusoe.simulator, crusoe.user, "POST", keys_path(crusoe), {}).document

    assert set(document) == {"access_key_id", "expire_at", "more"}


def test_some_requests_can_pass_before_a_fault(crusoe: Crusoe) -> None:
    crusoe.simulator.faults.add(Fault("*", after=1, times=None, answer=Answer(503, "{}")))

    statuses = [
        send(crusoe.simulator, crusoe.user, "GET", "/users/identities").status for _ in range(3)
    ]

    assert statuses == [200, 503, 503]


def test_new_keys_can_be_missing_from_some_lists(crusoe: Crusoe) -> None:
    crusoe.simulator.cloud.list_lag = 2
    send(crusoe.simulator, crusoe.user, "POST", keys_path(crusoe), {})

    counts = [
        len(send(crusoe.simulator, crusoe.user, "GET", keys_path(crusoe)).document["items"])
        for _ in range(3)
    ]

    assert counts == [0, 0, 1]


# -- Control ---------------------------------------------------------------------------------------


def test_the_control_interface_does_it_all_over_http(crusoe: Crusoe) -> None:
    simulator, path = crusoe.simulator, keys_path(crusoe)
    key = control(simulator, "POST", "/keys", {"user": crusoe.user.email, "alias": "behind"})
    control(simulator, "PATCH", f"/keys/{key['key_uuid']}", {"status": "disabled"})
    control(simulator, "POST", "/faults", {"operation": "list", "answer": {"status": 503}})
    control(simulator, "POST", "/list-lag", {"lists": 1})

    statuses = [send(simulator, crusoe.user, "GET", path).status for _ in range(2)]
    (listed,) = control(simulator, "GET", "/keys")["keys"]
    requests = control(simulator, "GET", "/requests")["requests"]
    control(simulator, "DELETE", f"/keys/{key['key_uuid']}")
    moved = control(simulator, "POST", "/clock", {"advance_seconds": 3600})

    assert statuses == [503, 200]
    assert (listed["alias"], listed["status"]) == ("behind", "disabled")
    assert "secret_key" not in listed
    assert [r["status"] for r in requests] == [503, 200]
    assert simulator.cloud.keys() == []
    assert datetime.fromisoformat(moved["now"]) - datetime.now(UTC) > timedelta(minutes=59)
    assert send(simulator, crusoe.user, "GET", "/users/identities").status == 401


def test_the_control_interface_holds_and_releases(crusoe: Crusoe) -> None:
    simulator = crusoe.simulator
    held = control(simulator, "POST", "/faults", {"operation": "identity", "hold": "before"})
    with ThreadPoolExecutor(1) as executor:
        reply = executor.submit(send, simulator, crusoe.user, "GET", "/users/identities")

        assert control(simulator, "GET", f"/faults/{held['id']}/arrived") == {"arrived": True}
        control(simulator, "POST", f"/faults/{held['id']}/release")

        assert reply.result(10).status == 200


def test_connections_are_kept(crusoe: Crusoe) -> None:
    url = urlsplit(crusoe.simulator.control)
    connection = http.client.HTTPConnection(url.hostname or "", url.port)
    for _ in range(2):
        connection.request("GET", f"{url.path}/keys")
        connection.getresponse().read()
        assert connection.sock
    connection.close()


# -- The state file, the command -------------------------------------------------------------------


def test_the_state_survives_in_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    first = Cloud(file=file)
    organization = first.add_organization("acme")
    user = first.add_user("dev@x", organization)
    key = first.add_key(user, alias="kept")

    second = Cloud(file=file)

    assert second.keys() == [key]
    assert second.users == [user]
    assert second.organizations == [organization]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_as_a_command_it_says_when_it_is_ready_and_ends_on_a_signal() -> None:
    command = [sys.executable, "-m", "crusoe_simulator"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        try:
            assert urlsplit(ready["endpoint"]).hostname == "127.0.0.1"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_as_a_command_it_explains_itself() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "crusoe_simulator", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "loopback" in help_text
