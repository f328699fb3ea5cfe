"""What to tell, and what to keep, when the answer to a creation was lost."""

from typing import TYPE_CHECKING, Any

from tf.utils import Diagnostics

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.diagnostics import (
    NEWER_CLI,
    advice,
    deletion_command,
    describe_token,
)
from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.creation import Ambiguous
from crusoe_provider.tokens.lifetime import same_expiry

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account

_SUMMARY = "Storage token may have been created"


def settle(
    diags: Diagnostics, outcome: Ambiguous, planned: State, *, credentials: str
) -> dict[str, Any] | None:
    """Report a lost answer, and return the state to keep.

    A state beside an error is kept by Terraform as tainted, so the next apply replaces the token:
    a key whose secret nobody has stays in sight until it is revoked.

    Args:
        diags: Where to report.
        outcome: What was found out.
        planned: The planned state, with the organization known.
        credentials: Where the credentials in use come from.

    Returns:
        The token's state without a secret, if there is exactly one that it can be.
    """
    lost = f"The request was sent once, but its answer was lost: {outcome.cause}"
    candidates = outcome.candidates
    if candidates is None:
        diags.add_error(
            _SUMMARY,
            f"{lost} Whether there is a new token could not be found out either: "
            f"{outcome.list_error}\n\n"
            "Look with `crusoe storage tokens list` for a token that you do not know, created just "
            f"now, and delete it with `crusoe storage tokens delete <token-id>` {NEWER_CLI}. Then "
            "apply again.",
        )
        return None
    if not candidates:
        diags.add_error(
            "Storage token not created",
            f"{lost} Crusoe lists no new token, so none was created.\n\n"
            f"{advice(outcome.cause, credentials=credentials)}",
        )
        return None
    if len(candidates) > 1:
        tokens = "".join(
            f"  - {describe_token(key)}\n    {deletion_command(key)}\n" for key in candidates
        )
        diags.add_error(
            _SUMMARY,
            f"{lost} Since then Crusoe lists several new tokens that it may have made, and none is "
            f"in the state:\n\n{tokens}\n"
            "Delete those that nobody else has made, with the commands above "
            f"{NEWER_CLI}, then apply again.",
        )
        return None
    (key,) = candidates
    diags.add_error(
        "Storage token created, but its secret was lost",
        f"{lost} Crusoe lists one new token that it must have made: {describe_token(key)}. Its "
        "secret is shown only once and cannot be read again, so the token is kept in the state as "
        "tainted.\n\n"
        "Run terraform apply again: it deletes this token and creates a new one with a working "
        "secret. If somebody else created this token at the same moment, take it out of the state "
        "first with terraform state rm and the address of this resource.",
    )
    return planned | {
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "secret_key": None,
        "status": key.status,
        "created_at": key.created_at,
        "user_id": key.user_id,
    }


def revoke_unopened(
    diags: Diagnostics,
    outcome: Ambiguous,
    account: "Account",
    organization_id: str,
    expires_at: str,
) -> None:
    """Revoke what the creation of an ephemeral token has made, its answer being lost, and report.

    No state keeps it in sight, so it has to go at once. A new token of this user with this alias
    that expires at this very second can hardly be another one.

    Args:
        diags: Where to report.
        outcome: What was found out.
        account: The caller's account.
        organization_id: The organization.
        expires_at: The expiry that was asked for.
    """
    lost = f"The request was sent once, but its answer was lost: {outcome.cause}"
    made = [k for k in outcome.candidates or () if same_expiry(expires_at, k.expire_at)]
    if outcome.candidates is not None and len(made) == 1:
        try:
            account.delete_key(organization_id, made[0].access_key_id, finish=True)
        except CrusoeError as error:
            fate = (
                f"The token that it made could not be revoked: {error}\n\n"
                f"Revoke it with `{deletion_command(made[0])}` {NEWER_CLI}, then run Terraform "
                "again."
            )
        else:
            fate = (
                f"The token that it made ({made[0].access_key_id}) was revoked at once.\n\n"
                "Run Terraform again."
            )
    elif outcome.candidates is not None and not made:
        fate = "Crusoe lists no new token, so none was created.\n\nRun Terraform again."
    else:
        why = f" ({outcome.list_error})" if outcome.list_error else ""
        fate = (
            f"Whether there is a new token could not be found out{why}; if there is, it expires at "
            f"{expires_at}.\n\n"
            "Look for it with `crusoe storage tokens list`, revoke it with `crusoe storage tokens "
            f"delete <token-id>` {NEWER_CLI}, then run Terraform again."
        )
    diags.add_error("Ephemeral storage token not created", f"{lost} {fate}")
