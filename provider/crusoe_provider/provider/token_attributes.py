"""Checks of values that several elements take from the configuration."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from tf.schema import Attribute
from tf.types import String
from tf.utils import Diagnostics

from crusoe_provider.api.rfc3339 import parse_instant
from crusoe_provider.tokens.durations import parse_duration

# Unicode's categories Cc and Cs.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
ORGANIZATION_ID: Final = "organization_id"


class Timestamp(String):
    """An RFC 3339 date and time: a string of which every spelling of one instant is equal."""

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Compare instants; what is no timestamp (null, a state edited by hand) as it is."""
        return _equal(parse_instant, a_decoded, b_decoded)


class Duration(String):
    """A duration such as `90d`: a string of which every spelling of one duration is equal."""

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Compare durations; what is none (null, a state edited by hand) as it is."""
        return _equal(parse_duration, a_decoded, b_decoded)


def _equal(parse: Callable[[str], object], a: Any, b: Any) -> bool:
    if not (isinstance(a, str) and isinstance(b, str)):
        return a is b
    try:
        return parse(a) == parse(b)
    except ValueError:
        return a == b


def organization_attribute(whose: str, *, requires_replace: bool = False) -> Attribute:
    """Return the attribute `organization_id`.

    Args:
        whose: What belongs to the organization; completes "ID (a UUID) of the organization".
        requires_replace: Whether a change replaces the resource.
    """
    change = " Changing it replaces the token." if requires_replace else ""
    return Attribute(
        ORGANIZATION_ID,
        String(),
        optional=True,
        computed=True,
        requires_replace=requires_replace or None,
        description=(
            f"ID (a UUID) of the organization{whose}.{change} Default: the provider's "
            "`organization_id`, then the only organization of the user. Example: "
            "`ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab`."
        ),
    )


def check_organization_id(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report an organization ID that cannot be one. Its form is not documented: a UUID is usual."""
    value = config.get(ORGANIZATION_ID)
    if isinstance(value, str) and (not value.strip() or not _fits_a_path(value)):
        diags.add_error(
            "Invalid organization ID",
            "An organization ID is a UUID such as ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab, without "
            "blanks and slashes. Leave the argument out to use the provider's organization.",
            path=[ORGANIZATION_ID],
        )


def check_alias(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report an alias that the API would drop (the empty one) or nobody could read."""
    alias = config.get("alias")
    if not isinstance(alias, str):
        return
    if not alias.strip():
        problem = "An alias cannot be empty or blank. Leave the argument out for a token without."
    elif _CONTROL.search(alias):
        problem = "An alias cannot hold control characters such as line breaks."
    else:
        return
    diags.add_error("Invalid alias", problem, path=["alias"])


def check_lifetime(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report what is wrong with the expiry and renewal of a token by itself.

    Whether a date has passed is for the plan to say: that changes with time.
    """
    expires_at, expires_after = config.get("expires_at"), config.get("expires_after")
    if isinstance(expires_at, str):
        try:
            parse_instant(expires_at)
        except ValueError as error:
            diags.add_error(
                "Invalid expiry",
                f"{error}\n\nWrite a date and time with a zone, as in 2027-01-31T12:00:00Z or "
                "2027-01-31T12:00:00+01:00.",
                path=["expires_at"],
            )
    # An unknown one may turn out to be null.
    if isinstance(expires_at, str) and isinstance(expires_after, str):
        diags.add_error(
            "Two expiries",
            "expires_at is a fixed date and expires_after a duration from the creation; a token "
            "has one expiry. Remove one of them.",
            path=["expires_after"],
        )
    life = check_duration(diags, config, "expires_after")
    margin = check_duration(diags, config, "renew_before")
    if margin is not None and expires_at is None and expires_after is None:
        diags.add_error(
            "Renewal without an expiry",
            "renew_before says how long before its expiry a token is renewed, and this one never "
            "expires. Set expires_after too, or remove renew_before.",
            path=["renew_before"],
        )
    if life is not None and margin is not None and margin >= life:
        diags.add_error(
            "Renewal before the token exists",
            f"renew_before ({config['renew_before']}) must be shorter than the life of the token, "
            f"expires_after ({config['expires_after']}); otherwise every plan would replace it.",
            path=["renew_before"],
        )


def check_duration(diags: Diagnostics, config: Mapping[str, Any], name: str) -> timedelta | None:
    """Return the duration in the attribute `name`, if it has a known and valid one."""
    value = config.get(name)
    if not isinstance(value, str):
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        diags.add_error("Invalid duration", f"{name}: {error}.", path=[name])
        return None


def check_timeouts(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report a time-out that is no duration."""
    timeouts = config.get("timeouts")
    value = timeouts.get("create") if isinstance(timeouts, dict) else None
    if isinstance(value, str):
        try:
            parse_duration(value)
        except ValueError as error:
            diags.add_error("Invalid duration", f"create: {error}.", path=["timeouts", "create"])


def _fits_a_path(value: str) -> bool:
    return not any(c.isspace() or c in "/\\?#%" or not c.isprintable() for c in value)
