"""What one process asks the API, and how often."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from crusoe_provider.api import errors
from crusoe_provider.api.account import Account
from crusoe_provider.api.deletion import Deletion
from support.api_fixtures import KEY, FakeApi, answer

ORG = "org"
KEYS = {"items": [KEY]}
IDENTITY = {"identity": {"id": "user", "email": "dev@acme.example"}}
CALLERS = 8


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        self.seconds += 0.001  # no two moments are the same
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(api: FakeApi, clock: Clock) -> Account:
    return Account(api.client, organization_id=None, monotonic=clock)


def operations(api: FakeApi) -> list[str]:
    return [f"{r.method} {r.url.path.rpartition('/')[2]}" for r in api.requests]


@pytest.mark.parametrize(
    ("ask", "document"),
    [
        (lambda account: account.keys(ORG), KEYS),
        (lambda account: account.identity(), IDENTITY),
        (
            lambda account: account.organization_id(),
            {"items": [{"id": ORG, "name": "acme"}]},
        ),
    ],
    ids=["keys", "identity", "organization"],
)
def test_callers_at_the_same_time_share_one_request(
    api: FakeApi, account: Account, ask: Callable[[Account], Any], document: Any
) -> None:
    """The first asks, and the others wait for its answer."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(_request: httpx.Request) -> httpx.Response:
        arrived.set()
        assert go_on.wait(10)
        return answer(document)

    api.will(slow)
    with ThreadPoolExecutor(CALLERS) as executor:
        calls = [executor.submit(ask, account) for _ in range(CALLERS)]
        assert arrived.wait(10)
        go_on.set()
        results = {repr(call.result()) for call in calls}

    assert len(results) == len(api.requests) == 1


