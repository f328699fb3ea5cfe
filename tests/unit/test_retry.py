"""When a request is sent again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.retry import RetryPolicy, retry_after_seconds

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def delay(policy: RetryPolicy | None = None, **fields: Any) -> float | None:
    policy = policy or RetryPolicy(max_retries=3, random=lambda: 1.0)
    values: dict[str, Any] = {
        "method": "GET",
        "attempt": 1,
        "elapsed": 0.0,
        "status": 503,
        "retry_after": 0.0,
    }
    return policy.delay(**(values | fields))


@pytest.mark.parametrize("status", [None, 429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_may_pass_is_tried_again(method: str, status: int | None) -> None:
    """Lost connections, too many requests, faults of the server."""
    assert delay(method=method, status=status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_what_will_not_pass_is_not(status: int) -> None:
    """Refusals stay refusals."""
    assert delay(status=status) is None


@pytest.mark.parametrize("status", [None, 429, 500, 503])
def test_a_creation_is_never_sent_again(status: int | None) -> None:
    """The first one may have succeeded."""
    assert delay(method="POST", status=status) is None


def test_attempts_are_bounded() -> None:
    """Three retries are three retries."""
    assert [delay(attempt=n) is not None for n in (1, 2, 3, 4)] == [True, True, True, False]


@given(st.floats(0, 1), st.integers(1, 20))
def test_the_back_off_grows_and_stays_within_bounds(random: float, attempt: int) -> None:
    """At least half of what it doubles to, at most fifteen seconds."""
    policy = RetryPolicy(max_retries=20, random=lambda: random)
    ceiling = min(0.5 * 2 ** (attempt - 1), 15.0)

    seconds = delay(policy, attempt=attempt)

    assert seconds is not None
    assert ceiling / 2 <= seconds <= ceiling


def test_the_server_may_ask_for_more_time() -> None:
    """It gets it, unless that is longer than anybody would wait."""
    assert delay(retry_after=30.0) == 30.0
    assert delay(retry_after=300.0) is None
    assert delay(retry_after=60.0, elapsed=100.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        (None, 0.0),
        ("٣", 0.0),
    ],
)
def test_forms_of_retry_after(header: str | None, seconds: float) -> None:
    """Seconds, or a date; anything else asks for nothing."""
    assert retry_after_seconds(header, NOW) == seconds


@given(st.one_of(st.text(), st.from_regex(r"\d{1,3} Nov \d{1,6} \d\d:\d\d:\d\d [+-]\d{1,9}")))
def test_any_retry_after_is_a_time_to_wait(header: str) -> None:
    """A server may send what it likes; nothing else can happen."""
    assert retry_after_seconds(header, NOW) >= 0


def test_a_number_beyond_all_measure_is_longer_than_the_budget() -> None:
    """It ends the attempts; it does not wait for ever."""
    assert delay(retry_after=retry_after_seconds("9" * 400, NOW)) is None
