"""Durations as users write them."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.tokens.durations import format_duration, parse_duration

HUNDRED_YEARS = timedelta(days=36_525)
FORM = (
    "a duration is a number with a unit (w, d, h, m, s or ms), or several of them, such as 90d, "
    "720h or 1h30m"
)
durations = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=HUNDRED_YEARS).map(
    lambda d: d - timedelta(microseconds=d.microseconds % 1000)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", timedelta(days=90)),
        ("720h", timedelta(days=30)),
        ("1h30m", timedelta(minutes=90)),
        ("2w", timedelta(days=14)),
        ("1.5h", timedelta(minutes=90)),
        ("30m1h", timedelta(minutes=90)),
        ("500ms", timedelta(milliseconds=500)),
        ("1m", timedelta(minutes=1)),
        ("1m1ms", timedelta(minutes=1, milliseconds=1)),
        ("36525d", HUNDRED_YEARS),
    ],
)
def test_forms(text: str, expected: timedelta) -> None:
    """Numbers with units, in any order."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "90", "d", "90 d", "-1h", "+1h", "1y", "1M", "0s", "0.0000001ms", "1e3s", "1h "),
        *("36525d0.001ms", "36526d"),
        *("101w" * 60, "999999999999w", "1..5h", ".5h", "1h-30m", "1,5h", "\u0663h"),
    ],
)
def test_what_is_none(text: str) -> None:
    """Also zero, and more than a hundred years."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("soon", FORM),
        ("0s", "a duration must be longer than nothing and at most a hundred years"),
    ],
)
def test_a_message_says_what_a_duration_is(text: str, problem: str) -> None:
    """Users read it as it is."""
    with pytest.raises(ValueError, match="duration") as caught:
        parse_duration(text)

    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0005ms", timedelta(microseconds=1)),
        ("0.0014999ms", timedelta(microseconds=1)),
        ("0.0015ms", timedelta(microseconds=2)),
        ("36524d0.0015ms", timedelta(days=36_524, microseconds=2)),
        ("36524d0.001499999999ms", timedelta(days=36_524, microseconds=1)),
    ],
)
def test_parts_of_a_microsecond_are_rounded(text: str, expected: timedelta) -> None:
    """Half of one upwards, however long the duration is."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(days=90), "90d"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=1, seconds=1), "1d1s"),
        (timedelta(milliseconds=1500), "1s500ms"),
        (timedelta(microseconds=1), "0.001ms"),
        (timedelta(microseconds=999_999), "999.999ms"),
    ],
)
def test_durations_are_written_largest_unit_first(duration: timedelta, text: str) -> None:
    """As people would write them."""
    assert format_duration(duration) == text


@given(durations.filter(bool))
def test_a_duration_survives_being_written_down(duration: timedelta) -> None:
    """To the millisecond."""
    assert parse_duration(format_duration(duration)) == duration


@given(durations.filter(bool), durations.filter(bool))
def test_parts_add_up(a: timedelta, b: timedelta) -> None:
    """One text after the other is the sum of both."""
    if a + b <= HUNDRED_YEARS:
        assert parse_duration(format_duration(a) + format_duration(b)) == a + b


@given(
    st.timedeltas(min_value=timedelta(microseconds=1), max_value=HUNDRED_YEARS),
    st.timedeltas(min_value=timedelta(microseconds=1), max_value=HUNDRED_YEARS),
)
def test_no_order_is_lost(a: timedelta, b: timedelta) -> None:
    """To the microsecond, which is as far as both ends go."""
    assert (parse_duration(format_duration(a)) < parse_duration(format_duration(b))) == (a < b)


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    """Nothing else can happen."""
    with contextlib.suppress(ValueError):
        assert parse_duration(text) > timedelta(0)
