"""The JSON documents of the API, read strictly where it matters and leniently where it does not.

Fields that are not named here are ignored, and never become Python objects: a document of many
megabytes of something else costs no more memory than its bytes. Pure.
"""

import logging
from typing import Any, Final, TypeVar

import msgspec

from crusoe_provider.api import models
from crusoe_provider.api.rfc3339 import expiry_or_none
from crusoe_provider.api.text import is_plain, printable

logger = logging.getLogger(__name__)

Document = TypeVar("Document")

# 20,000 keys have 160,000 values.
_MOST_VALUES: Final = 1_000_000
# A field that is only shown is no book, and an alias of a megabyte is no alias.
_LONGEST_FIELD: Final = 10_000
_BOM: Final = b"\xef\xbb\xbf"
_NULL: Final = msgspec.Raw(b"null")


class NotAsDocumentedError(ValueError):
    """A document that cannot be used; the text names the field, and no value."""


class _List(msgspec.Struct, frozen=True):
    items: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    # The documentation knows of none here. If one ever comes, this is not the whole list.
    next_page_token: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _User(msgspec.Struct, frozen=True):
    identity: msgspec.Raw


class _Error(msgspec.Struct, frozen=True):
    code: msgspec.Raw = _NULL
    message: msgspec.Raw = _NULL
    error_id: msgspec.Raw = _NULL


class ErrorBody(msgspec.Struct, frozen=True):
    """What an error says of itself, printable; nothing of it is promised."""

    code: str | None = None
    message: str | None = None
    error_id: str | None = None


def key_list(content: bytes) -> models.KeyList:
    """Return the keys in a document.

    `{"items": []}` and `{"items": null}` say that there are none; `{}` does not say otherwise.

    Raises:
        NotAsDocumentedError: It is no list of keys, or one page of several.
        msgspec.DecodeError: It is no JSON.
    """
    entries, complete = _entries(content)
    keys = []
    for number, raw in enumerate(entries):
        key = _storage_key(raw, f"items[{number}]")
        if key is None:
            complete = False
            logger.debug("Skipped items[%d] of a list: it has no usable access_key_id", number)
        else:
            keys.append(key)
    return models.KeyList(keys, proves_absence=complete)


def organizations(content: bytes) -> list[models.Organization]:
    """Return the organizations in a document.

    An entry without an ID is an error: with it skipped, two organizations would pass for the only
    one, in which keys are then created.

    Raises:
        NotAsDocumentedError: It is no list of organizations.
        msgspec.DecodeError: It is no JSON.
    """
    found = []
    for number, raw in enumerate(_entries(content)[0]):
        fields = _fields(raw, f"items[{number}]")
        organization_id = _required(fields, "id", f"items[{number}].id")
        name = _text(fields, "name", f"items[{number}]")
        found.append(models.Organization(organization_id, printable(name) if name else None))
    return found


def identity(content: bytes) -> models.Identity:
    """Return who the caller is.

    Raises:
        NotAsDocumentedError: The document does not say so.
        msgspec.DecodeError: It is no JSON.
    """
    fields = _fields(_decoded(content, _User).identity, "identity")
    email = _text(fields, "email", "identity")
    return models.Identity(
        _required(fields, "id", "identity.id"), printable(email) if email else None
    )


def new_key(content: bytes) -> models.NewStorageKey:
    """Return a new key. What else the document says is no matter: its secret comes only once.

    Raises:
        NotAsDocumentedError: The ID or the secret is missing.
        msgspec.DecodeError: It is no JSON.
    """
    fields = _decoded(content.removeprefix(_BOM), dict[str, msgspec.Raw])
    values = []
    for name in ("access_key_id", "secret_key"):
        value = msgspec.json.decode(fields.get(name, _NULL))
        if not isinstance(value, str) or not value:
            raise NotAsDocumentedError(f"{name} is no text with something in it")
        values.append(value)
    return models.NewStorageKey(*values)


def error_body(content: bytes) -> ErrorBody:
    """Return what an error says of itself; all of it `None` if it is none of Crusoe's."""
    try:
        body = msgspec.json.decode(content, type=_Error)
        values = [msgspec.json.decode(v) for v in (body.code, body.message, body.error_id)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorBody()
    return ErrorBody(*(printable(v) or None if isinstance(v, str) else None for v in values))


def is_object(content: bytes) -> bool:
    """Say whether an answer is a JSON object, as everything that the API says is."""
    try:
        msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _entries(content: bytes) -> tuple[list[msgspec.Raw], bool]:
    """Return the entries of a list, and whether it says that these are all."""
    if content.count(b",") + content.count(b"[") + content.count(b"{") > _MOST_VALUES:
        raise NotAsDocumentedError("it has too many values")
    listing = _decoded(content, _List)
    if listing.next_page_token is not msgspec.UNSET and _value(listing.next_page_token):
        raise NotAsDocumentedError("it is one page of several (next_page_token)")
    if listing.items is msgspec.UNSET:
        if msgspec.json.decode(content, type=dict[str, msgspec.Raw]).keys() - {"next_page_token"}:
            raise NotAsDocumentedError("it has no items")
        return [], False
    if bytes(listing.items) == b"null":
        return [], True
    try:
        return msgspec.json.decode(listing.items, type=list[msgspec.Raw]), True
    except msgspec.ValidationError:
        raise NotAsDocumentedError("items is no array") from None


def _storage_key(raw: msgspec.Raw, where: str) -> models.StorageKey | None:
    try:
        fields = _fields(raw, where)
    except NotAsDocumentedError:
        return None
    access_key_id = fields.get("access_key_id")
    if not isinstance(access_key_id, str) or not is_plain(access_key_id):
        return None
    created_at = _shown(fields, "created_at", where)
    return models.StorageKey(
        access_key_id=access_key_id,
        key_uuid=_shown(fields, "key_uuid", where),
        user_id=_shown(fields, "user_id", where),
        status=_shown(fields, "status", where),
        created_at=created_at,
        alias=_text(fields, "alias", where),
        expire_at=expiry_or_none(_shown(fields, "expire_at", where), created_at),
    )


def _shown(fields: dict[str, Any], name: str, where: str) -> str | None:
    """Return a field that is one plain line wherever it is shown, or `None`."""
    text = _text(fields, name, where)
    if text is None or is_plain(text):
        return text
    logger.debug("%s.%s has characters that it should not have; taken as missing", where, name)
    return None


def _text(fields: dict[str, Any], name: str, where: str) -> str | None:
    """Return a field that may be missing, `None` if it is empty or of another type."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value or None
    logger.debug("%s.%s is no text; taken as missing", where, name)
    return None


def _required(fields: dict[str, Any], name: str, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not is_plain(value):
        raise NotAsDocumentedError(f"{where} is no text that can be used")
    return value


def _fields(raw: bytes | msgspec.Raw, where: str) -> dict[str, Any]:
    """Return the fields of an object. In place of one that is too long stands no text."""
    if len(raw) <= _LONGEST_FIELD:
        fields = msgspec.json.decode(raw)
        if isinstance(fields, dict):
            return fields
        raise NotAsDocumentedError(f"{where or 'it'} is no object")
    try:
        parts = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise NotAsDocumentedError(f"{where or 'it'} is no object") from None
    return {name: _value(part) for name, part in parts.items()}


def _value(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw) if len(raw) <= _LONGEST_FIELD else ...


def _decoded(content: bytes, model: type[Document]) -> Document:
    try:
        return msgspec.json.decode(content, type=model)
    except msgspec.ValidationError as error:
        # msgspec names the field and the types, never a value.
        raise NotAsDocumentedError(f"its content is not as documented: {error}") from None
