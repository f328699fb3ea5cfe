"""What the simulated Crusoe Cloud knows: organizations, users, keys, and the time."""

import json
import random
import secrets
import string
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from crusoe_simulator.creation import NEVER, creation_fields
from crusoe_simulator.errors import BadRequest, Forbidden, NotFound
from crusoe_simulator.private_file import replace_file
from crusoe_simulator.visibility import Visibility

_ID_ALPHABET: Final = string.ascii_uppercase + string.digits
_ID_LENGTH: Final = 16

ListScope = Literal["organization", "caller"]


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization."""

    id: str
    name: str

    @property
    def project(self) -> "Project":
        """The one project that it has; its ID follows from that of the organization."""
        return Project(str(uuid.uuid5(uuid.NAMESPACE_OID, self.id)), "default", self.id)


@dataclass(frozen=True, slots=True)
class Project:
    """A project. Keys belong to none; it is there for clients that ask for theirs first."""

    id: str
    name: str
    organization_id: str


@dataclass(frozen=True, slots=True)
class User:
    """A user with one API key.

    Attributes:
        id: A UUID.
        email: The e-mail address.
        access_key_id: ID of the API key that signs requests.
        secret_key: Its secret: base64url without padding.
        organizations: IDs of the organizations the user belongs to.
        may_manage_keys: Without it every operation on storage keys answers 403.
    """

    id: str
    email: str
    access_key_id: str
    secret_key: str = field(repr=False)
    organizations: tuple[str, ...] = ()
    may_manage_keys: bool = True


@dataclass(frozen=True, slots=True)
class Key:
    """A storage key."""

    key_uuid: str
    organization_id: str
    user_id: str
    access_key_id: str
    secret_key: str = field(repr=False)
    created_at: str
    alias: str = ""
    expire_at: str = NEVER
    status: str = "enabled"


class Clock:
    """The time of the simulation: the machine's, moved by an offset."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Return the simulated time, in UTC."""
        return self._now() + self.offset

    def advance(self, by: timedelta) -> None:
        """Move the time; backwards too."""
        self.offset += by


