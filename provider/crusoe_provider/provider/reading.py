"""What a refresh tells of keys: of those that are gone, disabled, or not listed yet."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tf.utils import Diagnostics

    from crusoe_provider.tokens.presence import Gone, NotListedYet
    from crusoe_provider.tokens.token import Token

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
