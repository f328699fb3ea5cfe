"""When a token expires, and when it is to be renewed. Pure: time is passed in."""

from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, NamedTuple

from crusoe_provider.api.rfc3339 import Instant, parse_instant
from crusoe_provider.tokens.durations import parse_duration

# A token that ends within this time and is not renewed by itself is worth a warning.
EXPIRY_NOTICE: Final = timedelta(days=7)


class Standing(Enum):
    """Where a token is in its life."""

    VALID = auto()
    ENDS_SOON = auto()
    READY_FOR_RENEWAL = auto()
    EXPIRED = auto()


class Lifetime(NamedTuple):
    """The life of a token, as far as it is known.

    Attributes:
        expires_at: When it ends; `None` when it never does, or that is not known.
        renew_before: How long before that it is to be renewed; `None` when it is not.
    """

    expires_at: Instant | None
    renew_before: timedelta | None

    @classmethod
    def of(cls, expires_at: object, renew_before: object) -> "Lifetime":
        """Return the life that the attributes of a token describe.

        Texts that cannot be read, as a state edited by hand may hold, count as not set.
        """
        return cls(instant_or_none(expires_at), duration_or_none(renew_before))

    def has_ended(self, now: datetime) -> bool:
        """Say whether the token has expired at `now`."""
        return self.standing(now) is Standing.EXPIRED

    def standing(self, now: datetime) -> Standing:
        """Return where the token is in its life at `now`."""
        if self.expires_at is None:
            return Standing.VALID
        left = self.expires_at.moment - now
        if left <= timedelta(0):
            return Standing.EXPIRED
        if self.renew_before is not None:
            return Standing.READY_FOR_RENEWAL if left <= self.renew_before else Standing.VALID
        return Standing.ENDS_SOON if left <= EXPIRY_NOTICE else Standing.VALID

    def ready_for_renewal(self, now: datetime) -> bool:
        """Say whether the moment to renew the token has come."""
        return self.renew_before is not None and self.standing(now) in {
            Standing.READY_FOR_RENEWAL,
            Standing.EXPIRED,
        }


def expiry_after(duration: timedelta, now: datetime) -> str:
    """Return the expiry of a token made `now` that lives for `duration`.

    In whole seconds, rounded up: the API keeps no fractions.
    """
    moment = now + duration
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return Instant.at(moment).format()


def same_expiry(stored: str | None, listed: str | None) -> bool:
    """Say whether the API lists the expiry that is stored; it drops fractions of a second."""
    if not stored or not listed:
        return not stored and not listed
    a, b = instant_or_none(stored), instant_or_none(listed)
    return a is not None and b is not None and a.seconds == b.seconds


def instant_or_none(value: object) -> Instant | None:
    """Return the instant that an attribute stands for, if it has a value that can be read."""
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except ValueError:
        return None


def duration_or_none(value: object) -> timedelta | None:
    """Return the duration that an attribute stands for, if it has a value that can be read."""
    if not isinstance(value, str):
        return None
    try:
        return parse_duration(value)
    except ValueError:
        return None