def test_the_identity_that_is_expected_is_asked_for_meanwhile(
    api: FakeApi, account: Account
) -> None:
    """Whoever wants it then waits for that one request."""
    asked = threading.Event()

    def identity_only_beside_the_list(request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.path.endswith("keys"):
            assert asked.wait(10)
            return answer(KEYS)
        asked.set()
        return answer(IDENTITY)

    api.will(identity_only_beside_the_list)
    account.expect_identity()
    account.expect_identity()

    account.keys(ORG)

    assert account.identity().id == "user"
    assert sorted(operations(api)) == ["GET identities", "GET keys"]


def test_a_failure_is_left_to_those_who_need_the_identity(api: FakeApi, account: Account) -> None:
    """The request that was sent early fails in silence; the next one asks anew."""
    failed = threading.Event()

    def refuse(_request: httpx.Request) -> httpx.Response:
        failed.set()
        return answer({"code": "forbidden", "message": "no"}, 403)

    api.will(refuse, answer(IDENTITY))
    account.expect_identity()
    assert failed.wait(10)

    assert account.identity().id == "user"
    assert operations(api) == ["GET identities"] * 2


def test_the_identity_is_expected_once_even_if_it_cannot_be_had(
    api: FakeApi, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each resource expects it; one early request is enough, and it keeps no process alive."""
    started: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        started.append(thread)
        thread.run()

    monkeypatch.setattr(threading.Thread, "start", start)
    api.will(answer({}, 403))

    account.expect_identity()
    account.expect_identity()

    assert operations(api) == ["GET identities"]
    assert [thread.daemon for thread in started] == [True]


def test_a_list_serves_until_something_is_written(api: FakeApi, account: Account) -> None:
    """A creation and a deletion make it stale, even if they fail."""
    api.will(lambda r: answer(KEYS) if r.method == "GET" else httpx.Response(500))

    account.keys(ORG)
    account.keys(ORG)
    with pytest.raises(errors.ServerError):
        account.create_key(ORG, alias=None, expire_at=None)
    account.keys(ORG)
    account.keys(ORG)

    assert operations(api) == ["GET keys", "POST keys", "GET keys"]


def test_a_write_while_a_list_is_under_way_makes_it_stale(api: FakeApi, account: Account) -> None:
    """The list may have been made before the write; the next reader asks again."""

    def write_meanwhile(request: httpx.Request) -> httpx.Response:
        if len(api.requests) == 1:
            account.delete_key(ORG, "CKIA1")
        return answer(KEYS) if request.method == "GET" else httpx.Response(204)

    api.will(write_meanwhile)

    account.keys(ORG)
    account.keys(ORG)

    assert operations(api) == ["GET keys", "DELETE CKIA1", "GET keys"]


def test_a_write_at_the_moment_of_a_list_makes_it_stale(api: FakeApi) -> None:
    """Clocks are coarse: which of the two came first cannot be told, so the API is asked again."""
    account = Account(api.client, organization_id=None, monotonic=lambda: 5.0)
    api.will(lambda r: answer(KEYS) if r.method == "GET" else httpx.Response(204))

    account.keys(ORG)
    account.delete_key(ORG, "CKIA1")
    account.keys(ORG)

    assert operations(api) == ["GET keys", "DELETE CKIA1", "GET keys"]


def test_a_machine_that_has_just_started_asks_no_more_than_others(api: FakeApi) -> None:
    """Its clock begins near zero, and an answer of then serves like any other."""
    account = Account(api.client, organization_id=None, monotonic=lambda: 0.5)
    organizations = {"items": [{"id": ORG, "name": "acme"}]}
    documents = {"identities": IDENTITY, "entities": organizations, "keys": KEYS}
    api.will(lambda request: answer(documents[request.url.path.rpartition("/")[2]]))

    for _ in range(2):
        account.identity()
        account.organization_id()
        account.keys(ORG)

    assert operations(api) == ["GET identities", "GET entities", "GET keys"]


def test_a_list_does_not_serve_for_ever(api: FakeApi, account: Account, clock: Clock) -> None:
    """Others create and delete too."""
    api.will(answer(KEYS))

    account.keys(ORG)
    clock.seconds += 31
    account.keys(ORG)
    account.keys(ORG, fresh=True)

    assert len(api.requests) == 3


def test_each_organization_has_a_list_of_its_own(api: FakeApi, account: Account) -> None:
    """Readers of one do not get the other's."""
    api.will(answer(KEYS), answer({"items": []}))

    assert len(account.keys("a")) == 1
    assert account.keys("b") == ()
    assert len(account.keys("a")) == 1


def test_a_failure_is_not_remembered(api: FakeApi, account: Account) -> None:
    """The next one asks anew."""
    api.will(answer({}, 403), answer(IDENTITY))

    with pytest.raises(errors.PermissionDenied):
        account.identity()

    assert account.identity().id == "user"


def test_who_waits_for_a_failure_asks_anew(api: FakeApi, account: Account) -> None:
    """The failure is for the one who asked; the next may succeed, and serves all others."""
    arrived, go_on = threading.Event(), threading.Event()

    def refuse(_request: httpx.Request) -> httpx.Response:
        arrived.set()
        assert go_on.wait(10)
        return answer({}, 403)

    api.will(refuse, answer(IDENTITY))
    with ThreadPoolExecutor(CALLERS) as executor:
        first = executor.submit(account.identity)
        assert arrived.wait(10)
        others = [executor.submit(account.identity) for _ in range(CALLERS - 1)]
        go_on.set()

        with pytest.raises(errors.PermissionDenied):
            first.result()
        assert {call.result().id for call in others} == {"user"}

    assert len(api.requests) == 2


@pytest.mark.parametrize("write", ["create", "delete"])
def test_a_write_makes_the_next_list_fresh(api: FakeApi, account: Account, write: str) -> None:
    """The reader after it sees what it did."""
    created = {"access_key_id": "CKIA1", "secret_key": "SK-1"}
    answers = {"GET": answer(KEYS), "POST": answer(created), "DELETE": httpx.Response(204)}
    api.will(lambda request: answers[request.method])
    account.keys(ORG)

    if write == "create":
        assert account.create_key(ORG, alias=None, expire_at=None).access_key_id == "CKIA1"
    else:
        assert account.delete_key(ORG, "CKIA1") is Deletion.DELETED
    account.keys(ORG)

    assert [r.method for r in api.requests].count("GET") == 2


def test_a_creation_asks_for_what_it_is_told(api: FakeApi, account: Account) -> None:
    """Alias and expiry reach Crusoe."""
    api.will(answer({"access_key_id": "CKIA1", "secret_key": "SK-1"}))

    account.create_key(ORG, alias="ci", expire_at="2027-01-31T12:00:00Z")

    (request,) = api.requests
    sent = json.loads(request.content)
    assert {"ci", "2027-01-31T12:00:00Z"} <= set(sent.values())


def test_a_deletion_is_not_begun_after_a_stop(api: FakeApi, account: Account) -> None:
    """Unless it is to be finished."""
    api.will(httpx.Response(204))
    api.stop.set()

    with pytest.raises(errors.Interrupted):
        account.delete_key(ORG, "CKIA1")

    assert api.requests == []


def test_who_the_caller_is_is_known_once_it_was_asked(api: FakeApi, account: Account) -> None:
    """Messages say it, and ask nobody for it."""
    api.will(answer({"identity": {"id": "u-1", "email": "me@acme.example"}}))
    assert account.known_identity() is None

    identity = account.identity()

    assert account.known_identity() == identity
    assert len(api.requests) == 1


GONE = answer({"code": "404/not_found", "message": "no such key"}, 404)


def deleting(
    api: FakeApi, deletion: httpx.Response | Exception, *lists: httpx.Response | Exception
) -> None:
    """Answer a deletion like this, and the lists after it like these; the last one for good."""
    left = list(lists)

    def serve(request: httpx.Request) -> httpx.Response:
        given = deletion
        if request.method == "GET":
            given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, Exception):
            raise given
        return given

    api.will(serve)


LISTED = answer(KEYS)
EMPTY = [answer({"items": []}), answer({"items": None}), answer({})]
ACCEPTED = [httpx.Response(200), answer({}, 200), answer(KEY, 202), httpx.Response(299)]


@pytest.mark.parametrize("deletion", ACCEPTED)
@pytest.mark.parametrize("listed", EMPTY)
def test_a_deletion_that_is_answered_in_another_way_counts_when_the_list_agrees(
    api: FakeApi, account: Account, deletion: httpx.Response, listed: httpx.Response
) -> None:
    """204 is only what is documented."""
    deleting(api, deletion, listed)

    assert account.delete_key(ORG, KEY["access_key_id"]) is Deletion.DELETED
    assert [r.method for r in api.requests] == ["DELETE", "GET"]


def test_a_deletion_with_204_is_believed(api: FakeApi, account: Account) -> None:
    """As documented, so nothing more is asked."""
    api.will(httpx.Response(204))

    assert account.delete_key(ORG, KEY["access_key_id"]) is Deletion.DELETED
    assert len(api.requests) == 1


@pytest.mark.parametrize("listed", EMPTY)
def test_crusoes_own_404_counts_when_the_list_agrees(
    api: FakeApi, account: Account, listed: httpx.Response
) -> None:
    """Somebody else was faster; the goal is reached all the same."""
    deleting(api, GONE, listed)

    assert account.delete_key(ORG, KEY["access_key_id"]) is Deletion.ALREADY_GONE


@pytest.mark.parametrize("deletion", [GONE, httpx.Response(202)])
def test_a_list_that_lags_is_asked_again(
    api: FakeApi, account: Account, deletion: httpx.Response
) -> None:
    """For a few seconds."""
    deleting(api, deletion, answer(KEYS), answer(KEYS), answer({"items": []}))

    account.delete_key(ORG, KEY["access_key_id"])

    assert [r.method for r in api.requests] == ["DELETE", "GET", "GET", "GET"]
    assert sum(api.stop.waits) < 5


@pytest.mark.parametrize("deletion", [GONE, httpx.Response(200), httpx.Response(202)])
@pytest.mark.parametrize("listed", [LISTED, answer({}, 403), httpx.Response(500), answer([])])
def test_a_key_that_may_live_is_not_called_deleted(
    api: FakeApi, account: Account, deletion: httpx.Response, listed: httpx.Response
) -> None:
    """The list shows it, or nobody knows. The error names the key, and does not wait for ever."""
    deleting(api, deletion, listed)

    with pytest.raises(errors.NotDeleted, match=KEY["access_key_id"]) as caught:
        account.delete_key(ORG, KEY["access_key_id"])

    assert (caught.value.method, caught.value.may_have_happened) == ("DELETE", True)
    shown = listed == LISTED
    assert ("still shows it" in str(caught.value)) is shown
    if shown:
        assert api.stop.waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "deletion",
    [
        httpx.Response(404),
        httpx.Response(404, content=b"<html>not here</html>"),
        answer({}, 404),
        answer([], 404),
        answer({"message": "not here"}, 404),
        answer({"code": "404/not_found"}, 404),
        answer({"code": 404, "message": "not here"}, 404),
        httpx.Response(302, headers={"Location": "https://x.example"}),
    ],
)
def test_a_404_of_anybody_else_says_nothing(
    api: FakeApi, account: Account, deletion: httpx.Response
) -> None:
    """A proxy's page, an empty body, an organization that is hidden."""
    deleting(api, deletion, answer({"items": []}))

    with pytest.raises(errors.UnexpectedAnswer):
        account.delete_key(ORG, KEY["access_key_id"])


