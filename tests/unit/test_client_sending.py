"""How the client sends: signatures, waits, stops, and what it keeps to itself."""

import logging
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api import errors
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.deletion import DeletionAnswer
from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.sending import CrusoeAuth
from crusoe_provider.api.settings import Settings
from crusoe_provider.api.signing import Signer, decode_secret
from support.api_fixtures import ENDPOINT, SECRET, FakeApi, FakeStop, answer

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
NEW = {"access_key_id": "CKIA493K6LOVDNNAR4SZ", "secret_key": "SK-the-new-secret"}
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"


def signed(url: str) -> httpx.Request:
    """Return a request as it goes out."""
    auth = CrusoeAuth(Signer("CKIDTEST", decode_secret(SECRET)), lambda: NOW)
    return next(auth.sync_auth_flow(httpx.Request("GET", url)))


# -- Signatures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        (b"?b=2&a=1&b=1", b"?a=1&b=2&b=1"),
        (b"?flag&&a=%7e%2f+x", b"?a=~%2F+x&flag="),
        (b"?a=%ff", b"?a=%FF"),
        (b"", b""),
    ],
)
def test_the_query_that_is_signed_is_the_one_that_is_sent(query: bytes, sent: bytes) -> None:
    """Byte for byte: the server may sign what it gets, or what it makes of it."""
    request = signed(f"{ENDPOINT}/x" + query.decode())

    expected = Signer("CKIDTEST", decode_secret(SECRET)).authorization(
        "GET", b"/v1/x" + sent, "2026-11-23T12:00:00Z"
    )
    assert request.url.raw_path == b"/v1/x" + sent
    assert request.headers["Authorization"] == expected
    assert request.headers["X-Crusoe-Timestamp"] == "2026-11-23T12:00:00Z"


def test_timestamps_move_with_the_clock(api: FakeApi) -> None:
    """Each attempt carries the time at which it was sent, not that of the first."""
    api.will(httpx.Response(503, headers={"Retry-After": "7"}), answer({"items": []})).list_keys(
        "o"
    )

    assert [r.headers["X-Crusoe-Timestamp"] for r in api.requests] == [
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:07Z",
    ]


@pytest.mark.parametrize("access_key_id", [".", "..", "a/../b", "x?y#z", "ü", "%2e", "a;b"])
def test_no_id_leaves_its_segment(api: FakeApi, access_key_id: str) -> None:
    """Not even one that is a step in a path by itself: a deletion would hit another thing."""
    api.will(httpx.Response(204)).delete_key(access_key_id, access_key_id)

    segments = api.requests[0].url.raw_path.split(b"/")
    assert len(segments) == len(b"/v1/organizations/ORG/storage/s3/keys/ID".split(b"/"))
    assert segments[3] == segments[-1]
    assert httpx.URL(f"https://x/{segments[3].decode()}").path == f"/{access_key_id}"


# -- Waits -----------------------------------------------------------------------------------------


def test_a_retry_after_may_be_a_date(api: FakeApi) -> None:
    """Which is as far away as this machine's clock says."""
    date = (NOW + timedelta(seconds=20)).strftime(HTTP_DATE)

    api.will(httpx.Response(503, headers={"Retry-After": date}), answer({"items": []})).list_keys(
        "o"
    )

    assert api.stop.waits == [20.0]


@pytest.mark.parametrize("wait", ["121", (NOW + timedelta(minutes=10)).strftime(HTTP_DATE)])
def test_nobody_waits_longer_than_the_budget(api: FakeApi, wait: str) -> None:
    """It fails at once, with what the server said; coming back earlier would not help."""
    with pytest.raises(errors.RateLimited):
        api.will(answer({"message": "slow down"}, 429, **{"Retry-After": wait})).list_keys("o")

    assert (len(api.requests), api.stop.waits) == (1, [])


def test_waits_count_against_the_budget_together(api: FakeApi) -> None:
    """Each is within it; all of them are not."""
    with pytest.raises(errors.ServerError):
        api.will(httpx.Response(503, headers={"Retry-After": "50"})).list_keys("o")

    assert api.stop.waits == [50.0, 50.0]


def test_the_back_off_doubles(api: FakeApi) -> None:
    """The chance that is passed in says the longest of each step."""
    with pytest.raises(errors.ConnectionFailed):
        api.will(httpx.ReadTimeout("slow")).list_keys("o")

    assert api.stop.waits == [0.5, 1.0, 2.0]


def test_no_retries_are_none() -> None:
    """As the user may choose."""
    api = FakeApi(max_retries=0)

    with pytest.raises(errors.ServerError):
        api.will(httpx.Response(500)).identity()

    assert len(api.requests) == 1
    api.client.close()


# -- Stops -----------------------------------------------------------------------------------------


