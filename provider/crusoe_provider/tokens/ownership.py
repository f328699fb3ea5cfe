"""Whose a key is.

The list names an owner for each key, and the API says who the caller is. That both are of one kind
of ID is not promised: buckets belong to users whose IDs begin with `S3U_`. So what the API itself
has shown of keys that this provider made goes before the comparison of IDs: under which user ID it
lists them. Where nothing has been learnt and no ID in the list is of the caller's kind, a list of
one single user is the caller's, since keys are shown to their owner only; with several users there
is no telling.
"""

import re
import threading
from typing import TYPE_CHECKING, Final

from crusoe_provider.tokens.errors import OwnerUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crusoe_provider.api.models import Identity, StorageKey

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PREFIX: Final = re.compile(r"[A-Za-z0-9]+_")


class Ownership:
    """Tells the caller's keys from those of others. Safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # User IDs of the list by the ID of the caller who made a key that is listed under it.
        self._learnt: dict[str, set[str]] = {}

    def learn(self, caller_id: str, user_id: str | None) -> None:
        """Take note that a key made by `caller_id` is listed under `user_id`."""
        if user_id is not None:
            with self._lock:
                self._learnt.setdefault(caller_id, set()).add(_folded(user_id))

    def mine(self, keys: "Sequence[StorageKey]", caller: "Identity") -> "list[StorageKey]":
        """Return those of `keys` that belong to the caller.

        Raises:
            OwnerUnknown: There is no telling.
        """
        ids = self._ids_of(caller)
        mine = [key for key in keys if _folded(key.user_id) in ids]
        if mine or any(_same_kind(key.user_id, caller.id) for key in keys):
            return mine
        users = sorted({key.user_id or "" for key in keys})
        if len(users) > 1:
            raise OwnerUnknown(users, caller)
        return list(keys)

    def is_foreign(
        self, owner: str | None, keys: "Sequence[StorageKey]", caller: "Identity"
    ) -> bool:
        """Say whether a token may be, or certainly is, somebody else's.

        Args:
            owner: The user ID that the token was listed under; `None` if that is not known.
            keys: The keys that the caller is shown.
            caller: Who asks.
        """
        if owner is None or _folded(owner) in self._ids_of(caller):
            return False
        if _same_kind(owner, caller.id):
            return True
        # Of another kind, and nothing learnt: the caller's if the list shows no other user.
        return {key.user_id for key in keys} != {owner}

    def _ids_of(self, caller: "Identity") -> set[str]:
        with self._lock:
            return {_folded(caller.id), *self._learnt.get(caller.id, ())}


def _folded(user_id: str | None) -> str:
    """Return an ID as it is compared: the case of a UUID means nothing."""
    text = user_id or ""
    return text.lower() if _UUID.fullmatch(text) else text


def _same_kind(user_id: str | None, other: str) -> bool:
    return user_id is not None and _kind(user_id) == _kind(other)


def _kind(user_id: str) -> str:
    """Return what tells one kind of ID from another: its form, or the prefix before "_"."""
    if _UUID.fullmatch(user_id):
        return "UUID"
    prefix = _PREFIX.match(user_id)
    return prefix[0] if prefix else "other"
