"""What to tell when there are too few slots for tokens."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tf.utils import Diagnostics

from crusoe_provider.provider.diagnostics import NEWER_CLI, deletion_command, describe_token
from crusoe_provider.tokens.durations import format_duration
from crusoe_provider.tokens.quota import Shortage

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey


_NONE_CAME_FREE: Final = (
    "With create_before_destroy a replacement is created while the old token still has its slot, "
    "which works only while another one is free: take create_before_destroy out of the lifecycle "
    "block, or free a slot. If another token is deleted in the same apply and that takes longer, "
    'raise the time limit with timeouts { create = "10m" }.'
)
_BLOCKED: Final = (
    "Terraform carries out only so many operations at a time (-parallelism), in any order, and all "
    "of them were creations that wait for a slot; the deletion that this plan may hold could not "
    "begin. This creation makes way for it. Run terraform apply again, which finds the slot free, "
    "or use a higher -parallelism."
)


def add_plan_shortage(diags: Diagnostics, shortage: Shortage) -> None:
    """Report a plan that needs more tokens than a user may have."""
    verdict = shortage.verdict
    diags.add_error(
        "Plan needs more storage tokens than a user may have",
        f"A user may have {verdict.limit} storage tokens in an organization. After this plan there "
        f"would be {verdict.needed}: {len(verdict.staying)} that exist and stay, and "
        f"{verdict.creations} to be created.\n\n{_ways_out(shortage)}",
    )


def add_apply_shortage(diags: Diagnostics, shortage: Shortage) -> None:
    """Report a creation for which no slot came free."""
    waited = format_duration(timedelta(seconds=round(shortage.waited)))
    diags.add_error(
        "No free slot for the storage token",
        f"A user may have {shortage.verdict.limit} storage tokens in an organization, and all are "
        f"taken. None came free within {waited}, so nothing was created.\n\n"
        f"{_BLOCKED if shortage.blocked else _NONE_CAME_FREE}\n\n{_ways_out(shortage)}",
    )


def add_open_shortage(diags: Diagnostics, shortage: Shortage) -> None:
    """Report an ephemeral token for which there is no slot."""
    diags.add_error(
        "No free slot for the ephemeral storage token",
        f"A user may have {shortage.verdict.limit} storage tokens in an organization, and all are "
        "taken. An ephemeral token is created in every plan and again in every apply, and needs a "
        f"free slot both times.\n\n{_ways_out(shortage)}",
    )


def add_gap_warning(diags: Diagnostics) -> None:
    """Warn that a replacement at the limit leaves clients without a token for a moment."""
    diags.add_warning(
        "Clients lose access while the storage token is replaced",
        "All slots for tokens of this user are taken, so the old token is deleted before the new "
        "one is created, and S3 clients are refused until they have the new one. To replace it "
        "without a gap, free a slot and set create_before_destroy in its lifecycle block.",
    )


def _ways_out(shortage: Shortage) -> str:
    if not shortage.keys:
        return (
            "The user has none yet. Drop a token from the configuration; tokens of other users "
            "need a provider block with their credentials."
        )
    return (
        f"The user has these now:\n{''.join(_entry(shortage, key) for key in shortage.keys)}\n"
        f"Delete one that nobody needs, with the command beside it {NEWER_CLI}; or let this "
        "configuration manage one that exists:\n\n"
        "  import {\n"
        "    to = crusoe_storage_token.NAME\n"
        f'    id = "{_importable(shortage)}"\n'
        "  }\n\n"
        "or drop a token from the configuration."
    )


def _entry(shortage: Shortage, key: "StorageKey") -> str:
    where = "in this state" if key.access_key_id in shortage.ours else "not in this state"
    return f"  - {describe_token(key)}; {where}\n      {deletion_command(key)}\n"


def _importable(shortage: Shortage) -> str:
    """Return the token ID of the first token that this state does not have, or of any."""
    others = [key for key in shortage.keys if key.access_key_id not in shortage.ours]
    key = (others or list(shortage.keys))[0]
    return key.key_uuid or key.access_key_id
