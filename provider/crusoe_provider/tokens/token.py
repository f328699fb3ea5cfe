"""A storage token: the one model of it, with its conversions.

A new attribute is one line here, and one in the schema of the resource.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tf.types import Unknown

from crusoe_provider.tokens.errors import InvalidToken
from crusoe_provider.tokens.lifetime import Lifetime, instant_or_none, same_expiry

if TYPE_CHECKING:
    from datetime import datetime

    from crusoe_provider.api.models import StorageKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A storage token as a state or a plan has it; the names are those of the attributes.

    In a plan any value may be `tf.types.Unknown`; in a state none is.
    """

    id: str | None = None
    access_key_id: str
    secret_key: str | None = field(default=None, repr=False)
    encrypt_to: Sequence[str | None] | None = None
    encrypted_secret_key: str | None = None
    alias: str | None = None
    expires_at: str | None = None
    expires_after: str | None = None
    renew_before: str | None = None
    rotate_when_changed: Mapping[str, str | None] | None = None
    organization_id: str | None = None
    profile: str | None = None
    status: str | None = None
    created_at: str | None = None
    user_id: str | None = None
    ready_for_renewal: bool = False
    timeouts: Mapping[str, str | None] | None = None

    @classmethod
    def of_plan(cls, planned: Mapping[str, Any]) -> Self:
        """Return the token that a plan describes."""
        values: dict[str, Any] = {name: planned.get(name) for name in _names(cls)}
        return cls(**values)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the token of a stored state.

        Raises:
            InvalidToken: The state names no access key, as one edited by hand may.
        """
        token = cls.of_plan(state)
        if not token.access_key_id:
            raise InvalidToken
        return token

    @classmethod
    def of_key(cls, key: "StorageKey", **more: Any) -> Self:
        """Return the token that the API lists as `key`; `more` is what the list does not tell."""
        return cls(**_listed(key), alias=key.alias, expires_at=key.expire_at, **more)

    def to_state(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return {name: getattr(self, name) for name in _names(type(self))}

    def but(self, **changes: Any) -> Self:
        """Return this token with other values."""
        return dataclasses.replace(self, **changes)

    def as_listed(self, key: "StorageKey") -> Self:
        """Return this token with what the API lists of it; what means the same stays as it is.

        No alias and an empty one mean the same. What the list leaves out of an owner and a creation
        stays known: whose it is decides whether its absence counts, and its age when it rotates.
        """
        same = same_expiry(self.expires_at, key.expire_at)
        listed = _listed(key)
        if instant_or_none(key.created_at) is None:
            listed["created_at"] = self.created_at or key.created_at
        return self.but(
            **listed | {"user_id": key.user_id or self.user_id},
            alias=key.alias if (self.alias or None) != (key.alias or None) else self.alias,
            expires_at=self.expires_at if same else key.expire_at,
        )

    @property
    def lifetime(self) -> Lifetime:
        """When it ends and when it is to be renewed, as far as that is known."""
        return Lifetime.of(self.expires_at, self.renew_before)

    @property
    def name(self) -> str:
        """How to call it in a sentence."""
        alias = f' with alias "{self.alias}"' if self.alias else ""
        token_id = f"token ID {self.id}, " if self.id else ""
        profile = f", profile {self.profile}" if self.profile else ""
        return f"Storage token{alias} ({token_id}access key ID {self.access_key_id}{profile})"


def is_unknown(value: object) -> bool:
    """Say whether a planned value is not known yet."""
    return value is Unknown


def listed_token(key: "StorageKey", now: "datetime") -> dict[str, Any]:
    """Return the attributes of `key` as data sources show them at the time `now`."""
    token = Token.of_key(key)
    return {
        "id": token.id,
        "access_key_id": token.access_key_id,
        "alias": token.alias,
        "status": token.status,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "expired": token.lifetime.has_ended(now),
        "user_id": token.user_id,
    }


def in_order(keys: "Iterable[StorageKey]") -> "list[StorageKey]":
    """Return `keys` oldest first; the API promises no order."""
    return sorted(keys, key=lambda key: (key.created_at or "", key.access_key_id))


def _listed(key: "StorageKey") -> dict[str, Any]:
    """Return what only the list tells of a token, not the answer to its creation."""
    return {
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "status": key.status,
        "created_at": key.created_at,
        "user_id": key.user_id,
    }


def _names(model: type[Token]) -> Iterable[str]:
    return model.__dataclass_fields__
