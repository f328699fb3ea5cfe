"""What a test can make the simulator do wrong, in its own process and over HTTP."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.server import Simulator
from support.signed_requests import control, send
from support.simulator_fixtures import Crusoe

# -- Faults ----------------------------------------------------------------------------------------


def test_an_answer_can_be_replaced_before_or_after_the_work(crusoe: Crusoe) -> None:
    faults, path = crusoe.simulator.faults, crusoe.keys_path
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
        send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {})

    assert len(crusoe.simulator.cloud.keys()) == made


def test_a_request_can_be_held_and_let_go(crusoe: Crusoe) -> None:
    fault = crusoe.simulator.faults.add(Fault("create", hold="after"))
    with ThreadPoolExecutor(1) as executor:
        reply = executor.submit(send, crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {})
        fault.wait_arrived()
        assert len(crusoe.simulator.cloud.keys()) == 1
        assert not reply.done()
        fault.release()

        assert reply.result(10).status == 200


def test_fields_can_be_put_in_and_left_out(crusoe: Crusoe) -> None:
    crusoe.simulator.faults.add(Fault("create", patch={"secret_key": None, "more": 1}))

    document = send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {}).document

    assert set(document) == {"access_key_id", "expire_at", "more"}


def test_a_patched_answer_keeps_its_status_and_an_empty_one_stays_empty(crusoe: Crusoe) -> None:
    crusoe.simulator.faults.add(Fault("*", times=None, patch={"reason": "patched"}))
    (key, _) = (crusoe.simulator.cloud.add_key(crusoe.user) for _ in range(2))

    refused = send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {})
    deleted = send(
        crusoe.simulator, crusoe.user, "DELETE", f"{crusoe.keys_path}/{key.access_key_id}"
    )

    assert (refused.status, refused.document["reason"]) == (400, "patched")
    assert (deleted.status, deleted.document) == (204, None)


def test_an_answer_has_the_headers_that_it_is_given_once(crusoe: Crusoe) -> None:
    headers = {"Content-Type": "text/html", "Retry-After": "7"}
    crusoe.simulator.faults.add(Fault("identity", answer=Answer(503, "<p>", headers=headers)))
    url = urlsplit(crusoe.simulator.endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)

    connection.request("GET", f"{url.path}/users/identities")
    response = connection.getresponse()
    text = response.read()
    connection.close()

    assert response.headers.get_all("Content-Type") == ["text/html"]
    assert (response.status, response.headers["Retry-After"], text) == (503, "7", b"<p>")


def test_some_requests_can_pass_before_a_fault(crusoe: Crusoe) -> None:
    crusoe.simulator.faults.add(Fault("*", after=1, times=None, answer=Answer(503, "{}")))

    statuses = [
        send(crusoe.simulator, crusoe.user, "GET", "/users/identities").status for _ in range(3)
    ]

    assert statuses == [200, 503, 503]


def test_new_keys_can_be_missing_from_some_lists(crusoe: Crusoe) -> None:
    crusoe.simulator.cloud.list_lag = 2
    send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {})

    counts = [
        len(send(crusoe.simulator, crusoe.user, "GET", crusoe.keys_path).document["items"])
        for _ in range(3)
    ]

    assert counts == [0, 0, 1]


def counts(crusoe: Crusoe, lists: int) -> list[int]:
    """Return how many keys each of so many lists has."""
    return [
        len(send(crusoe.simulator, crusoe.user, "GET", crusoe.keys_path).document["items"])
        for _ in range(lists)
    ]


def test_a_list_can_forget_what_it_has_shown(crusoe: Crusoe) -> None:
    """A key is missing at first, is there once, is missing again, and is there for good."""
    crusoe.simulator.cloud.list_lag = 1
    crusoe.simulator.cloud.list_flicker = 2
    send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {})

    assert counts(crusoe, 6) == [0, 1, 0, 0, 1, 1]


def test_any_key_can_be_missing_from_lists(crusoe: Crusoe) -> None:
    """For a while, or until all are to be shown."""
    cloud = crusoe.simulator.cloud
    key, other = cloud.add_key(crusoe.user), cloud.add_key(crusoe.user)

    cloud.hide_key(key.key_uuid, lists=2)
    for_a_while = counts(crusoe, 3)
    cloud.hide_key(other.key_uuid, lists=-1)
    for_ever = counts(crusoe, 3)
    cloud.show_all_keys()

    assert (for_a_while, for_ever, counts(crusoe, 1)) == ([1, 1, 2], [1, 1, 1], [2])


# -- Late ------------------------------------------------------------------------------------------


def test_a_request_can_be_answered_now_and_carried_out_later(crusoe: Crusoe) -> None:
    """As behind a proxy that gives up before the server does; however the time has moved."""
    fault = crusoe.simulator.faults.add(Fault("create", late=60.0, answer=Answer(504, "{}")))

    status = send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {"alias": "a"}).status
    before = crusoe.aliases()
    crusoe.simulator.cloud.clock.advance(timedelta(hours=1))
    fault.release()
    fault.wait_happened()

    assert (status, before, crusoe.aliases()) == (504, [], ["a"])


def test_a_request_can_be_carried_out_long_after_its_connection_is_gone(crusoe: Crusoe) -> None:
    """By itself, after so many seconds."""
    fault = crusoe.simulator.faults.add(Fault("create", late=0.01, cut="before"))

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {})
    fault.wait_happened()

    assert len(crusoe.simulator.cloud.keys()) == 1


@pytest.mark.parametrize("signed", [True, False])
def test_what_is_late_is_done_before_the_end(crusoe: Crusoe, signed: bool) -> None:
    """Unless nobody has signed it."""
    crusoe.simulator.faults.add(Fault("create", late=60.0, answer=Answer(504, "{}")))
    # Not held against the contract: it is not signed.
    user = crusoe.user if signed else None
    send(crusoe.simulator, user, "POST", crusoe.keys_path, {})

    crusoe.simulator.api.faults.clear()
    crusoe.simulator.api.settle()

    assert len(crusoe.simulator.cloud.keys()) == int(signed)


def test_what_is_late_can_be_refused(crusoe: Crusoe) -> None:
    """As it would have been in time."""
    fault = crusoe.simulator.faults.add(Fault("create", late=60.0, answer=Answer(504, "{}")))
    send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, {})
    for _ in range(2):
        crusoe.simulator.cloud.add_key(crusoe.user)

    fault.release()
    fault.wait_happened()

    assert len(crusoe.simulator.cloud.keys()) == 2


def test_waiting_for_what_never_happens_ends() -> None:
    with pytest.raises(TimeoutError):
        Fault("create").wait_happened(timeout=0.0)


# -- Control ---------------------------------------------------------------------------------------


def test_the_control_interface_does_it_all_over_http(crusoe: Crusoe) -> None:
    simulator, path = crusoe.simulator, crusoe.keys_path
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


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"operation": "update"}),
        ("POST", "/faults", {"cut": "befor"}),
        ("POST", "/faults", {"hold": "within"}),
        ("POST", "/faults", {"late": 1}),
        ("POST", "/faults", {"late": 1, "answer": {"status": 504}, "carried_out": True}),
        ("POST", "/faults", {"late": 1, "answer": {"status": 504}, "hold": "after"}),
        ("POST", "/faults", {"arrived": True}),
        ("POST", "/faults", {"answer": {"code": 500}}),
        ("POST", "/faults", []),
        ("POST", "/keys", {"user": "nobody@x"}),
        ("PATCH", "/keys/none", {"status": "disabled"}),
        ("POST", "/keys/none/hide", {"lists": 1}),
        ("PUT", "/dialects", {"names": ["klingon"]}),
        ("POST", "/list-flicker", {}),
        ("POST", "/clock", {"advance_seconds": 1e30}),
        ("POST", "/list-lag", {}),
    ],
)
def test_the_control_interface_says_no_to_a_mistake(
    crusoe: Crusoe, method: str, path: str, body: Any
) -> None:
    """A misspelt fault that is taken, and never strikes, would make a test prove nothing."""
    url = urlsplit(crusoe.simulator.control)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    headers = {"Content-Type": "application/json"}
    connection.request(method, url.path + path, json.dumps(body), headers)
    response = connection.getresponse()
    document = json.loads(response.read())
    connection.close()

    assert (response.status, list(document)) == (400, ["error"])
    assert list(crusoe.simulator.faults) == []


def test_the_control_interface_makes_requests_late_and_lists_forgetful(crusoe: Crusoe) -> None:
    simulator, late = crusoe.simulator, {"late": 60, "answer": {"status": 504, "body": "{}"}}
    fault = control(simulator, "POST", "/faults", {"operation": "create"} | late)["id"]
    control(simulator, "POST", "/list-flicker", {"lists": 1})
    send(simulator, crusoe.user, "POST", crusoe.keys_path, {})
    control(simulator, "POST", f"/faults/{fault}/release")
    happened = control(simulator, "GET", f"/faults/{fault}/happened")
    (key,) = simulator.cloud.keys()

    flicker = counts(crusoe, 3)
    control(simulator, "POST", f"/keys/{key.key_uuid}/hide", {"lists": 1})

    assert happened == {"happened": True}
    assert flicker == [1, 0, 1]
    assert counts(crusoe, 2) == [0, 1]


# -- Time, and the end -----------------------------------------------------------------------------


def test_delays_and_latency_last_as_long_as_they_say() -> None:
    """Latency first, then the delay before the work, then the one after it."""
    waits: list[float] = []
    with Simulator(latency=0.5, wait=waits.append) as simulator:
        organization = simulator.cloud.add_organization("acme")
        user = simulator.cloud.add_user("dev@x", organization)
        simulator.faults.add(Fault("identity", delay_before=30.0, delay_after=60.0))

        send(simulator, user, "GET", "/users/identities")

    assert waits == [0.5, 30.0, 60.0]


class WatchedEvent(threading.Event):
    """An event that tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.awaited.set()
        return super().wait(timeout)


def test_the_end_waits_for_no_fault() -> None:
    """What is held, and delayed after that, is answered at once; a long poll too."""
    simulator = Simulator()
    simulator.start()
    user = simulator.cloud.add_user("dev@x", simulator.cloud.add_organization("acme"))
    # Longer than anything is waited for below, and short enough for a failure to come to its end.
    held = simulator.faults.add(Fault("identity", hold="before", delay_before=20.0))
    never = simulator.faults.add(Fault("delete", hold="before"))
    never.arrived = arrival = WatchedEvent()
    with ThreadPoolExecutor(3) as executor:
        asked = executor.submit(send, simulator, user, "GET", "/users/identities")
        polled = executor.submit(control, simulator, "GET", f"/faults/{never.id}/arrived")
        held.wait_arrived()
        assert arrival.awaited.wait(10)

        executor.submit(simulator.stop).result(10)

        assert asked.result(10).status == 200
        assert polled.result(10) == {"arrived": False}
