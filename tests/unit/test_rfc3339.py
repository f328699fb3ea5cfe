"""Points in time, compared exactly."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.rfc3339 import Instant, canonical, expiry_or_none, parse_instant

moments = st.datetimes(
    min_value=datetime.fromisoformat("1971-01-01"),
    max_value=datetime.fromisoformat("9998-01-01"),
    timezones=st.just(UTC),
)
offsets = st.integers(min_value=-14 * 60, max_value=14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)


@given(moments, offsets)
def test_every_zone_writes_the_same_instant(moment: datetime, zone: timezone) -> None:
    """Only the spelling differs."""
    assert parse_instant(moment.astimezone(zone).isoformat()) == Instant.at(moment)


@given(moments)
def test_an_instant_survives_being_written_down(moment: datetime) -> None:
    """In UTC, with no more digits than it needs."""
    text = Instant.at(moment).format()

    assert parse_instant(text) == Instant.at(moment)
    assert text.endswith("Z")


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "made",
    [
        lambda: Instant.at(datetime(2040, 1, 1, tzinfo=UTC)),
        lambda: parse_instant("2040-01-01T00:00:00Z"),
        lambda: parse_instant("2040-01-01T01:00:00+01:00"),
    ],
)
def test_an_instant_is_written_in_utc_wherever_the_machine_is(made: Callable[[], Instant]) -> None:
    """Colleagues who share a state are in other zones, and no plan may differ for that."""
    assert made().format() == "2040-01-01T00:00:00Z"


@given(moments, st.integers(min_value=1, max_value=20))
def test_fractions_of_zero_mean_nothing(moment: datetime, zeros: int) -> None:
    """However many digits they have."""
    whole = moment.replace(microsecond=0)
    text = whole.isoformat().replace("+00:00", "Z")

    assert parse_instant(text) == parse_instant(text.replace("Z", "." + "0" * zeros + "Z"))


@given(moments, moments)
def test_instants_are_in_the_order_of_time(a: datetime, b: datetime) -> None:
    """Also across zones."""
    zone = timezone(timedelta(hours=-5))
    earlier = parse_instant(a.astimezone(zone).isoformat()) < parse_instant(b.isoformat())

    assert earlier == (a < b)


digits = st.text("0123456789", min_size=1, max_size=30)


@given(moments, digits, digits)
def test_fractions_are_in_the_order_of_numbers(moment: datetime, a: str, b: str) -> None:
    """However many digits they have; `Fraction` is the judge."""
    whole = moment.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    first, second = parse_instant(f"{whole}.{a}Z"), parse_instant(f"{whole}.{b}Z")
    x, y = Fraction(f"0.{a}"), Fraction(f"0.{b}")

    assert (first < second, first == second) == (x < y, x == y)


@given(moments, offsets, digits)
def test_a_fraction_is_the_same_in_every_zone(
    moment: datetime, zone: timezone, fraction: str
) -> None:
    """`T` and `Z` may be small letters, too."""
    whole = moment.replace(microsecond=0)
    local = whole.astimezone(zone).isoformat()
    text = f"{local[:19]}.{fraction}{local[19:]}"
    utc = f"{whole.isoformat()[:19]}.{fraction}z".lower()

    assert parse_instant(text) == parse_instant(utc)


def test_fractions_beyond_microseconds_count() -> None:
    """What the user writes is compared, not what `datetime` can hold."""
    assert parse_instant("2040-01-01T00:00:00.0000001Z") > parse_instant("2040-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2040-01-01",
        "2040-01-01T00:00:00",
        "2040-01-01 00:00:00Z",
        "2040-02-30T00:00:00Z",
        "2040-01-01T24:00:00Z",
        "2040-01-01T23:59:60Z",
        "2040-01-01T00:00:00+25:00",
        "2040-01-01T00:00:00+00:60",
        "2040-01-01T00:00:00-01:99",
        "2040-01-01T00:00:00.Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "\uff12040-01-01T00:00:00Z",
    ],
)
def test_what_is_none(text: str) -> None:
    """A date without a time or a zone, and times that do not exist."""
    with pytest.raises(ValueError, match=r"no such|not an RFC 3339"):
        parse_instant(text)


def test_capitals_are_for_what_is_a_time() -> None:
    """Any other text goes out as the user wrote it."""
    assert canonical("2040-01-01t00:00:00z") == "2040-01-01T00:00:00Z"
    assert canonical("tomorrow") == "tomorrow"


@pytest.mark.parametrize(
    "text", [None, "", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000+00:00"]
)
def test_no_expiry_has_many_spellings(text: str | None) -> None:
    """Absent, empty, and the epoch."""
    assert expiry_or_none(text) is None


@pytest.mark.parametrize("text", ["2040-01-01T00:00:00Z", "something new"])
def test_any_other_expiry_stays_as_it_is(text: str) -> None:
    """Even one that this version cannot read: it is shown, not guessed at."""
    assert expiry_or_none(text) == text
