"""Points in time as RFC 3339 writes them, compared exactly."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,30}))?([Zz]|[+-]\d{2}:[0-5]\d)",
    re.ASCII,
)


class Instant(NamedTuple):
    """A point in time.

    Attributes:
        seconds: The point in UTC, whole seconds.
        fraction: What is beyond them: the decimals of a second, without zeros at the end.
            `datetime` ends at microseconds, and an API may not. As texts they are in the order of
            their values.
    """

    seconds: datetime
    fraction: str = ""

    @classmethod
    def at(cls, moment: datetime) -> "Instant":
        """Return the instant of an aware `moment`."""
        utc = moment.astimezone(UTC)
        return cls(utc.replace(microsecond=0), f"{utc.microsecond:06}".rstrip("0"))

    @property
    def moment(self) -> datetime:
        """The instant as a `datetime` in UTC, to the microsecond."""
        return self.seconds + timedelta(microseconds=int(self.fraction[:6].ljust(6, "0")))

    def format(self) -> str:
        """Return it in UTC as RFC 3339, to the microsecond; fractions of zero are left out."""
        text = self.moment.isoformat(timespec="auto" if self.fraction else "seconds")
        return text.replace("+00:00", "Z")


# How the API spells "never".
EPOCH: Final = Instant(datetime(1970, 1, 1, tzinfo=UTC))


def parse_instant(text: str) -> Instant:
    """Return the instant that `text` stands for.

    Args:
        text: An RFC 3339 date and time with a zone.

    Raises:
        ValueError: It is none. Leap seconds are refused, as most systems do.
    """
    match = _RFC3339.fullmatch(text)
    if not match:
        raise ValueError("This is not an RFC 3339 date and time with a zone.")
    date, time, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{zone.upper()}")
        seconds = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("There is no such date, time or zone.") from None
    return Instant(seconds, (fraction or "").rstrip("0"))


def canonical(text: str) -> str:
    """Return an RFC 3339 text with the `T` and `Z` in capitals, as servers expect them.

    RFC 3339 allows small ones. Any other text is returned as it is.
    """
    return text.upper() if _RFC3339.fullmatch(text) else text


def expiry_or_none(text: str | None, created_at: str | None = None) -> str | None:
    """Return an expiry as the API lists it, or `None` where it says that there is none.

    "Never" has many spellings: absent, empty, 1970-01-01T00:00:00Z (Crusoe's own client knows that
    one), Go's zero time 0001-01-01T00:00:00Z. None of them can be meant as an expiry, as they are
    not after the creation, or not after 1970. A text that cannot be read stays: it is shown, not
    guessed at.

    Args:
        text: The expiry.
        created_at: When the key was created, if that is known.
    """
    if not text or not text.strip():
        return None
    try:
        expiry = parse_instant(text)
    except ValueError:
        return text
    return None if expiry <= max(EPOCH, _instant_or_epoch(created_at)) else text


def _instant_or_epoch(text: str | None) -> Instant:
    try:
        return parse_instant(text or "")
    except ValueError:
        return EPOCH