class Cloud:
    """The state, with the rules that Crusoe documents. Every method is safe under threads.

    Args:
        clock: The time.
        shuffle: Puts lists into an order that nobody may rely on.
        key_limit: How many keys a user may have in an organization; expired and disabled ones
            count.
        list_scope: Whether a list shows everybody's keys of the organization or the caller's only;
            Crusoe's documentation can be read both ways.
        file: Where to keep the state, if it is to survive.

    Attributes:
        list_lag: For how many lists a key that is created from now on is not shown; -1 for ever.
        list_flicker: For how many lists such a key is missing again, after one that has shown it.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        shuffle: random.Random | None = None,
        key_limit: int = 2,
        list_scope: ListScope = "organization",
        file: Path | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.key_limit = key_limit
        self.list_scope: ListScope = list_scope
        self._shuffle = shuffle or random.Random(0)  # noqa: S311 - an order, no secret
        self._file = file
        self._lock = threading.RLock()
        self._organizations: dict[str, Organization] = {}
        self._users: dict[str, User] = {}
        self._more_keys: list[User] = []
        self._keys: dict[str, Key] = {}
        self.list_lag = 0
        self.list_flicker = 0
        self._visibility = Visibility()
        if file is not None and file.exists():
            self._load(json.loads(file.read_text()))

    # -- Set-up --------------------------------------------------------------------------------

    def add_organization(self, name: str, organization_id: str | None = None) -> Organization:
        """Add an organization and return it."""
        organization = Organization(organization_id or str(uuid.uuid4()), name)
        with self._changing():
            self._organizations[organization.id] = organization
        return organization

    def add_user(
        self,
        email: str,
        *organizations: Organization,
        access_key_id: str | None = None,
        secret_key: str | None = None,
        may_manage_keys: bool = True,
    ) -> User:
        """Add a user of these organizations, with an API key, and return it."""
        user = User(
            id=str(uuid.uuid4()),
            email=email,
            access_key_id=access_key_id or f"CKID{_random_id()}",
            secret_key=secret_key or secrets.token_urlsafe(32),
            organizations=tuple(organization.id for organization in organizations),
            may_manage_keys=may_manage_keys,
        )
        with self._changing():
            self._users[user.id] = user
        return user

    def add_api_key(self, user: User) -> User:
        """Give a user one more API key, and return the user with it; kept in memory only."""
        again = replace(
            user, access_key_id=f"CKID{_random_id()}", secret_key=secrets.token_urlsafe(32)
        )
        with self._lock:
            self._more_keys.append(again)
        return again

    @property
    def users(self) -> list[User]:
        """All users, in the order in which they were added."""
        with self._lock:
            return list(self._users.values())

    @property
    def organizations(self) -> list[Organization]:
        """All organizations, in the order in which they were added."""
        with self._lock:
            return list(self._organizations.values())

    def user_by_access_key_id(self, access_key_id: str) -> User | None:
        """Return the user whose API key has this ID."""
        with self._lock:
            users = (*self._users.values(), *self._more_keys)
            return next((u for u in users if u.access_key_id == access_key_id), None)

    def key_by_access_key_id(self, access_key_id: str) -> Key | None:
        """Return the storage key with this access key ID."""
        with self._lock:
            keys = self._keys.values()
            return next((k for k in keys if k.access_key_id == access_key_id), None)

    # -- What the API does ---------------------------------------------------------------------

    def organizations_of(self, user: User) -> list[Organization]:
        """Return the organizations of a user."""
        with self._lock:
            return [o for o in self._organizations.values() if o.id in user.organizations]

    def projects_of(self, user: User) -> list[Project]:
        """Return the projects of a user: one for each organization."""
        return [organization.project for organization in self.organizations_of(user)]

    def list_keys(self, user: User, organization_id: str) -> list[Key]:
        """Return the keys that the user is shown, in no particular order.

        Raises:
            Forbidden: The user has no business there.
        """
        self._check_access(user, organization_id)
        with self._lock:
            keys = [key for key in self._keys.values() if key.organization_id == organization_id]
        if self.list_scope == "caller":
            keys = [key for key in keys if key.user_id == user.id]
        with self._lock:
            keys = [key for key in keys if self._visibility.shows(key.key_uuid)]
            self._shuffle.shuffle(keys)
        return keys

    def create_key(self, user: User, organization_id: str, body: Any) -> Key:
        """Create a key for the user from the JSON body of a request.

        Raises:
            Forbidden: The user has no business there.
            BadRequest: The body is not as documented, or the user has the most keys already.
        """
        self._check_access(user, organization_id)
        alias, expire_at = creation_fields(body)
        with self._changing():
            own = [k for k in self.keys(user) if k.organization_id == organization_id]
            if len(own) >= self.key_limit:
                raise BadRequest
            key = self._new_key(user, organization_id, alias, expire_at)
            self._keys[key.key_uuid] = key
            self._visibility.plan(
                key.key_uuid, hidden=self.list_lag, hidden_again=self.list_flicker
            )
        return key

    def delete_key(self, user: User, organization_id: str, access_key_id: str) -> None:
        """Delete a key of the user.

        Raises:
            Forbidden: The user has no business there.
            NotFound: The user has no such key there.
        """
        self._check_access(user, organization_id)
        with self._changing():
            for key in self.keys(user):
                if (key.access_key_id, key.organization_id) == (access_key_id, organization_id):
                    del self._keys[key.key_uuid]
                    return
        raise NotFound

    # -- Behind the API's back -----------------------------------------------------------------

    def keys(self, user: User | None = None) -> list[Key]:
        """Return all keys, or those of one user, oldest first."""
        with self._lock:
            keys = [k for k in self._keys.values() if user is None or k.user_id == user.id]
        return sorted(keys, key=lambda key: key.created_at)

    def add_key(
        self, user: User, organization_id: str | None = None, *, alias: str = "", **fields: str
    ) -> Key:
        """Add a key past all rules, as somebody in the console does; `fields` as in `Key`."""
        key = self._new_key(user, organization_id or user.organizations[0], alias, NEVER)
        key = replace(key, **fields)
        with self._changing():
            self._keys[key.key_uuid] = key
        return key

    def remove_key(self, key_uuid: str) -> None:
        """Remove a key; one that is not there is fine."""
        with self._changing():
            self._keys.pop(key_uuid, None)

    def change_key(self, key_uuid: str, **fields: str) -> Key:
        """Change fields of a key, which no operation of the API can, and return it."""
        with self._changing():
            key = replace(self._keys[key_uuid], **fields)
            self._keys[key_uuid] = key
        return key

    def hide_key(self, key_uuid: str, lists: int) -> None:
        """Leave a key that there is out of so many lists; -1: of all."""
        with self._lock:
            self._visibility.plan(self._keys[key_uuid].key_uuid, hidden=lists)

    def show_all_keys(self) -> None:
        """End lag and flicker: every key is listed from now on."""
        with self._lock:
            self.list_lag = self.list_flicker = 0
            self._visibility.show_all()

    # -- Inside --------------------------------------------------------------------------------

    def _check_access(self, user: User, organization_id: str) -> None:
        if organization_id not in user.organizations or not user.may_manage_keys:
            raise Forbidden

    def _new_key(self, user: User, organization_id: str, alias: str, expire_at: str) -> Key:
        return Key(
            key_uuid=str(uuid.uuid4()),
            organization_id=organization_id,
            user_id=user.id,
            access_key_id=f"CKIA{_random_id()}",
            secret_key=f"SK{secrets.token_urlsafe(30)}",
            created_at=self.clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z"),
            alias=alias,
            expire_at=expire_at,
        )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            yield
            if self._file is not None:
                self._save(self._file)

    def _save(self, file: Path) -> None:
        document = {
            "organizations": [asdict(o) for o in self._organizations.values()],
            "users": [asdict(u) for u in self._users.values()],
            "keys": [asdict(k) for k in self._keys.values()],
        }
        replace_file(file, json.dumps(document, indent=1))

    def _load(self, document: dict[str, Any]) -> None:
        for fields in document["organizations"]:
            self._organizations[fields["id"]] = Organization(**fields)
        for fields in document["users"]:
            fields["organizations"] = tuple(fields["organizations"])
            self._users[fields["id"]] = User(**fields)
        for fields in document["keys"]:
            self._keys[fields["key_uuid"]] = Key(**fields)


def _random_id() -> str:
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
