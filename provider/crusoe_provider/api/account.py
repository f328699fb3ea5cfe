"""What one process has learnt of the caller's account, shared by all its threads."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.deletion import Deletion, DeletionAnswer
from crusoe_provider.api.errors import CrusoeError, NotDeleted, OrganizationNotDetermined
from crusoe_provider.api.models import Identity, KeyList, NewStorageKey
from crusoe_provider.api.text import printable

Value = TypeVar("Value")

# Other people create and delete keys too, and an apply can take hours.
_LONGEST_AGE_SECONDS: Final = 30.0
# A list that still shows a key whose deletion was accepted is asked again after these.
_DELETION_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0)


class _Shared(Generic[Value]):
    """A value that is asked for once, whoever needs it: the first to come asks, the rest wait.

    A failure reaches the one who asked; the next one asks anew. A value counts from the moment it
    was asked for, so that a write in the meantime makes it stale.
    """

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._value: tuple[Value, float] | None = None

    def get(self, ask: Callable[[], Value], now: Callable[[], float], since: float) -> Value:
        """Return the value if it was asked for after `since`, else ask."""
        with self._asking:
            if self._value is None or self._value[1] <= since:
                moment = now()
                self._value = (ask(), moment)
            return self._value[0]

    def known(self) -> Value | None:
        """Return the value if there is one, without asking."""
        return self._value[0] if self._value else None


class Account:
    """The caller's account: who it is, which organization, which keys.

    Each question is put to the API when it is first needed, and once, also under concurrent calls.

    Args:
        client: The client.
        organization_id: The organization that was configured, if one was.
        monotonic: The clock, in seconds.
    """

    def __init__(
        self,
        client: CrusoeClient,
        *,
        organization_id: str | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._configured = organization_id
        self._monotonic = monotonic
        self._organization: _Shared[str] = _Shared()
        self._identity: _Shared[Identity] = _Shared()
        self._identity_expected = False
        self._lock = threading.Lock()
        self._lists: dict[str, _Shared[KeyList]] = {}
        self._written: dict[str, float] = {}

    def organization_id(self) -> str:
        """Return the organization that was configured, or else the only one of the caller.

        Raises:
            OrganizationNotDetermined: There is none, or there are several.
            CrusoeError: They could not be listed.
        """
        if self._configured:
            return self._configured
        return self._organization.get(self._only_organization, self._monotonic, 0.0)

    def organizations(self) -> list[str]:
        """Return the IDs of the active organizations of the caller.

        Raises:
            CrusoeError: They could not be listed.
        """
        return [organization.id for organization in self._client.organizations()]

    def identity(self) -> Identity:
        """Return who the caller is.

        Raises:
            CrusoeError: It could not be found out.
        """
        return self._identity.get(self._client.identity, self._monotonic, 0.0)

    def known_identity(self) -> Identity | None:
        """Return who the caller is, if that was found out already."""
        return self._identity.known()

    def expect_identity(self) -> None:
        """Begin to find out who the caller is, beside what the calling thread does meanwhile.

        It is for those who are going to ask. A failure is left to them.
        """
        with self._lock:
            begun, self._identity_expected = self._identity_expected, True
        if not begun:
            threading.Thread(target=self._ask_identity, name="identity", daemon=True).start()

    def _ask_identity(self) -> None:
        with contextlib.suppress(CrusoeError):
            self.identity()

    def keys(
        self,
        organization_id: str,
        *,
        fresh: bool = False,
        finish: bool = False,
        recent: float = _LONGEST_AGE_SECONDS,
    ) -> KeyList:
        """Return the keys of an organization that the caller is shown.

        One list serves every reader until this process writes, or for half a minute.

        Args:
            organization_id: The organization.
            fresh: Ask the API in any case; concurrent callers still share one request.
            finish: Ask even after a stop, once; see `CrusoeClient.list_keys`.
            recent: How many seconds old the list may be that is not fresh.

        Raises:
            CrusoeError: They could not be listed.
        """
        now = self._monotonic()
        with self._lock:
            shared = self._lists.setdefault(organization_id, _Shared())
            written = self._written.get(organization_id, 0.0)
        since = now if fresh else max(written, now - recent)
        return shared.get(
            lambda: self._client.list_keys(organization_id, finish=finish),
            self._monotonic,
            since,
        )

    def create_key(
        self, organization_id: str, *, alias: str | None, expire_at: str | None
    ) -> NewStorageKey:
        """Create a key; see `CrusoeClient.create_key`. The next list is read afresh."""
        try:
            return self._client.create_key(organization_id, alias=alias, expire_at=expire_at)
        finally:
            self._wrote(organization_id)

    def delete_key(
        self, organization_id: str, access_key_id: str, *, finish: bool = False
    ) -> Deletion:
        """Delete a key; see `CrusoeClient.delete_key`. The next list is read afresh.

        204 is believed. After any other 2xx, and after Crusoe's own 404, the list has to agree. It
        is no more than asked not to contradict: the answer to the deletion is evidence by itself,
        so that a list which proves nothing by itself (see `KeyList`) is enough.

        Raises:
            NotDeleted: The list still shows the key, or cannot be read.
            CrusoeError: The request failed.
        """
        try:
            answer = self._client.delete_key(organization_id, access_key_id, finish=finish)
        finally:
            self._wrote(organization_id)
        if answer is not DeletionAnswer.DELETED:
            self._confirm_gone(organization_id, access_key_id)
        gone = answer is DeletionAnswer.NOT_FOUND
        return Deletion.ALREADY_GONE if gone else Deletion.DELETED

    def _confirm_gone(self, organization_id: str, access_key_id: str) -> None:
        for pause in (*_DELETION_PAUSES_SECONDS, None):
            try:
                keys = self.keys(organization_id, fresh=True, finish=True)
            except CrusoeError as error:
                raise NotDeleted(
                    f"The answer to the deletion of {printable(access_key_id)} does not prove that "
                    f"it is gone, and the list of keys could not be read: {error}"
                ) from error
            if all(key.access_key_id != access_key_id for key in keys):
                return
            if pause is None or self._client.pause(pause):
                break
        raise NotDeleted(
            f"The deletion of {printable(access_key_id)} was answered as if it were gone, and the "
            "list of keys still shows it."
        )

    def _wrote(self, organization_id: str) -> None:
        with self._lock:
            self._written[organization_id] = self._monotonic()

    def _only_organization(self) -> str:
        organizations = self._client.organizations()
        if len(organizations) == 1:
            return organizations[0].id
        if not organizations:
            raise OrganizationNotDetermined("The user belongs to no active organization.")
        listed = "".join(
            f"\n  - {o.id}" + (f" ({o.name})" if o.name else "") for o in organizations
        )
        raise OrganizationNotDetermined(f"The user belongs to several organizations:{listed}")
