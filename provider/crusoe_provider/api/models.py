"""What the API answers with, as far as the provider needs it.

Field names, required fields and types follow `schemas/crusoe-api.openapi.yaml`. Fields that are not
named here are ignored; one that is missing or of another type is an error that names it.
"""

from typing import Annotated, TypeVar

import msgspec

from crusoe_provider.api.rfc3339 import expiry_or_none

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class StorageKey(msgspec.Struct, frozen=True):
    """One key as the list shows it; the secret is never part of it.

    Attributes:
        key_uuid: The token ID of the CLI.
        user_id: The owner.
        access_key_id: The ID for S3 clients, and the one that deletes it.
        status: `enabled` or `disabled`; any other text is taken as it comes.
        created_at: RFC 3339.
        alias: The label; `None` when there is none.
        expire_at: RFC 3339; `None` when it never expires.
    """

    key_uuid: str
    user_id: str
    access_key_id: str
    status: str
    created_at: str
    alias: str | None = None
    expire_at: str | None = None

    def __post_init__(self) -> None:
        # The API spells "none" in several ways; from here on there is one.
        msgspec.structs.force_setattr(self, "alias", self.alias or None)
        msgspec.structs.force_setattr(self, "expire_at", expiry_or_none(self.expire_at))


class NewStorageKey(msgspec.Struct, frozen=True):
    """The answer to a creation: the only place where the secret appears.

    Neither may be empty: a token without its secret is not to pass for a whole one.
    """

    access_key_id: _Text
    secret_key: _Text

    def __repr__(self) -> str:
        return f"NewStorageKey(access_key_id={self.access_key_id!r})"


class Organization(msgspec.Struct, frozen=True):
    """An organization of the caller."""

    id: str
    name: str


class Identity(msgspec.Struct, frozen=True):
    """The caller."""

    id: str
    email: str


class StorageKeyList(msgspec.Struct, frozen=True):
    """All keys that the server shows; unpaginated."""

    items: list[StorageKey]
    # The documentation knows of none here. If one ever comes, this is not the whole list.
    next_page_token: str | None = None


class OrganizationList(msgspec.Struct, frozen=True):
    """The organizations of the caller."""

    items: list[Organization]


class User(msgspec.Struct, frozen=True):
    """The answer to "who am I"."""

    identity: Identity


class ErrorBody(msgspec.Struct, frozen=True):
    """What an error says of itself; nothing of it is promised."""

    message: str | None = None
    error_id: str | None = None


Model = TypeVar("Model")


def decode(content: bytes, model: type[Model]) -> Model:
    """Return the JSON document `content` as a `model`.

    Raises:
        msgspec.DecodeError: It is no JSON, or not what the model says; the text names the field
            and no value.
    """
    return msgspec.json.decode(content, type=model)
