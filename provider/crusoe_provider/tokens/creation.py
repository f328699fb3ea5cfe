"""Creating a storage token without ever losing sight of one.

The secret of a token is in the answer to the POST and nowhere else, and the API has no idempotency
key. So a POST is sent once. When its answer is lost (a cut connection, a time-out, a 502 after the
fact, an unreadable body) nobody knows whether there is a new token; the list is asked, and compared
with what was there before. Creations in one organization take turns, so that a token that appears
in between can only be this one, or one that somebody else made in those seconds.
"""

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from crusoe_provider.api.errors import ApiError, CrusoeError, RequestError
from crusoe_provider.tokens.quota import KeySlots

if TYPE_CHECKING:
    from collections.abc import Callable

    from crusoe_provider.api.account import Account
    from crusoe_provider.api.models import NewStorageKey, StorageKey


# A list that does not show the new token yet is asked again after these; seven seconds in all.
_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 3.5)


class Created(NamedTuple):
    """The token was created.

    Attributes:
        key: Its access key ID and secret.
        user_id: To whom it belongs.
    """

    key: "NewStorageKey"
    user_id: str


class Ambiguous(NamedTuple):
    """The answer was lost.

    Attributes:
        cause: What happened to the request.
        candidates: The caller's tokens with this alias that are new in the list: none, one or
            more. `None` when the list could not be read either.
        list_error: Why it could not be read.
    """

    cause: RequestError
    candidates: "tuple[StorageKey, ...] | None"
    list_error: CrusoeError | None = None


class TokenCreation:
    """Creates tokens in one organization, one at a time.

    Args:
        account: The caller's account.
        organization_id: The organization.
        slots: The slots for keys there.
        stop: Ends waits.
        monotonic: The clock, in seconds.
    """

    def __init__(
        self,
        account: "Account",
        organization_id: str,
        *,
        slots: KeySlots,
        stop: threading.Event,
        monotonic: "Callable[[], float]" = time.monotonic,
    ) -> None:
        self._account = account
        self._organization_id = organization_id
        self._slots = slots
        self._stop = stop
        self._monotonic = monotonic

    def create(
        self, *, alias: str | None, expire_at: str | None, seconds: float
    ) -> Created | Ambiguous:
        """Take a slot, send one POST, and find out what came of it.

        Args:
            alias: The label, if any.
            expire_at: The expiry, if any.
            seconds: How long to wait for a slot.

        Raises:
            NoFreeSlotError: There was none, and nothing was created.
            CrusoeError: Nothing was created.
        """
        ends = self._monotonic() + seconds
        while True:
            with self._slots.slot(ends - self._monotonic()) as existing:
                try:
                    return self._create_in_slot(existing, alias, expire_at)
                except RequestError as error:
                    # Somebody may have been faster; then this token waits for a slot again.
                    if type(error) is not ApiError or not self._slots.refused():
                        raise

    def _create_in_slot(
        self, existing: frozenset[str], alias: str | None, expire_at: str | None
    ) -> Created | Ambiguous:
        # Known before anything exists, so that what follows the POST cannot fail for it.
        caller = self._account.identity().id
        try:
            key = self._account.create_key(self._organization_id, alias=alias, expire_at=expire_at)
        except RequestError as error:
            if not error.may_have_happened:
                raise
            outcome = self._find_out(error, lambda key: _is_new(key, existing, caller, alias))
            for candidate in outcome.candidates or ():
                self._slots.created(candidate.access_key_id)
            return outcome
        self._slots.created(key.access_key_id)
        return Created(key, caller)

    def listed(self, wanted: "Callable[[StorageKey], bool]") -> "tuple[StorageKey, ...]":
        """Return the wanted keys; while there are none the list, which may lag, is asked again.

        Work that has reached the API is brought to its end by this: the list is read once even
        after Terraform has asked to stop.

        Raises:
            CrusoeError: The list could not be read.
        """
        self._slots.wait_for_creations()
        return self._search(wanted)

    def _search(self, wanted: "Callable[[StorageKey], bool]") -> "tuple[StorageKey, ...]":
        fresh = False
        for pause in (*_PAUSES_SECONDS, None):
            keys = self._account.keys(self._organization_id, fresh=fresh, finish=True)
            found = tuple(key for key in keys if wanted(key))
            if found or pause is None or self._stop.wait(pause):
                return found
            fresh = True
        return ()

    def token_id(self, access_key_id: str) -> str | None:
        """Return the token ID of a new token, as far as the list shows it already."""
        try:
            listed = self.listed(lambda key: bool(key.access_key_id == access_key_id))
        except CrusoeError:
            return None
        return listed[0].key_uuid if listed else None

    def _find_out(
        self, cause: RequestError, could_be_it: "Callable[[StorageKey], bool]"
    ) -> Ambiguous:
        try:
            return Ambiguous(cause, self._search(could_be_it))
        except CrusoeError as error:
            return Ambiguous(cause, None, error)


def _is_new(key: "StorageKey", before: frozenset[str], caller: str, alias: str | None) -> bool:
    return key.access_key_id not in before and key.user_id == caller and key.alias == alias
