"""When a token ends, and when it is to be renewed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crusoe_provider.tokens.lifetime import Lifetime, Standing, expiry_after, same_expiry

END = datetime(2026, 11, 30, 12, tzinfo=UTC)
EXPIRY = "2026-11-30T12:00:00Z"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("expires_at", "renew_before", "left", "standing"),
    [
        (None, None, DAY, Standing.VALID),
        (None, "14d", DAY, Standing.VALID),
        (EXPIRY, None, 7 * DAY + SECOND, Standing.VALID),
        (EXPIRY, None, 7 * DAY, Standing.ENDS_SOON),
        (EXPIRY, None, SECOND, Standing.ENDS_SOON),
        (EXPIRY, None, 0 * DAY, Standing.EXPIRED),
        (EXPIRY, "2d", 2 * DAY + SECOND, Standing.VALID),
        (EXPIRY, "2d", 2 * DAY, Standing.READY_FOR_RENEWAL),
        (EXPIRY, "2d", SECOND, Standing.READY_FOR_RENEWAL),
        (EXPIRY, "2d", -DAY, Standing.EXPIRED),
        ("rubbish", "2d", -DAY, Standing.VALID),
        (EXPIRY, "rubbish", DAY, Standing.ENDS_SOON),
    ],
)
def test_where_a_token_is_in_its_life(
    expires_at: str | None, renew_before: str | None, left: timedelta, standing: Standing
) -> None:
    """A token that is renewed by itself needs no warning before that."""
    life = Lifetime.of(expires_at, renew_before)

    assert life.standing(END - left) is standing
    assert life.has_ended(END - left) is (standing is Standing.EXPIRED)
    renewed = Lifetime.of(None, renew_before).renew_before is not None
    due = standing in {Standing.READY_FOR_RENEWAL, Standing.EXPIRED}
    assert life.ready_for_renewal(END - left) is (renewed and due)


@pytest.mark.parametrize(
    ("now", "duration", "expiry"),
    [
        (END, DAY, "2026-12-01T12:00:00Z"),
        (END.replace(microsecond=1), DAY, "2026-12-01T12:00:01Z"),
        (END.replace(microsecond=999_999), timedelta(0), "2026-11-30T12:00:01Z"),
        (END.astimezone(timezone(timedelta(hours=2))), DAY, "2026-12-01T12:00:00Z"),
    ],
)
def test_an_expiry_is_in_whole_seconds_and_never_too_early(
    now: datetime, duration: timedelta, expiry: str
) -> None:
    assert expiry_after(duration, now) == expiry


@pytest.mark.parametrize(
    ("stored", "listed", "same"),
    [
        (EXPIRY, EXPIRY, True),
        (EXPIRY, "2026-11-30T13:00:00+01:00", True),
        ("2026-11-30T12:00:00.7Z", EXPIRY, True),
        (EXPIRY, "2026-11-30T12:00:01Z", False),
        (None, None, True),
        ("", None, True),
        (None, EXPIRY, False),
        (EXPIRY, "", False),
        (EXPIRY, "rubbish", False),
        ("rubbish", "rubbish", False),
    ],
)
def test_which_expiries_are_the_same(stored: str | None, listed: str | None, same: bool) -> None:
    assert same_expiry(stored, listed) is same
