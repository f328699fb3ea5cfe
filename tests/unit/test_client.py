"""The client of the Crusoe API, answer by answer."""

import logging
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from crusoe_provider.api import errors
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.deletion import DeletionAnswer
from support.api_fixtures import ENDPOINT, KEY, SECRET, FakeApi, answer

ORG = "ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab"
LIST_URL = f"{ENDPOINT}/organizations/{ORG}/storage/s3/keys"
NEW = {"access_key_id": "CKIA493K6LOVDNNAR4SZ", "secret_key": "SK-the-new-secret"}

CALLS: dict[str, Callable[[CrusoeClient], object]] = {
    "list": lambda client: client.list_keys(ORG),
    "create": lambda client: client.create_key(ORG, alias="a", expire_at=None),
    "delete": lambda client: client.delete_key(ORG, "CKIA1"),
    "organizations": lambda client: client.organizations(),
    "identity": lambda client: client.identity(),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


# -- Success ---------------------------------------------------------------------------------------


def test_keys_are_listed_with_what_is_none_as_none(api: FakeApi) -> None:
    """Fields that this version does not know are ignored."""
    client = api.will(
        answer(
            {
                "items": [
                    KEY | {"alias": "", "expire_at": "1970-01-01T00:00:00Z", "brand_new": 1},
                    KEY | {"alias": "a", "expire_at": "2040-01-01T00:00:00Z"},
                ]
            }
        )
    )

    first, second = client.list_keys(ORG)

    assert (first.alias, first.expire_at) == (None, None)
    assert (second.alias, second.expire_at) == ("a", "2040-01-01T00:00:00Z")
    assert str(api.requests[0].url) == LIST_URL


def test_a_key_is_created_with_the_fields_that_are_set(api: FakeApi) -> None:
    """An empty body is `{}`; the secret is in the answer, and in no repr."""
    client = api.will(answer(NEW | {"expire_at": "1970-01-01T00:00:00Z"}))

    key = client.create_key(ORG, alias=None, expire_at=None)
    client.create_key(ORG, alias="ü", expire_at="2040-01-01T00:00:00Z")

    assert [r.content for r in api.requests] == [
        b"{}",
        '{"alias":"ü","expire_at":"2040-01-01T00:00:00Z"}'.encode(),
    ]
    assert key.secret_key == NEW["secret_key"]
    assert key.secret_key not in repr(key)


def test_a_key_is_deleted_by_its_access_key_id(api: FakeApi) -> None:
    """204, without a body."""
    client = api.will(httpx.Response(204))

    assert client.delete_key(ORG, "CKIA1") is DeletionAnswer.DELETED

    assert (api.requests[0].method, str(api.requests[0].url)) == ("DELETE", f"{LIST_URL}/CKIA1")


def test_an_id_cannot_leave_its_place_in_the_path(api: FakeApi) -> None:
    """It comes from a user or from a state file."""
    client = api.will(answer({"items": []}))

    client.list_keys("../x?y#z")

    assert api.requests[0].url.raw_path == b"/v1/organizations/..%2Fx%3Fy%23z/storage/s3/keys"


# -- Failures --------------------------------------------------------------------------------------


@every_call
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.ApiError),
        (401, errors.AuthenticationFailed),
        (403, errors.PermissionDenied),
        (409, errors.ApiError),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (502, errors.ServerError),
    ],
)
def test_each_status_has_an_error_of_its_own(
    api: FakeApi, call: Callable[[CrusoeClient], object], status: int, kind: type[errors.ApiError]
) -> None:
    """With the server's words, and the ID that support asks for."""
    body = {"code": "x", "message": "rpc error: code = Y desc = so sorry", "error_id": "E-17"}

    with pytest.raises(errors.ApiError) as error:
        call(api.will(answer(body, status)))

    assert type(error.value) is kind
    assert error.value.status == status
    assert "so sorry" in str(error.value)
    assert "rpc error" not in str(error.value)
    assert str(status) in str(error.value)
    if status >= 500:
        assert "E-17" in str(error.value)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, content=b"<html>", headers={"Content-Type": "text/html"}),
        httpx.Response(200, content=b'{"items": []}'),
        answer([]),
        answer([KEY]),
        answer(None),
        answer("items"),
        answer({"items": {}}),
        answer({"items": "none"}),
        answer({"items": 0}),
        answer({"code": "500/internal_error", "message": "so sorry"}),
        answer({"items": []}, 201),
        answer({"items": [], "next_page_token": "2"}),
        answer({"items": [], "next_page_token": {"page": 2}}),
        httpx.Response(200, content=b'{"items": [', headers={"Content-Type": "application/json"}),
        httpx.Response(200, headers={"Content-Type": "application/json"}),
        httpx.Response(200, content=b"\xff", headers={"Content-Type": "application/json"}),
        httpx.Response(302, headers={"Location": "https://elsewhere.example"}),
        httpx.Response(204),
    ],
)
def test_an_answer_that_is_no_list_is_an_error(api: FakeApi, response: httpx.Response) -> None:
    """Never an empty list: that would look like tokens that are gone."""
    with pytest.raises(errors.UnexpectedAnswer):
        api.will(response).list_keys(ORG)

    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "response", [answer({"access_key_id": "CKIA1"}), answer(NEW | {"secret_key": 5})]
)
def test_a_creation_without_a_secret_may_have_happened(
    api: FakeApi, response: httpx.Response
) -> None:
    """The key exists; its secret does not."""
    with pytest.raises(errors.UnexpectedAnswer) as error:
        api.will(response).create_key(ORG, alias=None, expire_at=None)

    assert error.value.may_have_happened


