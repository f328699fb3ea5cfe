"""Finding what is to be imported, by the IDs that a user gives."""

from typing import TYPE_CHECKING, Final

from crusoe_provider.provider.diagnostics import SECRET_VARIABLE, Refusal, failing
from crusoe_provider.provider.key_texts import describe_token
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.tokens.encryption import Recipients, is_encrypted
from crusoe_provider.tokens.token import Token, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tf.utils import Diagnostics

    from crusoe_provider.api.models import Identity, StorageKey
    from crusoe_provider.tokens.session import Session

_SECRET_UNKNOWN: Final = (
    "Secret of the imported storage token is unknown",
    (
        "Crusoe shows a secret only once, when the token is created, so secret_key is null. "
        "Nothing is replaced because of it; where you have the secret, remove the token from the "
        f"state and import it again with {SECRET_VARIABLE} set to it."
    ),
)


def find_keys(
    session: "Session", given_id: str | None, wanted: "Sequence[str]"
) -> "tuple[str, list[StorageKey]]":
    """Return the organization, and the caller's keys with these token IDs or access key IDs.

    Args:
        session: The session.
        given_id: The organization, if the user has named one.
        wanted: The IDs.

    Raises:
        Refusal: There is no such key of the caller.
        CrusoeError: The keys could not be read.
    """
    session.account.expect_identity()
    with failing("Storage token not imported"):
        organization_id = session.organization_id(given_id)
        keys = session.account.keys(organization_id)
        if not all(any(_is_named(key, name) for key in keys) for name in wanted):
            # It may have been made a moment ago, by a data source that runs a program.
            keys = session.account.keys(organization_id, fresh=True)
        caller = session.account.identity()
    mine = in_order(session.ownership.mine(keys, caller))
    found = []
    for name in wanted:
        key = next((k for k in keys if _is_named(k, name)), None)
        if key is None or key not in mine or key in found:
            raise _not_importable(name, None if key in mine else key, mine, caller)
        found.append(key)
    return organization_id, [key.owned_by(caller.id) for key in found]


def split_id(text: str) -> tuple[str, str, str]:
    """Return organization, ID and profile of `[<organization>/]<ID>[@<profile>]`.

    IDs have no "@"; names of profiles may have anything.
    """
    where, _, profile = text.strip().partition("@")
    organization_id, _, wanted = where.rpartition("/")
    return organization_id, wanted, profile


def with_secret(
    diagnostics: "Diagnostics", session: "Session", importer: str, token: Token
) -> Token:
    """Return an imported token with the secret that the environment gives, if it may have it yet.

    An import knows nothing of the configuration, and its result is part of the plan. So a secret in
    the clear has to wait for the apply, which knows whether it is to be encrypted. The command
    `import` has none.

    Args:
        diagnostics: Takes a warning if the environment gives none.
        session: The session; takes note of a secret that has to wait.
        importer: The ID that the user gave.
        token: The token.

    Raises:
        SecretClaimed: The secret was given to another token of this run already.
    """
    secret = session.claim_import_secret(token.access_key_id, importer)
    if secret is None:
        diagnostics.add_warning(*_SECRET_UNKNOWN)
    elif is_encrypted(secret) or session.terraform.imports_only():
        return token.but(**Recipients(()).kept(secret))
    else:
        session.await_secret(token.access_key_id)
    return token


def _is_named(key: "StorageKey", wanted: str) -> bool:
    """Say whether a key has this token ID, in any case, or this access key ID."""
    # A key that is listed without a token ID is not the one that an empty ID names.
    token_id = key.key_uuid
    return key.access_key_id == wanted or (
        token_id is not None and token_id.casefold() == wanted.casefold()
    )


def _not_importable(
    wanted: str,
    found: "StorageKey | None",
    mine: "Sequence[StorageKey]",
    caller: "Identity",
) -> Refusal:
    """Return the error for a token that is not there, or is somebody else's.

    Args:
        wanted: The ID that the user gave.
        found: The token with that ID, if it exists and belongs to another user.
        mine: The caller's tokens.
        caller: Who the caller is.
    """
    who = caller.email or caller.id
    if found is None:
        problem = f'The user {who} has no token with token ID or access key ID "{wanted}".'
    else:
        problem = (
            f'Token "{wanted}" belongs to user {found.user_id}; the credentials in use are those '
            f"of user {caller.id} ({who}), who cannot manage it."
        )
    tokens = "".join(f"\n  - {describe_token(key)}" for key in mine) or " none"
    return Refusal(
        Diagnosis(
            "Storage token not found",
            f"{problem} The tokens of this user are:{tokens}\n\n"
            "Import one of them by its token ID or access key ID, or by its identity "
            "(access_key_id). For a token of another organization write <organization ID>/<token "
            "ID>, or organization_id in the identity; for one of another user, whose credentials "
            "are in a profile, <token ID>@<profile>, or profile in the identity.",
        )
    )
