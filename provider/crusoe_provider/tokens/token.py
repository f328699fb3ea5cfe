"""The state of a storage token: where it comes from, and how to name it in a message."""

from typing import TYPE_CHECKING

from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.lifetime import same_expiry

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey


def is_token(key: "StorageKey", state: State) -> bool:
    """Say whether `key` is the token in `state`.

    A token that was not listed yet when it was created has no token ID in the state, so the access
    key ID decides.
    """
    return bool(key.access_key_id == state["access_key_id"])


def listed_attributes(key: "StorageKey") -> State:
    """Return what only the list tells of a token, not the answer to its creation."""
    return {
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "status": key.status,
        "created_at": key.created_at,
        "user_id": key.user_id,
    }


def refreshed(state: State, key: "StorageKey") -> State:
    """Return `state` as `key` shows it; the spelling of an expiry that means the same stays."""
    expires_at = state["expires_at"]
    if not same_expiry(expires_at, key.expire_at):
        expires_at = key.expire_at
    return state | listed_attributes(key) | {"alias": key.alias, "expires_at": expires_at}


def name_of(state: State) -> str:
    """Return how to call the token in a sentence."""
    alias = f' with alias "{state["alias"]}"' if state["alias"] else ""
    token_id = f"token ID {state['id']}, " if state["id"] else ""
    return f"Storage token{alias} ({token_id}access key ID {state['access_key_id']})"
