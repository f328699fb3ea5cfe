"""What `check` says of the caller's tokens: how many there are, and which expire soon."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crusoe_provider.api.text import printable
from crusoe_provider.cli.report import Line, Status
from crusoe_provider.tokens.errors import OwnerUnknown
from crusoe_provider.tokens.lifetime import EXPIRY_NOTICE, Lifetime
from crusoe_provider.tokens.ownership import Ownership
from crusoe_provider.tokens.token import in_order

if TYPE_CHECKING:
    from crusoe_provider.api.models import Identity, KeyList, StorageKey

_STATUSES = frozenset({"enabled", "disabled"})


@dataclass(frozen=True, slots=True)
class Quota:
    """What tokens are held against.

    Attributes:
        limit: How many a user may have in an organization.
        expires_within: The time before an expiry in which it is a problem; `None` where it is no
            more than a warning, in the last days.
    """

    limit: int
    expires_within: timedelta | None = None


def token_lines(
    organization_id: str, keys: "KeyList", caller: "Identity", quota: Quota, now: datetime
) -> Iterator[Line]:
    """Yield what there is to say of the caller's tokens in an organization.

    Args:
        organization_id: The organization.
        keys: What it lists.
        caller: Who asks.
        quota: What they are held against.
        now: The time.
    """
    try:
        mine = in_order(Ownership().mine(keys, caller))
    except OwnerUnknown as error:
        yield Line(
            "tokens",
            Status.PROBLEM,
            f"In {organization_id} it cannot be told which are the caller's: tokens of several "
            f"users are listed ({', '.join(error.users)}), under IDs of another kind than "
            f"{caller.id}.",
            "Please report it, with these user IDs; until then no token can be created.",
            {"organization_id": organization_id},
        )
        return
    yield _count_line(organization_id, mine, quota)
    yield _expiry_line(organization_id, mine, quota, now)


def undocumented(keys: "KeyList") -> Iterator[str]:
    """Yield in which way a list is not as the API documents it, without values."""
    if not keys.proves_absence:
        yield "a list of tokens is empty without saying so, or has entries that cannot be read"
    for name in ("key_uuid", "user_id", "status", "created_at"):
        if any(getattr(key, name) is None for key in keys):
            yield f"tokens are listed without {name}"
    if any(key.status not in {None, *_STATUSES} for key in keys):
        yield "tokens have a status that is neither enabled nor disabled"


def _count_line(organization_id: str, mine: Sequence["StorageKey"], quota: Quota) -> Line:
    disabled = [key for key in mine if key.status == "disabled"]
    details = {
        "organization_id": organization_id,
        "used": len(mine),
        "limit": quota.limit,
        "disabled": len(disabled),
    }
    message = f"{len(mine)} of {quota.limit} used in {organization_id}"
    if disabled:
        return Line(
            "tokens",
            Status.WARNING,
            f"{message}; disabled, and refused to S3 clients: {_named(disabled)}",
            "Ask an administrator to enable it, or replace it.",
            details,
        )
    if len(mine) >= quota.limit:
        message += "; no slot is free for another one"
    return Line("tokens", Status.OK, message, None, details)


def _expiry_line(
    organization_id: str, mine: Sequence["StorageKey"], quota: Quota, now: datetime
) -> Line:
    within = quota.expires_within or EXPIRY_NOTICE
    ending = []
    for key in mine:
        expires_at = Lifetime.of(key.expire_at, None).expires_at
        if expires_at is not None and expires_at.moment - now <= within:
            ending.append(key)
    details = {
        "organization_id": organization_id,
        "within_seconds": round(within.total_seconds()),
        "tokens": [
            {
                "id": key.key_uuid,
                "access_key_id": key.access_key_id,
                "alias": printable(key.alias) if key.alias else None,
                "expires_at": key.expire_at,
                "expired": Lifetime.of(key.expire_at, None).has_ended(now),
            }
            for key in ending
        ],
    }
    span = f"{within.total_seconds() / 86400:g} days"
    if not ending:
        return Line("expiry", Status.OK, f"None within {span} in {organization_id}", None, details)
    return Line(
        "expiry",
        Status.WARNING if quota.expires_within is None else Status.PROBLEM,
        f"Within {span}, or over, in {organization_id}: {_named(ending)}",
        "A token with renew_before, and a rotating one, is renewed by the next apply in that time. "
        "Replace others with terraform apply -replace.",
        details,
    )


def _named(keys: Sequence["StorageKey"]) -> str:
    return ", ".join(
        key.access_key_id
        + (f' "{printable(key.alias, 60)}"' if key.alias else "")
        + (f" ({key.expire_at})" if key.expire_at else "")
        for key in keys[:10]
    )