REQUEST = httpx.Request("POST", LIST_URL)


@pytest.mark.parametrize(
    ("given", "may_have_happened"),
    [
        (httpx.ConnectError("refused", request=REQUEST), False),
        (httpx.ConnectTimeout("slow", request=REQUEST), False),
        (httpx.ReadTimeout("slow", request=REQUEST), True),
        (httpx.RemoteProtocolError("cut", request=REQUEST), True),
        (httpx.ReadError("cut", request=REQUEST), True),
        (httpx.WriteError("cut", request=REQUEST), True),
        (answer({}, 400), False),
        (answer({}, 401), False),
        (answer({}, 403), False),
        (answer({}, 404), False),
        (answer({}, 429), False),
        (httpx.Response(429), False),
        (answer({}, 408), True),
        (answer({}, 499), True),
        (httpx.Response(403, content=b"<html>Blocked: secret in an answer</html>"), True),
        (httpx.Response(404), True),
        (answer([], 400), True),
        (answer({}, 500), True),
        (httpx.Response(502), True),
        (httpx.Response(302), True),
        (httpx.Response(200), True),
    ],
)
def test_a_creation_is_sent_once_and_says_whether_it_may_have_happened(
    api: FakeApi, given: httpx.Response | Exception, may_have_happened: bool
) -> None:
    """That decides whether somebody has to look for a new key."""
    with pytest.raises(errors.RequestError) as error:
        api.will(given).create_key(ORG, alias=None, expire_at=None)

    assert error.value.may_have_happened is may_have_happened
    assert len(api.requests) == 1


def test_an_alias_that_cannot_be_written_down_is_not_sent(api: FakeApi) -> None:
    """No key can have come of it, so nobody is told to look for one."""
    with pytest.raises(errors.NotSent, match="the alias is no Unicode text") as error:
        api.will(answer(NEW)).create_key(ORG, alias="half a pair: \ud800", expire_at=None)

    assert (error.value.method, error.value.may_have_happened) == ("POST", False)
    assert api.requests == []


