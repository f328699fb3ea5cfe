"""Whether a token still exists, and what is remembered of it for that.

Absence is believed only where it is proof. The list must have been read whole, by the owner, and
twice: another user may not be shown the token, a new one may not be listed yet, and a list may
forget a token for a moment. A plan that makes a second token in place of one that lives would leave
the first to nobody.
"""

import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from crusoe_provider.tokens.errors import ForeignToken
from crusoe_provider.tokens.lifetime import instant_or_none, same_expiry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crusoe_provider.api.account import Account
    from crusoe_provider.api.models import Identity, StorageKey
    from crusoe_provider.tokens.ownership import Ownership
    from crusoe_provider.tokens.token import Token

# For this long a list is allowed to know nothing of a new token.
_LONGEST_LAG: Final = timedelta(hours=1)
# The last time seen is written down no more often than this: it should not churn the state.
_SEEN_STEP: Final = timedelta(days=1)
# How long after a list that does not show a token another one has to agree.
_SECOND_LOOK_SECONDS: Final = 2.0


@dataclass(slots=True)
class Memory:
    """What is kept beside the state of a token, as private data.

    Attributes:
        key: The access key ID of the token.
        made: When it was created, RFC 3339, until it is seen in a list.
        seen: When it was last seen in a list, RFC 3339.
        caller: ID of a user whose token it is certainly.
        owner: The user ID under which the API lists it, if that is another one.
        alias: The form in which the API stores its alias, if it is another one.
        expires_at: The form in which the API stores its expiry, if it is another one.
        home: The organization that an empty organization_id stands for. It stays the same when the
            provider gets another default one.
        secret_due: Not empty for an imported token whose secret the environment holds, until an
            apply has put it into the state.
    """

    key: str | None = None
    made: str | None = None
    seen: str | None = None
    caller: str | None = None
    owner: str | None = None
    alias: str | None = None
    expires_at: str | None = None
    home: str | None = None
    secret_due: str | None = None

    @classmethod
    def of(cls, private: dict[str, Any]) -> Self:
        """Return what the private data says; what is no text says nothing."""
        texts = {n: v for n, v in private.items() if n in cls.__slots__ and isinstance(v, str)}
        return cls(**texts)

    def keep(self, private: dict[str, Any]) -> None:
        """Write everything into the private data, in place of what was there."""
        private.clear()
        private |= {name: value for name, value in asdict(self).items() if value is not None}

    def created(self, token: "Token", creator: "Identity", now: datetime) -> None:
        """Take note of a token that was just created."""
        self.key = token.access_key_id
        self.made = stamp(now)
        self.caller = creator.id

    def first_seen(self, token: "Token", key: "StorageKey", now: datetime) -> "Token":
        """Take note of the first list that shows a token, and return the token as it shows it.

        A form of alias or expiry other than the one asked for is the server's, and no drift; so is
        one where none was asked for, such as the longest life that an organization allows.
        """
        if (key.alias or None) != (token.alias or None):
            self.alias = key.alias or ""
        same = same_expiry(token.expires_at, key.expire_at)
        if not same and not self._takes_over(token, key, now):
            self.expires_at = key.expire_at or ""
        if instant_or_none(token.created_at) is None:
            token = token.but(created_at=self.made)
        self.made = None
        return self.seen_again(token, key, now)

    @staticmethod
    def _takes_over(token: "Token", key: "StorageKey", now: datetime) -> bool:
        """Say whether the state takes the listed expiry: one that counts from the creation.

        No plan has promised it. But one that asks for a renewal at once would do so for ever, and
        one that cannot be read never.
        """
        life = token.but(expires_at=key.expire_at).lifetime
        readable = life.expires_at is not None
        return bool(token.expires_after) and readable and not life.ready_for_renewal(now)

    def seen_again(self, token: "Token", key: "StorageKey", now: datetime) -> "Token":
        """Take note of a list that shows the token, and return the token as it shows it."""
        if self.made is not None:
            return self.first_seen(token, key, now)
        listed = token.as_listed(key)
        if self.alias is not None and (key.alias or "") == self.alias:
            listed = listed.but(alias=token.alias)
        else:
            self.alias = None
        if self.expires_at is not None and _same_form(key.expire_at, self.expires_at):
            listed = listed.but(expires_at=token.expires_at)
        else:
            self.expires_at = None
        if self.caller is not None and key.user_id not in {None, self.caller}:
            self.owner = key.user_id
        self.key = key.access_key_id
        seen = _moment(self.seen)
        if seen is None or now - seen >= _SEEN_STEP:
            self.seen = stamp(now)
        return listed


class Present(NamedTuple):
    """The list shows the token."""

    key: "StorageKey"


class NotListedYet(NamedTuple):
    """The token is so new that a list may not show it yet; `made` says when, RFC 3339."""

    made: str


class Gone(NamedTuple):
    """The token does not exist any more; `seen` says when it was last seen."""

    seen: datetime | None


class NotProved(NamedTuple):
    """The list does not show the token, and is none that proves absence; see `KeyList`."""


class Presence:
    """Looks for tokens in the list of one organization.

    Args:
        account: The caller's account.
        organization_id: The organization.
        ownership: Tells the caller's keys from those of others.
        stop: Ends waits.
        now: The time.
    """

    def __init__(
        self,
        account: "Account",
        organization_id: str,
        *,
        ownership: "Ownership",
        stop: threading.Event,
        now: datetime,
    ) -> None:
        self._account = account
        self._organization_id = organization_id
        self._ownership = ownership
        self._stop = stop
        self._now = now

    def of(self, token: "Token", memory: Memory) -> Present | NotListedYet | NotProved | Gone:
        """Return what has become of a token.

        Raises:
            ForeignToken: The token is another user's, so there is no telling.
            CrusoeError: The list, or who the caller is, could not be read.
        """
        self._learn(memory)
        key = _named(self._account.keys(self._organization_id), token.access_key_id)
        if key is not None:
            return Present(key)
        self.check_owner(token, memory)
        made = _moment(memory.made)
        if memory.made is not None and made is not None and self._now - made < _LONGEST_LAG:
            return NotListedYet(memory.made)
        self._stop.wait(_SECOND_LOOK_SECONDS)
        keys = self._account.keys(self._organization_id, fresh=True)
        key = _named(keys, token.access_key_id)
        if key is not None:
            return Present(key)
        return Gone(_moment(memory.seen)) if keys.proves_absence else NotProved()

    def check_owner(self, token: "Token", memory: Memory | None = None) -> None:
        """Make sure that the token is not another user's.

        Raises:
            ForeignToken: It is, or may be.
            CrusoeError: The list, or who the caller is, could not be read.
        """
        if token.user_id is None:
            return
        if memory is not None:
            self._learn(memory)
        keys = self._account.keys(self._organization_id)
        caller = self._account.identity()
        if self._ownership.is_foreign(token.user_id, keys, caller):
            raise ForeignToken(token.name, token.user_id, caller)

    def _learn(self, memory: Memory) -> None:
        if memory.caller is not None:
            self._ownership.learn(memory.caller, memory.owner)


def _named(keys: "Iterable[StorageKey]", access_key_id: str) -> "StorageKey | None":
    return next((key for key in keys if key.access_key_id == access_key_id), None)


def _same_form(listed: str | None, stored: str) -> bool:
    return (listed or "") == stored or same_expiry(listed, stored)


def stamp(moment: datetime) -> str:
    """Return a time as it is remembered: RFC 3339, in whole seconds."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(stored: object) -> datetime | None:
    instant = instant_or_none(stored)
    return instant.moment if instant else None
