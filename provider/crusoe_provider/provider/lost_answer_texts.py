"""What to tell when the answer to a creation was lost."""

from typing import Final

from crusoe_provider.provider.key_texts import NEWER_CLI, deletion_command, describe_token
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.tokens.errors import AnswerLost

_NOT_CREATED: Final = "Storage token not created"
_NOT_OPENED: Final = "Ephemeral storage token not created"
_NOT_ROTATED: Final = "Storage token not rotated"
_MAYBE: Final = "Storage token may have been created"


def diagnosis(error: AnswerLost) -> Diagnosis:
    """Return what to tell of a lost answer."""
    lost = f"The request was sent once, but its answer was lost: {error.cause}"
    if error.rotating:
        found = error.revoked or error.left
        return Diagnosis(_NOT_ROTATED if found else _MAYBE, _rotation(error, lost))
    if error.revoked is not None:
        return Diagnosis(
            _NOT_OPENED if error.ephemeral else _NOT_CREATED,
            f"{lost} It had made a token ({describe_token(error.revoked)}). Its secret is shown "
            "only once and cannot be read again, so the token was revoked at once, and nothing is "
            "stored.\n\n"
            "Run Terraform again: it creates a new one.",
        )
    if error.left is not None:
        made = (
            f"{lost} It has made a token ({describe_token(error.left)}). Its secret is shown only "
            f"once and cannot be read again, and the token could not be revoked: "
            f"{error.revoke_error}"
        )
        revoke = f"`{deletion_command(error.left)}` {NEWER_CLI}"
        if error.ephemeral:
            return Diagnosis(
                _NOT_OPENED, f"{made}\n\nRevoke it with {revoke}, then run Terraform again."
            )
        return Diagnosis(
            "Storage token created, but its secret was lost",
            f"{made}\n\nThe token is kept in the state as tainted. Run terraform apply again: it "
            f"replaces the token. If no slot is free for that, revoke the token first with "
            f"{revoke}.",
        )
    return Diagnosis(_NOT_OPENED if error.ephemeral else _MAYBE, f"{lost} {_found(error)}")


def _rotation(error: AnswerLost, lost: str) -> str:
    if error.revoked is not None:
        return (
            f"{lost} It had made a token ({describe_token(error.revoked)}). Its secret is shown "
            "only once and cannot be read again, so the token was revoked at once. The current key "
            "stays what it was.\n\n"
            "Run terraform apply again: it goes on with the rotation."
        )
    if error.left is not None:
        return (
            f"{lost} It has made a token ({describe_token(error.left)}). Its secret is shown only "
            f"once and cannot be read again, and the token could not be revoked: "
            f"{error.revoke_error} The current key stays what it was.\n\n"
            "Run terraform apply again: it revokes that token and goes on with the rotation. "
            f"Or revoke it with `{deletion_command(error.left)}` {NEWER_CLI}."
        )
    return f"{lost} The current key stays what it was. {_found(error)}"


def _found(error: AnswerLost) -> str:
    look = (
        "Look with `crusoe storage tokens list` for a token that you do not know, created just "
        f"now, and delete it with `crusoe storage tokens delete <token-id>` {NEWER_CLI}"
    )
    if error.candidates is None:
        return (
            "Whether there is a new token could not be found out either: "
            f"{error.list_error}\n\n{look}. Then run Terraform again."
        )
    if not error.candidates:
        expiry = f" It would expire at {error.expire_at}." if error.expire_at else ""
        return (
            "Crusoe lists no new token, some seconds later. A request that took long may still be "
            f"carried out after that.{expiry}\n\n"
            f"Run Terraform again. If you want to be certain that nothing is left: {look}."
        )
    tokens = "".join(
        f"  - {describe_token(key)}\n    {deletion_command(key)}\n" for key in error.candidates
    )
    return (
        "Since then Crusoe lists these new tokens, one of which it may have made; none is in the "
        f"state:\n\n{tokens}\n"
        "Delete what nobody else has made, with the command below its name "
        f"{NEWER_CLI}, then run Terraform again."
    )
