"""A token as data sources show it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tf.types import Bool, String, TfType

from crusoe_provider.tokens.lifetime import Lifetime, Standing, instant_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crusoe_provider.api.models import StorageKey

LISTED_TOKEN: Final[dict[str, TfType]] = {
    "id": String(),
    "access_key_id": String(),
    "alias": String(),
    "status": String(),
    "created_at": String(),
    "expires_at": String(),
    "expired": Bool(),
    "user_id": String(),
}


def listed_token(key: "StorageKey", now: datetime) -> dict[str, Any]:
    """Return the attributes of `key` at the time `now`."""
    life = Lifetime(instant_or_none(key.expire_at), renew_before=None)
    return {
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "alias": key.alias,
        "status": key.status,
        "created_at": key.created_at,
        "expires_at": key.expire_at,
        "expired": life.standing(now) is Standing.EXPIRED,
        "user_id": key.user_id,
    }


def in_order(keys: "Iterable[StorageKey]") -> "list[StorageKey]":
    """Return `keys` oldest first; the API promises no order."""
    return sorted(keys, key=lambda key: (key.created_at or "", key.access_key_id))
