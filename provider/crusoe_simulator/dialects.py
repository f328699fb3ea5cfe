"""Dialects: the ways in which an API may say the same thing and still keep clients guessing.

Crusoe's published description leaves room, and servers and proxies take more of it. A dialect
changes one such thing in every successful answer, or in what a creation stores. Several can be
spoken at once, unless they change the same thing. A fault, in contrast, strikes single requests.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from crusoe_simulator.creation import NEVER

_LISTS: Final = frozenset({"list"})
_CREATIONS: Final = frozenset({"create"})
_DELETIONS: Final = frozenset({"delete"})
_KEYS: Final = _LISTS | _CREATIONS
_ORGANIZATIONS: Final = frozenset({"organizations"})
_IDENTITIES: Final = frozenset({"identity"})

_SOMEBODY: Final = "0d9f0f6e-6f0a-4f0e-8f3b-5d2f6f1c0a77"
"""A user who is none of the simulator's."""
_ODD_ENTRY: Final = {
    "access_key_id": "CKIAODDENTRY00000001",
    "user_id": _SOMEBODY,
    "alias": 7,
    "status": ["enabled"],
    "created_at": 1767225600,
    "expire_at": False,
}
_OWNERLESS_ENTRY: Final = {"access_key_id": "CKIAOWNERLESS0000001"}
_NAMELESS_ENTRY: Final = {
    "key_uuid": "6b9b2b1e-57a5-4f0c-9d55-2a0a0d6f3c11",
    "user_id": _SOMEBODY,
    "status": "enabled",
    "created_at": "2026-01-01T00:00:00Z",
}


@dataclass(slots=True)
class Spoken:
    """A successful answer before it is sent.

    Attributes:
        status: Its status.
        document: Its JSON document; `None` for no body.
        content_type: The header of that name, if there is to be one.
    """

    status: int
    document: Any
    content_type: str | None

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects that the answer is about: the entries of a list, or the answer itself."""
        if not isinstance(self.document, dict):
            return []
        if "items" in self.document:
            return list(self.document["items"])
        return [self.document.get("identity", self.document)]


Change = Callable[[Spoken], None]
Wish = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of speaking.

    Attributes:
        name: Its name.
        subject: What it changes; dialects with the same subject exclude each other.
        about: What it does, for people.
        operations: Whose answers it changes.
        change: Changes an answer.
        wish: Changes what a creation asks for, before that is stored.
    """

    name: str
    subject: str
    about: str
    operations: frozenset[str] = frozenset()
    change: Change | None = None
    wish: Wish | None = None


# -- Changes of answers ----------------------------------------------------------------------------


def _without_entries(document: dict[str, Any]) -> Change:
    def change(spoken: Spoken) -> None:
        if spoken.document == {"items": []}:
            spoken.document = document

    return change


def _entry(entry: Mapping[str, Any]) -> Change:
    def change(spoken: Spoken) -> None:
        # First, where a client that gives up at it has seen nothing of its own.
        spoken.document["items"].insert(0, dict(entry))

    return change


def _status(status: int) -> Change:
    def change(spoken: Spoken) -> None:
        spoken.status = status

    return change


def _deleted_with_a_body(spoken: Spoken) -> None:
    spoken.status, spoken.document, spoken.content_type = HTTPStatus.OK, {}, "application/json"


def _content_type(value: str | None) -> Change:
    def change(spoken: Spoken) -> None:
        spoken.content_type = value

    return change


def _set(field: str, value: Any, *, only: str | None = None) -> Change:
    """Change a field; if `only` is given, only from that value."""

    def change(spoken: Spoken) -> None:
        for thing in spoken.objects:
            if field in thing and only in (None, thing[field]):
                thing[field] = value

    return change


def _leave_out(field: str, *, only: str | None = None) -> Change:
    """Leave a field out; if `only` is given, only where it has that value."""

    def change(spoken: Spoken) -> None:
        for thing in spoken.objects:
            if field in thing and only in (None, thing[field]):
                del thing[field]

    return change


def _expiry(spell: Callable[[str], str]) -> Change:
    def change(spoken: Spoken) -> None:
        for thing in spoken.objects:
            if thing.get("expire_at", NEVER) != NEVER:
                thing["expire_at"] = spell(thing["expire_at"])

    return change


def _own_s3_user(spoken: Spoken) -> None:
    for thing in spoken.objects:
        name = uuid.uuid5(uuid.NAMESPACE_OID, thing["user_id"])
        thing["user_id"] = f"S3U_{name.hex[:16].upper()}"


# -- Changes of what is stored ---------------------------------------------------------------------


def _alias(spell: Callable[[str], str]) -> Wish:
    def wish(body: dict[str, Any]) -> None:
        if isinstance(body.get("alias"), str):
            body["alias"] = spell(body["alias"])

    return wish


def _moment(spell: Callable[[datetime], datetime]) -> Wish:
    def wish(body: dict[str, Any]) -> None:
        try:
            moment = datetime.fromisoformat(body.get("expire_at", ""))
            body["expire_at"] = spell(moment).isoformat()
        except (TypeError, ValueError, OverflowError):
            return  # no expiry, or one that is refused anyway

    return wish


def _nearest_second(moment: datetime) -> datetime:
    return (moment + timedelta(milliseconds=500)).replace(microsecond=0)


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _default_alias(body: dict[str, Any]) -> None:
    body["alias"] = body.get("alias") or "api-key"


