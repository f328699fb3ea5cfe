"""The client of the Crusoe API: one method per operation."""

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import msgspec

from crusoe_provider.api import documents, errors, models, responses
from crusoe_provider.api.deletion import DeletionAnswer
from crusoe_provider.api.retry import RetryPolicy
from crusoe_provider.api.rfc3339 import canonical
from crusoe_provider.api.sending import LONGEST_LIST, Sender
from crusoe_provider.api.settings import Settings


class CrusoeClient:
    """Talks to the API as one user. Safe to use from several threads.

    Every method raises a `RequestError` when the request fails, `Interrupted` when the stop signal
    is set before it is sent, while a retry is waited for, or while a GET is under way; and nothing
    else.

    Args:
        settings: Endpoint, credentials, limits.
        stop: Nothing new is started once it is set.
        now: The clock for signatures, aware.
        monotonic: The clock for durations, in seconds.
        random: Returns a number from 0 to 1, for the jitter of retries.
        transport: Takes the place of the network; for tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stop: threading.Event,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._sender = Sender(
            settings,
            stop=stop,
            now=now,
            monotonic=monotonic,
            retries=RetryPolicy(settings.max_retries, random),
            transport=transport,
        )

    def organizations(self) -> list[models.Organization]:
        """Return the organizations of the caller."""
        answer = self._sender.send("GET", "/organizations/entities")
        return responses.decode(answer, documents.organizations)

    def identity(self) -> models.Identity:
        """Return who the caller is."""
        answer = self._sender.send("GET", "/users/identities")
        return responses.decode(answer, documents.identity)

    def list_keys(self, organization_id: str, *, finish: bool = False) -> models.KeyList:
        """Return all keys that the server shows of an organization, in no particular order.

        Args:
            organization_id: The organization.
            finish: Send the request, once, even after a stop: work that has reached the API is
                brought to its end by it.
        """
        path = _keys_path(organization_id)
        answer = self._sender.send("GET", path, finish=finish, longest=LONGEST_LIST)
        return responses.decode(answer, documents.key_list)

    def create_key(
        self, organization_id: str, *, alias: str | None, expire_at: str | None
    ) -> models.NewStorageKey:
        """Create a key of the caller; sent once, whatever comes.

        Args:
            organization_id: The organization.
            alias: The label, if any.
            expire_at: The expiry as RFC 3339, if any.

        Returns:
            The key with its secret.
        """
        fields = {"alias": alias, "expire_at": canonical(expire_at) if expire_at else None}
        body = {name: value for name, value in fields.items() if value}
        path = _keys_path(organization_id)
        try:
            content = msgspec.json.encode(body)
        except UnicodeEncodeError:
            raise errors.NotSent(
                f"POST {path} was not sent: the alias is no Unicode text.", method="POST"
            ) from None
        answer = self._sender.send("POST", path, body=content)
        return responses.decode_creation(answer)

    def delete_key(
        self, organization_id: str, access_key_id: str, *, finish: bool = False
    ) -> DeletionAnswer:
        """Ask to delete a key, which revokes access at once.

        `Account.delete_key` asks the list where the answer is no proof.

        Args:
            organization_id: The organization.
            access_key_id: The key.
            finish: Send the request, once, even after a stop.

        Raises:
            UnexpectedAnswer: A redirect, or a 404 that is not Crusoe's: a proxy has no say in what
                there is.
        """
        path = f"{_keys_path(organization_id)}/{_segment(access_key_id)}"
        failures: list[errors.RequestError] = []
        try:
            answer = self._sender.send("DELETE", path, finish=finish, failures=failures)
        except errors.NotFound as error:
            if not error.documented:
                raise responses.unexpected(
                    "DELETE", path, f"the 404 is no error of Crusoe's ({error})"
                ) from error
            # An earlier attempt of ours, whose answer was lost, may have deleted it.
            lost = any(failure.may_have_happened for failure in failures)
            return DeletionAnswer.ACCEPTED if lost else DeletionAnswer.NOT_FOUND
        if not answer.is_success:
            raise responses.unusable(
                answer, f"it is {answer.description} with status {answer.status}"
            )
        deleted = answer.status == httpx.codes.NO_CONTENT
        return DeletionAnswer.DELETED if deleted else DeletionAnswer.ACCEPTED

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether the stop has come meanwhile."""
        return self._sender.pause(seconds)

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()


def _keys_path(organization_id: str) -> str:
    return f"/organizations/{_segment(organization_id)}/storage/s3/keys"


def _segment(text: str) -> str:
    """Return `text` as one segment of a path, which it can neither leave nor end."""
    escaped = quote(text, safe="", errors="replace")
    # "." and ".." need no escape by the letter, and would be resolved before the path is signed.
    return escaped.replace(".", "%2E") if escaped in {".", ".."} else escaped