def test_a_deletion_may_be_confirmed_after_a_stop(api: FakeApi, account: Account) -> None:
    """It has reached Crusoe; what came of it is worth one more request."""
    deleting(api, httpx.Response(202), answer({"items": []}))
    api.stop.set()

    assert account.delete_key(ORG, KEY["access_key_id"], finish=True) is Deletion.DELETED


def test_a_list_may_be_finished_after_a_stop(api: FakeApi, account: Account) -> None:
    """For work that has begun; anybody else is told to stop."""
    api.will(answer(KEYS))
    api.stop.set()

    with pytest.raises(errors.Interrupted):
        account.keys(ORG)

    assert len(account.keys(ORG, finish=True)) == 1


def test_the_only_organization_is_asked_for_once(api: FakeApi, account: Account) -> None:
    """It does not change while a plan is made."""
    api.will(answer({"items": [{"id": "the-one", "name": "acme"}]}))

    assert [account.organization_id(), account.organization_id()] == ["the-one", "the-one"]
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([], "belongs to no active organization."),
        ([{"id": "id-0", "name": "acme"}, {"id": "id-1"}], ":\n  - id-0 (acme)\n  - id-1"),
    ],
)
def test_none_or_several_organizations_are_an_error_that_lists_them(
    api: FakeApi, account: Account, items: list[dict[str, str]], told: str
) -> None:
    """Nobody guesses where a key is to be made; one without a name is listed by its ID alone."""
    api.will(answer({"items": items}))

    with pytest.raises(errors.OrganizationNotDetermined) as error:
        account.organization_id()

    assert str(error.value).endswith(told)


def test_a_configured_organization_is_not_asked_for(api: FakeApi) -> None:
    """It may even be one that the caller's list does not show."""
    account = Account(api.client, organization_id="configured")

    assert account.organization_id() == "configured"
    assert api.requests == []
