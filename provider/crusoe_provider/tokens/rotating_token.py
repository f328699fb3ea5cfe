"""A rotating storage token: the one model of its state, and its two keys as tokens.

A new attribute is one line here, and one in the schema of the resource.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from tf.types import Unknown

from crusoe_provider.tokens.errors import InvalidToken
from crusoe_provider.tokens.lifetime import duration_or_none, instant_or_none
from crusoe_provider.tokens.rotation import Holding
from crusoe_provider.tokens.token import Token

EXPIRED: Final = "expired"
"""The status of a key whose expiry had passed at the last refresh."""

# Attributes of a key here, and what they are called there.
_OF_KEY: Final = {
    "access_key_id": "access_key_id",
    "secret_key": "secret_key",
    "encrypted_secret_key": "encrypted_secret_key",
    "token_id": "id",
    "created_at": "created_at",
    "expires_at": "expires_at",
    "status": "status",
}
_PREVIOUS: Final = "previous_"
KEY_ATTRIBUTES: Final = tuple(_OF_KEY)
PREVIOUS_ATTRIBUTES: Final = tuple(f"{_PREVIOUS}{name}" for name in _OF_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatingToken:
    """A rotating token as a state or a plan has it; the names are those of the attributes.

    In a plan any value may be `tf.types.Unknown`; in a state none is.
    """

    id: str | None = None
    alias: str | None = None
    rotate_after: str | None = None
    rotate_when_changed: Mapping[str, str | None] | None = None
    revoke_previous_after: str | None = None
    expires_after: str | None = None
    encrypt_to: Sequence[str | None] | None = None
    organization_id: str | None = None
    profile: str | None = None
    access_key_id: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    encrypted_secret_key: str | None = None
    token_id: str | None = None
    created_at: str | None = None
    expires_at: str | None = None
    status: str | None = None
    previous_access_key_id: str | None = None
    previous_secret_key: str | None = field(default=None, repr=False)
    previous_encrypted_secret_key: str | None = None
    previous_token_id: str | None = None
    previous_created_at: str | None = None
    previous_expires_at: str | None = None
    previous_status: str | None = None
    generation: int = 1
    user_id: str | None = None
    ready_for_rotation: bool = False
    ready_for_revocation: bool = False
    timeouts: Mapping[str, str | None] | None = None

    @classmethod
    def of_plan(cls, planned: Mapping[str, Any]) -> Self:
        """Return the rotating token that a plan describes."""
        values: dict[str, Any] = {name: planned.get(name) for name in cls.__dataclass_fields__}
        return cls(**values)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the rotating token of a stored state.

        Raises:
            InvalidToken: The state names no access key, as one edited by hand may.
        """
        token = cls.of_plan(state)
        if not token.holding.keys and not token.holds_none:
            raise InvalidToken
        return token.but(generation=int(token.generation or 1))

    def to_state(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def but(self, **changes: Any) -> Self:
        """Return this token with other values."""
        return dataclasses.replace(self, **changes)

    def either(self, other: Self) -> Self:
        """Return what is known where a plan will turn out to be this token or the other."""
        mine, others = self.to_state(), other.to_state()
        return self.but(**{n: v if v == others[n] else Unknown for n, v in mine.items()})

    # -- The two keys --------------------------------------------------------------------------

    @property
    def holding(self) -> Holding:
        """The access key IDs of both."""
        return Holding(self.access_key_id or None, self.previous_access_key_id or None)

    @property
    def holds_none(self) -> bool:
        """Whether it had keys, and has none: the last one made room, and no other could be made.

        Whoever edits a state by hand does not take everything out that belongs to a key.
        """
        belonging = (*KEY_ATTRIBUTES, *PREVIOUS_ATTRIBUTES)
        return bool(self.id or self.user_id) and not any(getattr(self, n) for n in belonging)

    @property
    def current(self) -> Token | None:
        """The current key as a token; `None` if it is gone."""
        return self._token("", alias=self.alias, expires_after=self.expires_after)

    @property
    def previous(self) -> Token | None:
        """The previous key as a token; `None` if there is none. Its alias is not stored."""
        return self._token(_PREVIOUS)

    def with_current(self, token: Token | None) -> Self:
        """Return this rotating token with another current key."""
        return self.but(**_attributes(token))

    def with_previous(self, token: Token | None) -> Self:
        """Return this rotating token with another previous key."""
        return self.but(**{f"{_PREVIOUS}{n}": value for n, value in _attributes(token).items()})

    def next_token(self) -> Token:
        """Return the key that a plan wants to be created, as a token."""
        return Token(
            access_key_id="",
            alias=self.alias,
            expires_at=self.expires_at,
            expires_after=self.expires_after,
            organization_id=self.organization_id,
            profile=self.profile,
        )

    def begun_with(self, token: Token) -> Self:
        """Return this rotating token with its first key."""
        return self.with_current(token).but(id=token.id, user_id=token.user_id)

    def _token(self, prefix: str, **more: Any) -> Token | None:
        values = {there: getattr(self, prefix + here) for here, there in _OF_KEY.items()}
        if not values["access_key_id"]:
            return None
        return Token(
            **values,
            organization_id=self.organization_id,
            profile=self.profile,
            user_id=self.user_id,
            **more,
        )

    # -- Time ----------------------------------------------------------------------------------

    def useless(self) -> set[str]:
        """Return the access key IDs of those whose expiry had passed at the last refresh."""
        statuses = {
            self.access_key_id: self.status,
            self.previous_access_key_id: self.previous_status,
        }
        return {key for key, status in statuses.items() if key and status == EXPIRED}

    def due_for_rotation(self, at: datetime) -> bool:
        """Say whether the current key is gone, has expired or has reached its age at that time."""
        token = self.current
        if token is None or token.lifetime.has_ended(at):
            return True
        return _has_passed(token.created_at, self.rotate_after, at)

    def due_for_revocation(self, at: datetime) -> bool:
        """Say whether the moment to revoke the previous key has come at that time.

        It counts from the rotation, which is the creation of the current key.
        """
        if self.previous is None:
            return False
        return _has_passed(self.created_at, self.revoke_previous_after, at)

    def as_of(self, now: datetime) -> Self:
        """Return this token with what had come by `now`; nothing that had come before goes."""
        changes: dict[str, Any] = {}
        for prefix, token in (("", self.current), (_PREVIOUS, self.previous)):
            if token is not None and token.lifetime.has_ended(now):
                changes[f"{prefix}status"] = EXPIRED
        return self.but(
            ready_for_rotation=bool(self.ready_for_rotation) or self.due_for_rotation(now),
            ready_for_revocation=bool(self.ready_for_revocation) or self.due_for_revocation(now),
            **changes,
        )


def _attributes(token: Token | None) -> dict[str, Any]:
    return {here: getattr(token, there, None) for here, there in _OF_KEY.items()}


def _has_passed(start: str | None, duration: object, at: datetime) -> bool:
    begun, span = instant_or_none(start), duration_or_none(duration)
    return begun is not None and span is not None and at - begun.moment >= span
