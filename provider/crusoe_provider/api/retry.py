"""When a request is sent again, and after how long. Pure: time and randomness are passed in."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from crusoe_provider.api.errors import RETRIED_METHODS

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 15.0
_NOT_IMPLEMENTED: Final = 501


class RetryPolicy(NamedTuple):
    """Bounded retries with jittered exponential back-off.

    Attributes:
        max_retries: How often a request is sent again.
        total_seconds: After how long in all no further attempt begins.
        random: Returns a number from 0 to 1.
    """

    max_retries: int
    random: Callable[[], float]
    total_seconds: float = 120.0

    def delay(
        self, *, method: str, attempt: int, elapsed: float, status: int | None, retry_after: float
    ) -> float | None:
        """Return the seconds to wait before the next attempt, or `None` to give up.

        Args:
            method: The HTTP method.
            attempt: How many attempts have been made, from 1.
            elapsed: Seconds since the first one began.
            status: The HTTP status; `None` when no answer came.
            retry_after: What the server asked for, in seconds; 0 if nothing.
        """
        if method not in RETRIED_METHODS or attempt > self.max_retries:
            return None
        if status is not None and not _is_transient(status):
            return None
        ceiling = min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY)
        # Between half and all of it: clients that failed together do not come back together.
        delay = max(ceiling * (0.5 + self.random() / 2), retry_after)
        # Coming back earlier than the server asked for would be no respect at all.
        return delay if elapsed + delay <= self.total_seconds else None


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """Return what a Retry-After header asks for: seconds, or an HTTP date; 0 when unreadable."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        # A date that says -0000 is read without a zone, and means UTC.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _is_transient(status: int) -> bool:
    return status == 429 or (status >= 500 and status != _NOT_IMPLEMENTED)  # noqa: PLR2004 - HTTP
