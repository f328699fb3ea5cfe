"""From `crusoe_storage_s3_key` of Crusoe's own provider to `crusoe_storage_token`.

The attributes of that resource, by name, are in its documentation:
https://registry.terraform.io/providers/crusoecloud/crusoe/latest/docs/resources/storage_s3_key
"""

from typing import Final

from crusoe_provider.api.rfc3339 import expiry_or_none
from crusoe_provider.providerserver.resource import MoveSource, State

_PROVIDER: Final = "crusoecloud/crusoe"
_TYPE: Final = "crusoe_storage_s3_key"
# Attributes here, and what they are called there.
_NAMES: Final = {
    "id": "key_id",
    "access_key_id": "access_key_id",
    "secret_key": "secret_access_key",
    "alias": "alias",
    "organization_id": "organization_id",
    "status": "status",
    "created_at": "created_at",
    "user_id": "user_id",
}


def from_vendor(source: MoveSource) -> State | None:
    """Return the state of the token that `source` is; `None` if it is something else.

    The host of the provider's address does not matter: mirrors and registries have their own.
    """
    provider = "/".join(source.provider_address.split("/")[-2:])
    if (provider, source.type_name) != (_PROVIDER, _TYPE):
        return None
    if not source.state.get("access_key_id"):
        return None
    state: State = {name: source.state.get(there) or None for name, there in _NAMES.items()}
    return state | {
        "expires_at": expiry_or_none(source.state.get("expire_at")),
        "ready_for_renewal": False,
    }
