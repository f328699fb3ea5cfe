"""Creating a storage token without ever losing sight of one.

The secret of a token is in the answer to the POST and nowhere else, and the API has no idempotency
key. So a POST is sent once. When its answer is lost (a cut connection, a time-out, a 502 after the
fact, an unreadable body) nobody knows whether there is a new key; the list is asked, and compared
with what was there before. Creations in one organization take turns, so a key that appears in
between can only be this one, or one that somebody else made in those seconds. A key without its
secret is worth nothing: when exactly one can be it, it is revoked at once.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from crusoe_provider.api.errors import ApiError, CrusoeError, RequestError
from crusoe_provider.tokens.errors import AnswerLost, OwnerUnknown
from crusoe_provider.tokens.lifetime import same_expiry

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account
    from crusoe_provider.api.models import Identity, NewStorageKey, StorageKey
    from crusoe_provider.tokens.ownership import Ownership
    from crusoe_provider.tokens.quota import Quota
    from crusoe_provider.tokens.quota_slots import Reservation

# A list that does not show the new key yet is asked again after these; seven seconds in all.
_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 3.5)
# A list that still shows what was deleted is asked again after these; fifteen seconds in all.
_DELETION_PAUSES_SECONDS: Final = (1.0, 2.0, 4.0, 8.0)


class Created(NamedTuple):
    """The token was created.

    Attributes:
        key: Its access key ID and secret.
        expire_at: The expiry that was asked for.
        creator: Who has made it.
    """

    key: "NewStorageKey"
    expire_at: str | None
    creator: "Identity"


class Creation:
    """Creates tokens in one organization, one at a time.

    Args:
        account: The caller's account.
        organization_id: The organization.
        quota: The quota there.
        ownership: Tells the caller's keys from those of others.
        stop: Ends waits.
    """

    def __init__(
        self,
        account: "Account",
        organization_id: str,
        *,
        quota: "Quota",
        ownership: "Ownership",
        stop: threading.Event,
    ) -> None:
        self._account = account
        self._organization_id = organization_id
        self._quota = quota
        self._ownership = ownership
        self._stop = stop

    def create(
        self,
        *,
        alias: str | None,
        expire_at: Callable[[], str | None],
        seconds: float,
        patient: bool = False,
        make_room: Callable[[], bool] | None = None,
    ) -> Created:
        """Take a slot, send one POST, and find out what came of it.

        Args:
            alias: The label, if any.
            expire_at: Returns the expiry, if any; asked just before the POST, so that no waiting
                shortens the life of the token.
            seconds: How long to wait for a slot.
            patient: Wait so long even if nothing in this apply can free a slot any more.
            make_room: Frees a slot where none is; see `Quota.reserve`.

        Raises:
            NoSlotCameFree: There was none, and nothing was created.
            AnswerLost: The answer was lost; a key that was certainly made is revoked.
            CrusoeError: Nothing was created.
        """
        # Known before anything exists, so that what follows the POST cannot fail for it.
        creator = self._account.identity()
        with self._quota.reserve(seconds, patient=patient, make_room=make_room) as slot:
            while True:
                before = slot.wait()
                expiry = expire_at()
                try:
                    key = self._account.create_key(
                        self._organization_id, alias=alias, expire_at=expiry
                    )
                except RequestError as error:
                    if error.may_have_happened:
                        raise self._find_out(error, slot, before, alias, expiry) from error
                    # Somebody may have been faster; then this token waits for a slot again.
                    may_be_full = type(error) is ApiError
                    if not may_be_full or not (slot.was_full() or self._saw_a_deletion(slot)):
                        raise
                else:
                    slot.take(key.access_key_id)
                    return Created(key, expiry, creator)

    def _saw_a_deletion(self, slot: "Reservation") -> bool:
        """Wait for a deletion of this process to come through; say whether there was one, and did.

        Whether the refusal was for that only another attempt tells.
        """
        if not slot.awaits_deletion():
            return False
        for pause in _DELETION_PAUSES_SECONDS:
            if self._stop.wait(pause):
                return False
            if slot.was_full() or not slot.awaits_deletion():
                return True
        return False

    def listed(self, access_key_id: str) -> "StorageKey | None":
        """Return a new key as the list shows it; `None` while it does not.

        The list, which may lag, is asked again for some seconds. Work that has reached the API is
        brought to its end by this: the list is read once even after a stop was asked for.

        Raises:
            CrusoeError: The list could not be read.
        """
        self._quota.wait_for_creations()
        found = self._search(lambda keys: [k for k in keys if k.access_key_id == access_key_id])
        return found[0] if found else None

    def token_id(self, access_key_id: str) -> str | None:
        """Return the token ID of a new token, as far as the list shows it already."""
        try:
            key = self.listed(access_key_id)
        except CrusoeError:
            return None
        return key.key_uuid if key else None

    def _search(
        self, wanted: "Callable[[Sequence[StorageKey]], list[StorageKey]]"
    ) -> "list[StorageKey]":
        fresh = False
        for pause in (*_PAUSES_SECONDS, None):
            keys = self._account.keys(self._organization_id, fresh=fresh, finish=True)
            found = wanted(keys)
            if found or pause is None or self._stop.wait(pause):
                return found
            fresh = True
        return []

    # -- A lost answer -------------------------------------------------------------------------

    def _find_out(
        self,
        cause: RequestError,
        slot: "Reservation",
        before: frozenset[str],
        alias: str | None,
        expiry: str | None,
    ) -> AnswerLost:
        lost = AnswerLost(cause, expire_at=expiry)
        try:
            lost.candidates = self._search(lambda keys: self._new(keys, before, alias, expiry))
            if len(lost.candidates) == 1 and slot.counted:
                self._revoke(lost, lost.candidates[0])
            elif not lost.candidates:
                # A server may have given it what was not asked for. It may be somebody's, too.
                keys = self._account.keys(self._organization_id, finish=True)
                lost.candidates = self._new(keys, before, alias, expiry, exact=False)
        except CrusoeError as error:
            lost.list_error = error
            return lost
        # Those that stay take slots, whoever has made them.
        for key in lost.candidates:
            if key is not lost.revoked:
                slot.take(key.access_key_id)
        return lost

    def _new(
        self,
        keys: "Sequence[StorageKey]",
        before: frozenset[str],
        alias: str | None,
        expiry: str | None,
        *,
        exact: bool = True,
    ) -> "list[StorageKey]":
        try:
            mine = self._ownership.mine(keys, self._account.identity())
        except OwnerUnknown:
            mine = list(keys)
        return could_be_it(mine, before=before, alias=alias, expire_at=expiry, exact=exact)

    def _revoke(self, lost: AnswerLost, key: "StorageKey") -> None:
        try:
            self._account.delete_key(self._organization_id, key.access_key_id, finish=True)
        except CrusoeError as error:
            lost.left, lost.revoke_error = key, error
        else:
            lost.revoked = key


def could_be_it(
    keys: "Sequence[StorageKey]",
    *,
    before: frozenset[str],
    alias: str | None,
    expire_at: str | None,
    exact: bool = True,
) -> "list[StorageKey]":
    """Return those of the caller's keys that a creation with a lost answer may have made.

    Args:
        keys: The caller's keys after the POST.
        before: The access key IDs of those before it.
        alias: The alias that was asked for. A server may store it trimmed or in another case.
        expire_at: The expiry that was asked for, to the second.
        exact: Whether only what is as it was asked for counts. Otherwise a server may have chosen
            the expiry, and the alias where none was asked for.
    """
    return [
        key
        for key in keys
        if key.access_key_id not in before
        and (_folded(key.alias) == _folded(alias) or not (exact or _folded(alias)))
        and (same_expiry(expire_at, key.expire_at) or not exact)
    ]


def _folded(alias: str | None) -> str:
    return (alias or "").strip().casefold()
