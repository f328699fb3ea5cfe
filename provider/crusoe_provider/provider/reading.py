"""What a refresh tells of keys: of those that are gone, disabled, or not listed yet."""

from typing import TYPE_CHECKING, Final

from crusoe_provider.api.text import printable
from crusoe_provider.tokens.lifetime import instant_or_none, same_expiry

if TYPE_CHECKING:
    from tf.utils import Diagnostics

    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.tokens.presence import Gone, NotListedYet
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.token import Token

# Servers round an expiry; what is more than this part of a life is no rounding.
_ROUNDED: Final = 10
_ENDS_EARLIER: Final = (
    "Replace or rotate it before it expires. An expires_after that is no longer than Crusoe allows "
    "does that in time, with renew_before or, for a rotating token, rotate_after."
)
_ENDS_LATER: Final = "It works longer than it should: replace or revoke it in time."
_NOT_READ: Final = (
    "The state keeps the one that was asked for. Make sure that both are the same time, and open "
    "an issue, so that this provider learns to read it."
)
_DISABLED: Final = "disabled"
NOT_REFRESHED: Final = (
    "Storage tokens not refreshed",
    (
        "The provider block takes its settings from a resource that does not exist yet, so this "
        "plan works with the last known state."
    ),
)


def warn_if_disabled(diagnostics: "Diagnostics", token: "Token") -> None:
    """Warn of a token that Crusoe has switched off."""
    if token.status == _DISABLED:
        diagnostics.add_warning(
            "Storage token is disabled",
            f"{token.name} was disabled at Crusoe, so S3 clients are refused. It still takes a "
            "slot.\n\n"
            "Ask an administrator to enable it, or replace it with terraform apply -replace.",
        )


def warn_of_lag(diagnostics: "Diagnostics", token: "Token", found: "NotListedYet") -> None:
    """Warn of a token that the list does not show yet."""
    diagnostics.add_warning(
        "Storage token not yet listed",
        f"{token.name} was created at {found.made}, and Crusoe's list of tokens does not show it "
        "yet. It stays in the state.\n\n"
        "Nothing needs to be done: what is missing is filled in at a later refresh.",
    )


def warn_of_no_proof(diagnostics: "Diagnostics", token: "Token") -> None:
    """Warn of a token that the list does not show, without proving that it is gone."""
    diagnostics.add_warning(
        "Storage token not in the list",
        f"Crusoe's list of tokens does not show {token.name}, but the answer does not prove either "
        "that it is gone: it is empty without saying so, or holds entries that cannot be read. The "
        "token stays in the state.\n\n"
        "If you know that it is gone, remove it with terraform state rm.",
    )


def warn_of_loss(diagnostics: "Diagnostics", token: "Token", found: "Gone", then: str) -> None:
    """Warn of a token that was deleted; `then` says what a plan does."""
    last = f" It was last seen there on {found.seen:%Y-%m-%d}." if found.seen else ""
    diagnostics.add_warning(
        "Storage token no longer exists",
        f"{token.name} is not in Crusoe's list any more: it was deleted outside of Terraform.{last}"
        f"\n\n{then}",
    )


def warn_of_expiry(
    diagnostics: "Diagnostics", session: "Session", token: "Token", key: "StorageKey"
) -> None:
    """Warn of a new token that Crusoe lists with quite another expiry than was asked for.

    Args:
        diagnostics: Takes the warning.
        session: The session.
        token: The token as it was asked for.
        key: How it is listed for the first time.
    """
    if same_expiry(token.expires_at, key.expire_at):
        return
    asked, listed = instant_or_none(token.expires_at), instant_or_none(key.expire_at)
    if asked is not None and listed is not None:
        life = asked.moment - session.now()
        if abs(asked.moment - listed.moment) <= life / _ROUNDED:
            return
    wish = "none was asked for" if asked is None else f"asked for was {token.expires_at}"
    if listed is not None:
        shown = f"an expiry at {key.expire_at}"
        is_earlier = asked is None or listed.moment < asked.moment
        advice = _ENDS_EARLIER if is_earlier else _ENDS_LATER
    elif key.expire_at:
        shown, advice = f'the expiry "{printable(key.expire_at)}", which cannot be read', _NOT_READ
    else:
        shown, advice = "no expiry", _ENDS_LATER
    diagnostics.add_warning(
        "Storage token has another expiry than asked for",
        session.told(
            f"Crusoe lists access key {token.access_key_id} with {shown}, and {wish}.\n\n{advice}"
        ),
    )
