"""How far the clock of this machine is from the server's; requests are signed with the time."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

NOTEWORTHY_SKEW: Final = timedelta(minutes=2)
"""Less is of no account: the header has whole seconds, and has been under way."""


def clock_skew(date: str | None, now: datetime) -> timedelta | None:
    """Return how far `now` is ahead of what a `Date` header says; `None` if that cannot be read."""
    try:
        server = parsedate_to_datetime(date or "")
        return now - (server if server.tzinfo else server.replace(tzinfo=UTC))
    except (TypeError, ValueError, OverflowError):
        return None


def skew_in_words(skew: timedelta) -> str:
    """Return a sentence on a skew that is noteworthy."""
    minutes = round(abs(skew).total_seconds() / 60)
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return (
        f"The clock of this machine is {minutes} minutes {direction} the server's; requests are "
        "accepted only when they are signed with about the right time."
    )
