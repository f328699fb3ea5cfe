"""What importing a storage token needs beside the resource itself."""

from typing import TYPE_CHECKING, Final

from tf.utils import Diagnostics

from crusoe_provider.provider.diagnostics import describe_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crusoe_provider.api.models import Identity, StorageKey

SECRET_VARIABLE: Final = "CRUSOE_STORAGE_TOKEN_SECRET"  # noqa: S105 - a variable's name
"""Environment variable with the secret of the token that is imported."""


def add_not_importable(
    diags: Diagnostics,
    wanted: str,
    found: "StorageKey | None",
    mine: "Sequence[StorageKey]",
    caller: "Identity",
) -> None:
    """Report that the wanted token is not there, or is somebody else's, and what there is.

    Args:
        diags: Where to report.
        wanted: The ID that the user gave.
        found: The token with that ID, if it exists and belongs to another user.
        mine: The caller's tokens.
        caller: Who the caller is.
    """
    if found is None:
        problem = f'The user {caller.email} has no token with token ID or access key ID "{wanted}".'
    else:
        problem = (
            f'Token "{wanted}" belongs to user {found.user_id}; the credentials in use are those '
            f"of user {caller.id} ({caller.email}), who cannot manage it."
        )
    tokens = "".join(f"\n  - {describe_token(key)}" for key in mine) or " none"
    diags.add_error(
        "Storage token not found",
        f"{problem} The tokens of this user are:{tokens}\n\n"
        "Import one of them by its token ID or access key ID. For a token of another organization "
        "write <organization ID>/<token ID>.",
    )