def _longest_life(body: dict[str, Any]) -> None:
    longest = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    try:
        wished = datetime.fromisoformat(body.get("expire_at") or "9999-12-31T00:00:00+00:00")
        body["expire_at"] = min(wished, longest).isoformat()
    except (TypeError, ValueError):
        return  # one that is refused anyway


# -- The table -------------------------------------------------------------------------------------

# In the order in which they are applied: what looks at values comes before what replaces them,
# and strange entries come last, so that they are exactly as strange as they stand above.
# fmt: off
TABLE: Final = (
    Dialect("alias-trimmed", "alias blanks", "blanks around an alias are not stored",
            wish=_alias(str.strip)),
    Dialect("alias-lower", "alias case", "an alias is stored in lower case",
            wish=_alias(str.lower)),
    Dialect("alias-default", "default alias", "a key without an alias gets one",
            wish=_default_alias),
    Dialect("expiry-rounded", "expiry", "an expiry is stored as the nearest whole second",
            wish=_moment(_nearest_second)),
    Dialect("expiry-minute", "expiry", "an expiry is stored without its seconds",
            wish=_moment(_whole_minute)),
    Dialect("expiry-bounded", "longest life", "a key expires after 90 days, or earlier",
            wish=_longest_life),
    Dialect("expiry-fraction", "expiry spelling", "an expiry shows a fraction: …00.000Z",
            _KEYS, _expiry(lambda text: text.replace("Z", ".000Z"))),
    Dialect("expiry-offset", "expiry spelling", "an expiry shows its offset: …00+00:00",
            _KEYS, _expiry(lambda text: text.replace("Z", "+00:00"))),
    Dialect("expiry-go", "expiry spelling", "an expiry shows as Go prints it: … 00:00:00 +0000 UTC",
            _KEYS, _expiry(lambda text: text.replace("T", " ").replace("Z", " +0000 UTC"))),
    Dialect("never-year-one", "never", "no expiry shows as 0001-01-01T00:00:00Z",
            _KEYS, _set("expire_at", "0001-01-01T00:00:00Z", only=NEVER)),
    Dialect("never-null", "never", "no expiry shows as null",
            _KEYS, _set("expire_at", None, only=NEVER)),
    Dialect("never-empty", "never", "no expiry shows as an empty string",
            _KEYS, _set("expire_at", "", only=NEVER)),
    Dialect("never-absent", "never", "no expiry is not shown",
            _KEYS, _leave_out("expire_at", only=NEVER)),
    Dialect("alias-null", "no alias", "no alias shows as null",
            _LISTS, _set("alias", None, only="")),
    Dialect("alias-absent", "no alias", "no alias is not shown",
            _LISTS, _leave_out("alias", only="")),
    Dialect("status-absent", "status", "keys have no status",
            _LISTS, _leave_out("status")),
    Dialect("status-number", "status", "the status of keys is a number",
            _LISTS, _set("status", 1)),
    Dialect("created-at-absent", "created_at", "keys have no created_at",
            _LISTS, _leave_out("created_at")),
    Dialect("created-at-number", "created_at", "created_at is a number, as in Unix time",
            _LISTS, _set("created_at", 1767225600)),
    Dialect("email-absent", "email", "the caller has no email",
            _IDENTITIES, _leave_out("email")),
    Dialect("email-number", "email", "the email of the caller is a number",
            _IDENTITIES, _set("email", 7)),
    Dialect("organization-name-absent", "organization name", "organizations have no name",
            _ORGANIZATIONS, _leave_out("name")),
    Dialect("organization-name-number", "organization name", "names of organizations are numbers",
            _ORGANIZATIONS, _set("name", 7)),
    Dialect("owner-absent", "owner", "keys have no user_id",
            _LISTS, _leave_out("user_id")),
    Dialect("owner-s3-user", "owner", "the user_id of keys is S3U_…, another ID than identity.id",
            _LISTS, _own_s3_user),
    Dialect("entry-odd", "odd entry", "lists begin with somebody's key of wrong types",
            _LISTS, _entry(_ODD_ENTRY)),
    Dialect("entry-ownerless", "ownerless entry", "lists begin with a key with only access_key_id",
            _LISTS, _entry(_OWNERLESS_ENTRY)),
    Dialect("entry-nameless", "nameless entry", "lists begin with somebody's without access_key_id",
            _LISTS, _entry(_NAMELESS_ENTRY)),
    Dialect("items-null", "no items", 'an empty list is {"items": null}',
            _LISTS | _ORGANIZATIONS, _without_entries({"items": None})),
    Dialect("items-absent", "no items", "an empty list is {}",
            _LISTS | _ORGANIZATIONS, _without_entries({})),
    Dialect("create-201", "creation's status", "a creation is answered 201",
            _CREATIONS, _status(HTTPStatus.CREATED)),
    Dialect("create-text", "creation's type", "a creation is answered as text/plain",
            _CREATIONS, _content_type("text/plain")),
    Dialect("create-untyped", "creation's type", "a creation is answered without a content type",
            _CREATIONS, _content_type(None)),
    Dialect("delete-200", "deletion's status", "a deletion is answered 200 and {}",
            _DELETIONS, _deleted_with_a_body),
    Dialect("delete-202", "deletion's status", "a deletion is answered 202, without a body",
            _DELETIONS, _status(HTTPStatus.ACCEPTED)),
)
# fmt: on
NAMES: Final = tuple(dialect.name for dialect in TABLE)


def explained() -> str:
    """Return the table for people."""
    width = max(map(len, NAMES)) + 2
    return "\n".join(f"    {dialect.name:<{width}}{dialect.about}" for dialect in TABLE)
