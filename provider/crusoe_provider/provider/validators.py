"""Checks of what users write, by themselves: no API, no clock. Unknown values pass.

An empty text or map is what a module hands on that has no value: it counts as not set.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from tf.utils import Diagnostics

from crusoe_provider.api.rfc3339 import parse_instant
from crusoe_provider.provider.attributes import ORGANIZATION_ID
from crusoe_provider.provider.encryption_texts import ENCRYPT_TO, wrong_recipient
from crusoe_provider.tokens.durations import parse_duration
from crusoe_provider.tokens.encryption import flaw_of
from crusoe_provider.tokens.token import is_unknown

_STATUSES: Final = frozenset({"enabled", "disabled"})
# What can be one segment of a path as it stands, and cannot break a line.
_ORGANIZATION_ID: Final = re.compile(r"(?!\.{1,2}$)[!-~]{1,128}")
_NOT_IN_A_SEGMENT: Final = frozenset("/\\?#%")
# Unicode's categories Cc and Cs.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def given(value: Any) -> Any:
    """Return a value; `None` for an empty text, list or map, and for a map without any value."""
    if isinstance(value, dict) and all(item is None for item in value.values()):
        return None
    return None if value in ("", []) else value


def with_values(mapping: Any) -> Any:
    """Return a map without entries that have no value; an unknown one as it is."""
    if not isinstance(mapping, dict):
        return {} if mapping is None else mapping
    return {name: value for name, value in mapping.items() if value is not None}


def check_organization_id(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report an organization ID that cannot be one. Its form is not documented: a UUID is usual."""
    value = given(config.get(ORGANIZATION_ID))
    if isinstance(value, str) and (problem := organization_id_problem(value)):
        diags.add_error(
            "Invalid organization ID",
            f"{problem} Leave the argument out to use the provider's organization.",
            path=[ORGANIZATION_ID],
        )


def check_alias(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report an alias that nobody could read."""
    alias = given(config.get("alias"))
    if not isinstance(alias, str):
        return
    if not alias.strip():
        problem = "An alias cannot be blank. Leave the argument out for a token without."
    elif _CONTROL.search(alias):
        problem = "An alias cannot hold control characters such as line breaks."
    else:
        return
    diags.add_error("Invalid alias", problem, path=["alias"])


def check_status(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report a status that no token has."""
    status = given(config.get("status"))
    if isinstance(status, str) and status not in _STATUSES:
        diags.add_error(
            "Invalid status",
            "A token is enabled or disabled, in lower case. Leave the argument out for both.",
            path=["status"],
        )


def check_lifetime(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report what is wrong with the expiry and renewal of a token by itself.

    Whether a date has passed is for the plan to say: that changes with time.
    """
    expires_at, expires_after = given(config.get("expires_at")), given(config.get("expires_after"))
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
    if config.get("expires_at") == "" and isinstance(expires_after, str):
        diags.add_error(
            "Two expiries",
            "expires_at is an empty text. Terraform takes that for a value, so the expiry that "
            "expires_after gives could not be stored.\n\n"
            "Set expires_at to null where there is no fixed date.",
            path=["expires_at"],
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
    value = given(config.get(name))
    if not isinstance(value, str):
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        diags.add_error("Invalid duration", f"{name}: {error}.", path=[name])
        return None


def check_recipients(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report each element of `encrypt_to` that nothing can be encrypted to."""
    recipients = given(config.get(ENCRYPT_TO))
    if not isinstance(recipients, list):
        return
    for index, recipient in enumerate(recipients):
        flaw = None if is_unknown(recipient) else flaw_of(recipient)
        if flaw is not None:
            found = wrong_recipient(index, flaw)
            path = list(found.path) if found.path else None
            diags.add_error(found.summary, found.detail, path=path)


def check_timeouts(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report time-outs that are no durations."""
    timeouts = config.get("timeouts")
    for name, given_value in (timeouts if isinstance(timeouts, dict) else {}).items():
        value = given(given_value)
        if isinstance(value, str):
            try:
                parse_duration(value)
            except ValueError as error:
                diags.add_error("Invalid duration", f"{name}: {error}.", path=["timeouts", name])


def check_rotation(diags: Diagnostics, config: Mapping[str, Any]) -> None:
    """Report what is wrong with the rotation of a token by itself."""
    age = check_duration(diags, config, "rotate_after")
    check_duration(diags, config, "revoke_previous_after")
    life = check_duration(diags, config, "expires_after")
    if age is not None and life is not None and life <= age:
        diags.add_error(
            "Expiry before the rotation",
            f"expires_after ({config['expires_after']}) must be longer than rotate_after "
            f"({config['rotate_after']}); otherwise a key would stop working before the plan that "
            "replaces it.",
            path=["expires_after"],
        )


def organization_id_problem(text: str) -> str | None:
    """Return what is wrong with an organization ID, in a sentence, or `None`.

    Its form is not promised, so only what can be no ID is refused: blanks, control characters,
    characters other than ASCII, steps in a path, and more than 128 characters.
    """
    if _ORGANIZATION_ID.fullmatch(text) and not _NOT_IN_A_SEGMENT & set(text):
        return None
    return (
        "An organization ID is a UUID such as ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab, without "
        "blanks, slashes and special characters."
    )
