"""What the API tells us, as far as the provider needs it.

What is acted upon is always there: IDs, and the secret of a new key. What is merely shown is `None`
when the API leaves it out, or says it in a way that this version does not know.
"""

from collections.abc import Iterable
from typing import Self

import msgspec


class StorageKey(msgspec.Struct, frozen=True):
    """One key as the list shows it; the secret is never part of it.

    Attributes:
        access_key_id: The ID for S3 clients, and the one that deletes it.
        key_uuid: The token ID of the CLI.
        user_id: The owner.
        status: `enabled` or `disabled`; any other text is taken as it comes.
        created_at: RFC 3339.
        alias: The label, exactly as it is stored: it is compared with the configuration. Use
            `text.printable` to show it. `None` when there is none.
        expire_at: RFC 3339; `None` when it never expires.
    """

    access_key_id: str
    key_uuid: str | None = None
    user_id: str | None = None
    status: str | None = None
    created_at: str | None = None
    alias: str | None = None
    expire_at: str | None = None

    def owned_by(self, user_id: str) -> "StorageKey":
        """Return this key, with an owner if the list does not tell one."""
        return self if self.user_id else msgspec.structs.replace(self, user_id=user_id)


class KeyList(tuple[StorageKey, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """The keys that the API shows: a tuple of them.

    Attributes:
        proves_absence: Whether a key that is not in it is gone. It is not proved by `{}`, which is
            what a broken server answers as well as one that leaves out what is empty; nor by a list
            with an entry that has no usable access key ID, which may be any key.
    """

    proves_absence: bool

    def __new__(cls, keys: Iterable[StorageKey] = (), *, proves_absence: bool = True) -> Self:
        """Return a list of `keys`."""
        self = super().__new__(cls, keys)
        self.proves_absence = proves_absence
        return self

    @property
    def keys(self) -> tuple[StorageKey, ...]:
        """The keys, as a plain tuple."""
        return tuple(self)


class NewStorageKey(msgspec.Struct, frozen=True):
    """The answer to a creation: the only place where the secret appears. Neither is empty."""

    access_key_id: str
    secret_key: str

    def __repr__(self) -> str:
        return f"NewStorageKey(access_key_id={self.access_key_id!r})"


class Organization(msgspec.Struct, frozen=True):
    """An organization of the caller; the name is printable."""

    id: str
    name: str | None = None


class Identity(msgspec.Struct, frozen=True):
    """The caller; the e-mail address is printable."""

    id: str
    email: str | None = None