def test_a_clock_that_is_wrong_is_suspected(api: FakeApi) -> None:
    """A 401 from a server whose time is another one."""
    date = (api.now + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    with pytest.raises(errors.AuthenticationFailed, match="clock"):
        api.will(answer({}, 401, Date=date)).identity()


# -- Retries ---------------------------------------------------------------------------------------


def test_a_retry_is_signed_afresh(api: FakeApi) -> None:
    """With a timestamp of its own: the first one may be too old by then."""
    busy = httpx.Response(503, headers={"Retry-After": "2"})
    client = api.will(busy, httpx.ReadError("cut"), answer({"items": []}))

    assert client.list_keys(ORG) == ()

    assert len({r.headers["X-Crusoe-Timestamp"] for r in api.requests}) == 3
    assert len({r.headers["Authorization"] for r in api.requests}) == 3
    assert len(api.stop.waits) == 2


@pytest.mark.parametrize("call", ["list", "delete", "identity", "organizations"])
def test_reading_and_deleting_are_tried_again_a_few_times(api: FakeApi, call: str) -> None:
    """Then the last failure is the answer."""
    with pytest.raises(errors.ServerError):
        CALLS[call](api.will(httpx.Response(500)))

    assert len(api.requests) == 1 + api.max_retries


def test_retry_after_is_respected(api: FakeApi) -> None:
    """To the second."""
    api.will(httpx.Response(429, headers={"Retry-After": "7"}), answer({"items": []})).list_keys(
        ORG
    )

    assert api.stop.waits == [7.0]


NOT_FOUND = answer({"code": "404/not_found", "message": "no such key"}, 404)


def test_a_404_at_once_is_another_thing_than_one_after_a_lost_answer(api: FakeApi) -> None:
    """At once there was no such key; after a lost answer, there is none any more."""
    assert api.will(NOT_FOUND).delete_key(ORG, "CKIA1") is DeletionAnswer.NOT_FOUND
    lost = api.will(httpx.ReadError("cut"), NOT_FOUND)
    assert lost.delete_key(ORG, "CKIA1") is DeletionAnswer.ACCEPTED
    # This one never reached Crusoe, so it has deleted nothing.
    never_sent = api.will(httpx.ConnectError("x"), NOT_FOUND)
    assert never_sent.delete_key(ORG, "CKIA1") is DeletionAnswer.NOT_FOUND


def test_a_redirect_is_not_followed(api: FakeApi) -> None:
    """The signature covers one path on one host, and nobody else is to see it."""
    with pytest.raises(errors.UnexpectedAnswer, match="redirect"):
        api.will(httpx.Response(302, headers={"Location": "https://x.example/"})).identity()

    assert len(api.requests) == 1


def test_a_creation_that_is_redirected_says_so(api: FakeApi) -> None:
    """What came in place of a key tells who stands in the way."""
    redirect = httpx.Response(302, headers={"Location": "https://x.example/"})

    with pytest.raises(errors.UnexpectedAnswer, match="it is a redirect with status 302"):
        api.will(redirect).create_key(ORG, alias=None, expire_at=None)


# -- Stops -----------------------------------------------------------------------------------------


@every_call
def test_nothing_is_sent_after_a_stop(api: FakeApi, call: Callable[[CrusoeClient], object]) -> None:
    """Terraform has asked to come to an end."""
    api.stop.set()

    with pytest.raises(errors.Interrupted):
        call(api.will(answer({})))

    assert api.requests == []


def test_a_stop_ends_a_back_off(api: FakeApi) -> None:
    """The error says what the last attempt met."""
    api.stop.stop_in_wait = True

    with pytest.raises(errors.Interrupted, match="500"):
        api.will(httpx.Response(500)).list_keys(ORG)

    assert len(api.requests) == 1


def test_work_that_has_begun_may_be_finished_after_a_stop(api: FakeApi) -> None:
    """By one request, without retries."""
    api.stop.set()

    assert api.will(answer({"items": []})).list_keys(ORG, finish=True) == ()
    with pytest.raises(errors.CrusoeError):
        api.will(httpx.Response(500)).list_keys(ORG, finish=True)

    assert len(api.requests) == 1


# -- The log ---------------------------------------------------------------------------------------


def test_each_attempt_is_logged_without_secrets(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, status, duration, attempt; no body, no header."""
    caplog.set_level(logging.DEBUG)

    api.will(httpx.Response(503), answer({"items": []})).list_keys(ORG)
    api.will(answer(NEW)).create_key(ORG, alias=None, expire_at=None)

    records = [r for r in caplog.records if r.name == "crusoe_provider.api.sending"]
    shown = [(r.__dict__["method"], r.__dict__["status"], r.__dict__["attempt"]) for r in records]
    assert shown == [("GET", 503, 1), ("GET", 200, 2), ("POST", 200, 1)]
    text = " ".join(str(record.__dict__) for record in caplog.records)
    assert SECRET not in text
    assert NEW["secret_key"] not in text
    assert "Bearer" not in text