def test_a_stop_wakes_who_waits() -> None:
    """With the real event: a wait of 100 seconds is over at once, and nothing more is sent."""
    stop, answered = threading.Event(), threading.Event()
    requests: list[httpx.Request] = []
    failures: list[BaseException] = []

    def busy(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        answered.set()
        return httpx.Response(503, headers={"Retry-After": "100"})

    settings = Settings(
        endpoint=Endpoint.parse(ENDPOINT),
        access_key_id="CKIDTEST",
        secret_key=SECRET,
        credentials_source="tests",
    )
    client = CrusoeClient(settings, stop=stop, transport=httpx.MockTransport(busy))

    def call() -> None:
        try:
            client.list_keys("o")
        except errors.CrusoeError as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert answered.wait(10)
    stop.set()
    thread.join(10)

    assert not thread.is_alive()
    assert [type(failure) for failure in failures] == [errors.Interrupted]
    assert len(requests) == 1
    client.close()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_is_finished_after_a_stop_is_sent_once(api: FakeApi, status: int) -> None:
    """A deletion, too: a failure is not tried again, however temporary."""
    api.stop.set()

    assert (
        api.will(httpx.Response(204)).delete_key("o", "CKIA1", finish=True)
        is DeletionAnswer.DELETED
    )
    with pytest.raises(errors.Interrupted, match=str(status)):
        api.will(httpx.Response(status)).delete_key("o", "CKIA1", finish=True)

    assert len(api.requests) == 1


class LateStop(FakeStop):
    """A stop that comes just after a wait has ended."""

    def wait(self, timeout: float | None = None) -> bool:
        super().wait(timeout)
        self.set()
        return False


@pytest.mark.parametrize("finish", [False, True])
def test_a_stop_just_after_a_wait_ends_the_attempts(finish: bool) -> None:
    """Finishing is worth one request, and that one has been made."""
    api = FakeApi(stop=LateStop())

    with pytest.raises(errors.Interrupted):
        api.will(httpx.Response(503)).list_keys("o", finish=finish)

    assert len(api.requests) == 1
    api.client.close()


# -- The clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "told"),
    [
        (timedelta(minutes=10), "10 minutes behind"),
        (timedelta(minutes=-10), "10 minutes ahead of"),
        (timedelta(hours=2), "120 minutes behind"),
    ],
)
def test_a_wrong_clock_is_told_by_how_much(api: FakeApi, skew: timedelta, told: str) -> None:
    """And in which direction; the server's `Date` is the judge."""
    date = (api.now + skew).strftime(HTTP_DATE)

    sentence = f"{told} the server's; requests are accepted only when they are signed"
    with pytest.raises(errors.AuthenticationFailed, match=sentence):
        api.will(answer({}, 401, Date=date)).identity()


@pytest.mark.parametrize(
    ("status", "date"),
    [
        (401, (NOW + timedelta(seconds=90)).strftime(HTTP_DATE)),
        (401, "yesterday"),
        (401, ""),
        (403, (NOW + timedelta(hours=1)).strftime(HTTP_DATE)),
    ],
)
def test_a_clock_is_not_suspected_without_reason(api: FakeApi, status: int, date: str) -> None:
    """It is close, nobody can tell, or the signature was accepted."""
    with pytest.raises(errors.ApiError) as error:
        api.will(answer({}, status, Date=date)).identity()

    assert "clock" not in str(error.value)
    assert str(error.value).endswith("no message of Crusoe's.")


# -- What stays here -------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["access_key_id", "secret_key"])
def test_a_creation_with_an_empty_half_is_no_creation(api: FakeApi, missing: str) -> None:
    """It would be kept as a token that works, and does not."""
    with pytest.raises(errors.UnexpectedAnswer, match=f"{missing} is no text") as error:
        api.will(answer(NEW | {missing: ""})).create_key("o", alias=None, expire_at=None)

    assert error.value.may_have_happened
    assert NEW["secret_key"] not in str(error.value)


@pytest.mark.parametrize(
    "given",
    [
        answer({"message": "no"}, 400),
        answer({"message": "no"}, 401),
        httpx.Response(
            500, content=f"<pre>{SECRET} {NEW['secret_key']} Bearer 1.0:</pre>".encode()
        ),
        httpx.Response(200, content=f'{{"secret_key": "{NEW["secret_key"]}'.encode()),
        answer(NEW | {"access_key_id": [NEW["secret_key"]]}),
        answer([NEW]),
        httpx.ReadError("cut"),
        httpx.LocalProtocolError("Illegal header value b'Bearer 1.0:CKIDTEST:signature'"),
    ],
)
def test_secrets_are_in_no_failure(
    api: FakeApi, caplog: pytest.LogCaptureFixture, given: httpx.Response | Exception
) -> None:
    """Text, repr, or log; not even when a proxy's page or a cut answer holds them."""
    caplog.set_level(logging.DEBUG)

    with pytest.raises(errors.CrusoeError) as error:
        api.will(given).create_key("o", alias=None, expire_at=None)

    records = " ".join(str(record.__dict__) for record in caplog.records)
    text = f"{error.value} {error.value!r} {vars(error.value)} {api.client!r} {records}"
    assert SECRET not in text
    assert NEW["secret_key"] not in text
    assert "Bearer" not in text


@given(st.binary(max_size=80), st.sampled_from([400, 401, 404, 429, 500]))
def test_any_error_body_makes_one_printable_line(body: bytes, status: int) -> None:
    """A message of the server's ends up on somebody's terminal."""
    api = FakeApi(max_retries=0)

    with pytest.raises(errors.ApiError) as error:
        api.will(httpx.Response(status, content=body)).identity()

    assert str(error.value).isprintable()
    api.client.close()
