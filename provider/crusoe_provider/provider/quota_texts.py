"""What to tell when there is no room for a token."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from crusoe_provider.provider.key_texts import (
    NEWER_CLI,
    deletion_command,
    describe_token,
    import_block,
)
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.tokens.durations import format_duration
from crusoe_provider.tokens.errors import (
    NoRoomToOpen,
    NoSlotCameFree,
    PlanExceedsQuota,
    QuotaExceeded,
    Shortage,
)

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey

_ANOTHER_USER: Final = (
    "have it created by another user, who may have as many: write"
    '\n\n      profile = "NAME"\n\n'
    "    in its block, where NAME is a profile of ~/.crusoe/config with that user's credentials, "
    "or an entry of the provider block's profiles:"
    "\n\n      profiles = {"
    "\n        NAME = { access_key_id = var.access_key_id, secret_key = var.secret_key }"
    "\n      }\n"
)
_WITH_A_GAP: Final = (
    "make a new key all the same, with a gap: terraform apply -replace=ADDRESS revokes the current "
    "key first (where that is refused as well, terraform taint ADDRESS and terraform apply do it)"
)
GAP: Final = (
    "Clients lose access while the storage token is replaced",
    (
        "All slots for tokens of this user are taken. Unless create_before_destroy is set, the old "
        "token is deleted before the new one is created, and S3 clients are refused until they "
        "have the new one; with it, the creation fails for want of a slot.\n\n"
        "To replace it without a gap, free a slot first and set create_before_destroy in its "
        "lifecycle block."
    ),
)
GAP_REPLACE: Final = (
    GAP[0],
    (
        "This command replaces a storage token (-replace), which need not be the one that is named "
        f"here. {GAP[1]}"
    ),
)
NOT_CHECKED: Final = "Limit of storage tokens not checked"
NOT_CHECKED_BLIND: Final = (
    "There may be no slot for this token. Terraform runs so few operations at a time "
    "(-parallelism) that it is not known yet which existing tokens this plan deletes. The apply "
    "waits for a slot, and fails if none comes free.\n\n"
    "To have the limit checked, plan with a higher -parallelism."
)

NOT_OPENED: Final = (
    "Ephemeral storage token not created: no free slot",
    (
        "All slots for tokens of this user are taken. This command only destroys or refreshes, so "
        "it goes on without the token: its values count as not known yet, and what depends on them "
        "may be left out.\n\n"
        "Free a slot first if this command needs the token."
    ),
)
NOT_OPENED_NULL: Final = (
    NOT_OPENED[0],
    (
        "All slots for tokens of this user are taken. This command only destroys or refreshes, so "
        "it goes on without the token: its values are null. A provider that is configured from "
        "them may take credentials from elsewhere, or fail.\n\n"
        "Free a slot first if this command needs the token."
    ),
)

_HELD_BY_OWN: Final = (
    "If this token is to replace one, and its lifecycle block sets create_before_destroy, the old "
    "one keeps its slot until the new one was created: free a slot, or take that setting out of "
    "the block for one apply. If it sets destroy = false, which OpenTofu has, the old one was only "
    "forgotten: it exists, and OpenTofu does not manage it any more. Take that setting out, then "
    "revoke the old one, or import it and apply again. If the old one is tainted, for instance "
    "because a provisioner failed, and the state has its secret, terraform untaint keeps it "
    "instead; the next apply then deletes what is left of its predecessor."
)
_IDLE: Final = (
    "Nothing else was under way in this apply that could free one.\n\n"
    f"{_HELD_BY_OWN} Otherwise somebody has taken the slot since the plan: free one, then apply "
    'again. To wait for somebody else to free one, set timeouts { create = "10m" }.'
)
_NONE_CAME_FREE: Final = (
    "If this apply deletes another token, and that takes longer, raise the time limit with "
    f'timeouts {{ create = "10m" }}. {_HELD_BY_OWN}'
)
_BLOCKED: Final = (
    "Terraform carries out only so many operations at a time (-parallelism), in any order, and all "
    "of them were creations that wait for a slot, so a deletion that this plan may hold could not "
    "begin. This creation makes way for it. If the plan deletes a token, run terraform apply "
    "again; a higher -parallelism avoids this."
)


def diagnosis(error: QuotaExceeded) -> Diagnosis:
    """Return what to tell of there being no room."""
    match error:
        case PlanExceedsQuota():
            return _plan(error.shortage, rotating=error.rotating)
        case NoSlotCameFree():
            return _apply(error)
        case NoRoomToOpen():
            return _open(error.shortage)
    raise TypeError(type(error).__name__)


def rotation_warning(shortage: Shortage) -> Diagnosis:
    """Return the warning for a rotating token that could not rotate beside what there will be."""
    return Diagnosis(
        "No free slot for a later rotation",
        "A rotation creates the new key while the old one still works, so it needs a slot of its "
        f"own. A user may have {shortage.limit} storage tokens in an organization, and after this "
        f"plan there will be {shortage.verdict.needed}. The token is created now, and a plan that "
        "has to rotate it will be refused until a slot is free.\n\n"
        "Free a slot before that, or let one of the tokens belong to another user."
        f"{_others(shortage)}",
    )


def not_free_yet(access_key_ids: Iterable[str]) -> Diagnosis:
    """Return the warning for a plan that fits if tokens go of which Terraform says nothing."""
    names = " and ".join(sorted(access_key_ids))
    return Diagnosis(
        "No slot is free for the storage token yet",
        f"All slots for tokens of this user are taken, and Terraform does not say what becomes of "
        f"{names}. A tainted token is deleted before its successor is created, and S3 clients are "
        "refused until they have the new one; with create_before_destroy the creation fails for "
        "want of a slot. A token that is only forgotten (a removed block with destroy = false) "
        "keeps its slot, and the creation fails as well.\n\n"
        "To replace a tainted token without a gap, free a slot first and set create_before_destroy "
        "in its lifecycle block.",
    )


def _others(shortage: Shortage) -> str:
    return f" {_keys(shortage)}" if shortage.keys else ""


def _plan(shortage: Shortage, *, rotating: bool) -> Diagnosis:
    verdict = shortage.verdict
    return Diagnosis(
        "Plan needs more storage tokens than a user may have",
        f"A user may have {shortage.limit} storage tokens in an organization. After this plan "
        f"there would be {verdict.needed}: {len(verdict.staying)} that exist and stay, and "
        f"{verdict.creations} to be created.\n\n{_ways_out(shortage, rotating=rotating)}",
    )


def _apply(error: NoSlotCameFree) -> Diagnosis:
    waited = format_duration(timedelta(seconds=round(error.waited)))
    reason = _BLOCKED if error.blocked else _NONE_CAME_FREE
    if error.idle:
        reason = _IDLE
    return Diagnosis(
        "No free slot for the storage token",
        f"A user may have {error.shortage.limit} storage tokens in an organization, and all are "
        f"taken. No slot came free within {waited}, so nothing was created.\n\n"
        f"{reason}\n\n{_keys(error.shortage)}",
    )


def _open(shortage: Shortage) -> Diagnosis:
    # With this one, unless nothing asks for a slot any more.
    lent = max(1, len(shortage.borrowed) + shortage.opening)
    text = (
        f"A user may have {shortage.limit} storage tokens in an organization, and no slot is left "
        "for this one. An ephemeral token is created in every plan and again in every apply, and "
        "needs a free slot both times."
    )
    if lent > 1:
        text += (
            f" With this one, {lent} are to be borrowed in this run by ephemeral storage tokens "
            "at the same time.\n\n"
            "Use fewer ephemeral tokens at a time, for example one for several purposes."
        )
    remedy = _ways_out(shortage) if shortage.keys or lent == 1 else ""
    return Diagnosis(
        "No free slot for the ephemeral storage token", f"{text}\n\n{remedy}".rstrip("\n")
    )


def _keys(shortage: Shortage) -> str:
    return f"The user has these now:\n{''.join(_entry(shortage, key) for key in shortage.keys)}"


def _ways_out(shortage: Shortage, *, rotating: bool = False) -> str:
    if not shortage.keys:
        return f"The user has none yet. Drop a token from the configuration, or {_ANOTHER_USER}"
    ways = []
    unmanaged = [
        key for key in shortage.keys if key.access_key_id not in shortage.seen | shortage.borrowed
    ]
    if shortage.unmanaged_known and unmanaged:
        commands = "".join(f"\n      {deletion_command(key)}" for key in unmanaged)
        ways.append(
            f"delete a token that nobody needs, and no other configuration manages {NEWER_CLI}:"
            f"{commands}"
        )
        if not rotating:
            ways.append(
                "let this configuration manage one that exists, in place of a new one:\n\n"
                f"{import_block(unmanaged[0])}\n"
            )
        ways.append(
            "where crusoe_storage_s3_key of Crusoe's own provider manages it: hand it over with a "
            "moved block, or remove it in one apply and create the new one in the next"
        )
    if rotating:
        ways.append(_WITH_A_GAP)
    ways.append("drop a token from the configuration")
    ways.append(_ANOTHER_USER)
    listed = "".join(f"\n  - {way}" for way in ways)
    return f"{_keys(shortage)}\nWays out:\n{listed}"


def _entry(shortage: Shortage, key: "StorageKey") -> str:
    if key.access_key_id in shortage.borrowed:
        where = "; borrowed in this run"
    elif key.access_key_id in shortage.seen:
        where = "; in this state"
    elif shortage.unmanaged_known:
        where = "; not managed by a crusoe_storage_token of this state"
    else:
        where = ""
    return f"  - {describe_token(key)}{where}\n"
