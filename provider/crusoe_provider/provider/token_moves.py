"""What becomes a token of ours by a `moved` block.

The attributes of `crusoe_storage_s3_key`, of Crusoe's own provider, are in its documentation:
https://registry.terraform.io/providers/crusoecloud/crusoe/latest/docs/resources/storage_s3_key
"""

from typing import Any, Final

from crusoe_provider.api.rfc3339 import expiry_or_none
from crusoe_provider.provider.diagnostics import Refusal
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.resource import MoveSource, State
from crusoe_provider.tokens.presence import Memory
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import Token

# Provider and type of what can be moved.
_VENDORS_KEY: Final = ("crusoecloud/crusoe", "crusoe_storage_s3_key")
_TOKEN: Final = ("crusoe-community/crusoe", "crusoe_storage_token")
_ROTATING: Final = ("crusoe-community/crusoe", "crusoe_storage_rotating_token")
# Attributes here, and what they are called there.
_VENDORS_NAMES: Final = {
    "id": "key_id",
    "access_key_id": "access_key_id",
    "secret_key": "secret_access_key",
    "alias": "alias",
    "organization_id": "organization_id",
    "status": "status",
    "created_at": "created_at",
    "user_id": "user_id",
}
# Arguments that a token and a rotating one have both.
_SHARED: Final = (
    "alias",
    "expires_after",
    "rotate_when_changed",
    "encrypt_to",
    "organization_id",
    "profile",
)
_TWO_KEYS: Final = Diagnosis(
    "Two keys do not fit one storage token",
    "The crusoe_storage_rotating_token still has a key beside the current one, or lacks its "
    "current one, and a crusoe_storage_token is one key.\n\n"
    'Set revoke_previous_after = "1s" on the rotating token and run terraform apply until its '
    "previous_access_key_id is null, then move it.",
)


def to_token(source: MoveSource) -> State | None:
    """Return the state of the token that `source` is; `None` if it is something else.

    Raises:
        Refusal: It is more than one key.
    """
    kind = _kind(source)
    if kind == _ROTATING:
        return _of_rotating(source).to_state()
    token = _of_vendor(source) if kind == _VENDORS_KEY else None
    return None if token is None else token.to_state()


def to_rotating_token(source: MoveSource) -> State | None:
    """Return the state of the rotating token that `source` is; `None` if it is something else."""
    kind, token = _kind(source), None
    if kind == _VENDORS_KEY:
        token = _of_vendor(source)
    elif kind == _TOKEN:
        token = _of_token(source)
    if token is None or not token.access_key_id:
        return None
    shared = {name: getattr(token, name) for name in _SHARED}
    rotating = RotatingToken(**shared, id=token.id, user_id=token.user_id)
    return rotating.with_current(token).to_state()


def _of_vendor(source: MoveSource) -> Token | None:
    source.private.clear()
    if not source.state.get("access_key_id"):
        return None
    values: dict[str, Any] = {
        name: source.state.get(there) or None for name, there in _VENDORS_NAMES.items()
    }
    return Token(
        **values,
        expires_at=expiry_or_none(source.state.get("expire_at"), source.state.get("created_at")),
    )


def _of_token(source: MoveSource) -> Token:
    token, memory = Token.of_state(source.state), Memory.of(source.private)
    source.private.clear()
    kept: dict[str, Any] = {}
    memory.keep(kept)
    source.private["keys"] = {token.access_key_id: kept}
    if memory.home is not None:
        source.private["home"] = kept.pop("home")
    return token


def _of_rotating(source: MoveSource) -> Token:
    rotating, memory = RotatingToken.of_state(source.state), RotationMemory.of(source.private)
    token = rotating.current
    if token is None or rotating.previous is not None or memory.leaving:
        raise Refusal(_TWO_KEYS)
    kept = memory.of_key(token.access_key_id)
    kept.home = memory.home
    kept.keep(source.private)
    return token.but(**{name: getattr(rotating, name) for name in _SHARED})


def _kind(source: MoveSource) -> tuple[str, str]:
    """Return provider and type. The host does not matter: mirrors and registries have their own."""
    return "/".join(source.provider_address.split("/")[-2:]), source.type_name
