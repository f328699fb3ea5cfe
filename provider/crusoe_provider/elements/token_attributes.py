"""Checks of values that several elements take from the configuration."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from tf.types import String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.api.instants import parse_instant

ORGANIZATION_ID: Final = "organization_id"


class Timestamp(String):
    """An RFC 3339 date and time: a string of which every spelling of one instant is equal."""

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Compare instants; what is no timestamp (null, a state edited by hand) as it is."""
        if not (isinstance(a_decoded, str) and isinstance(b_decoded, str)):
            return a_decoded is b_decoded
        try:
            return parse_instant(a_decoded) == parse_instant(b_decoded)
        except ValueError:
            return a_decoded == b_decoded


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
    elif any(unicodedata.category(character) in {"Cc", "Cs"} for character in alias):
        problem = "An alias cannot hold control characters such as line breaks."
    else:
        return
    diags.add_error("Invalid alias", problem, path=["alias"])


def check_expires_at(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report an expiry that is no instant; whether it has passed is for the plan to say."""
    value = config.get("expires_at")
    if value is None or value is Unknown:
        return
    try:
        parse_instant(value)
    except ValueError as error:
        diags.add_error(
            "Invalid expiry",
            f"{error}\n\nWrite a date and time with a zone, as in 2027-01-31T12:00:00Z or "
            "2027-01-31T12:00:00+01:00.",
            path=["expires_at"],
        )


def _fits_a_path(value: str) -> bool:
    return not any(c.isspace() or c in "/\\?#%" or not c.isprintable() for c in value)
