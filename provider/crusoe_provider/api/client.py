"""The client of the Crusoe API: one method per operation, one signature per attempt."""

import logging
import random
import threading
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from crusoe_provider.api import models, responses
from crusoe_provider.api.endpoint import is_loopback
from crusoe_provider.api.errors import ApiError, ConnectionFailed, Interrupted, RequestError
from crusoe_provider.api.retry import RetryPolicy, retry_after_seconds
from crusoe_provider.api.settings import Settings
from crusoe_provider.api.signing import Signer, canonical_query, decode_secret, format_timestamp
from crusoe_provider.version import __version__

logger = logging.getLogger(__name__)

Model = TypeVar("Model")

_USER_AGENT: Final = f"terraform-provider-crusoe/{__version__}"
_JSON: Final = "application/json"
# A connection that cannot be made soon will not be made at all.
_CONNECT_SECONDS: Final = 10.0


class CrusoeAuth(httpx.Auth):
    """Signs every attempt afresh, and sends exactly the query that it signs.

    Args:
        signer: The key.
        now: The clock.
    """

    def __init__(self, signer: Signer, now: Callable[[], datetime]) -> None:
        self._signer = signer
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers; see `signing`."""
        path, mark, query = request.url.raw_path.partition(b"?")
        target = path + mark + canonical_query(query).encode()
        request.url = request.url.copy_with(raw_path=target)
        timestamp = format_timestamp(self._now())
        request.headers["X-Crusoe-Timestamp"] = timestamp
        request.headers["Authorization"] = self._signer.authorization(
            request.method, target, timestamp
        )
        yield request


class CrusoeClient:
    """Talks to the API as one user. Safe to use from several threads.

    Every method raises a `RequestError` when the request fails, and `Interrupted` when the stop
    signal is set before it is sent or while a retry is waited for.

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
        self._settings = settings
        self._stop = stop
        self._now = now
        self._monotonic = monotonic
        self._retries = RetryPolicy(settings.max_retries, random)
        self._transport = transport
        self._opening = threading.Lock()

    def organizations(self) -> list[models.Organization]:
        """Return the organizations of the caller."""
        return self._read("/organizations/entities", models.OrganizationList).items

    def identity(self) -> models.Identity:
        """Return who the caller is."""
        return self._read("/users/identities", models.User).identity

    def list_keys(self, organization_id: str, *, finish: bool = False) -> list[models.StorageKey]:
        """Return all keys that the server shows of an organization, in no particular order.

        Args:
            organization_id: The organization.
            finish: Send the request, once, even after a stop: work that has reached the API is
                brought to its end by it.
        """
        path = _keys_path(organization_id)
        answer = self._read(path, models.StorageKeyList, finish=finish)
        if answer.next_page_token:
            raise responses.unexpected("GET", path, "it is one page of several (next_page_token)")
        return answer.items

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
        fields = {"alias": alias, "expire_at": expire_at}
        body = {name: value for name, value in fields.items() if value}
        path = _keys_path(organization_id)
        response = self._send("POST", path, body=msgspec.json.encode(body))
        return responses.decode("POST", path, response, models.NewStorageKey)

    def delete_key(self, organization_id: str, access_key_id: str, *, finish: bool = False) -> bool:
        """Delete a key, which revokes access at once.

        Args:
            organization_id: The organization.
            access_key_id: The key.
            finish: Send the request, once, even after a stop.

        Returns:
            Whether it was there; `False` when there was no such key before the first attempt.
        """
        path = f"{_keys_path(organization_id)}/{_segment(access_key_id)}"
        failures: list[RequestError] = []
        try:
            response = self._send("DELETE", path, finish=finish, failures=failures)
        except ApiError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise
            # An earlier attempt of ours, whose answer was lost, may have deleted it.
            return any(failure.may_have_happened for failure in failures)
        responses.check_deleted(path, response)
        return True

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read(self, path: str, model: type[Model], *, finish: bool = False) -> Model:
        response = self._send("GET", path, finish=finish)
        return responses.decode("GET", path, response, model)

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        finish: bool = False,
        failures: list[RequestError] | None = None,
    ) -> httpx.Response:
        """Return a successful response, after retries where the method allows them."""
        started = self._monotonic()
        attempt = 0
        while True:
            if self._stop.is_set() and not (finish and attempt == 0):
                raise Interrupted("The request was not sent.")
            attempt += 1
            failure, status, retry_after = self._attempt(method, path, body, attempt)
            if isinstance(failure, httpx.Response):
                return failure
            delay = self._retries.delay(
                method=method,
                attempt=attempt,
                elapsed=self._monotonic() - started,
                status=status,
                retry_after=retry_after,
            )
            if delay is None:
                raise failure
            if failures is not None:
                failures.append(failure)
            if self._stop.wait(delay):
                raise Interrupted(f"The request was not sent again. {failure}")

    def _attempt(
        self, method: str, path: str, body: bytes | None, attempt: int
    ) -> tuple[httpx.Response | ApiError | ConnectionFailed, int | None, float]:
        """Return a response or what went wrong, the status, and the Retry-After in seconds."""
        began = self._monotonic()
        headers = {"Content-Type": _JSON} if body is not None else {}
        status: int | None = None
        try:
            response = self._http.request(
                method, self._settings.endpoint + path, content=body, headers=headers
            )
            status = response.status_code
        except httpx.HTTPError as error:
            return responses.connection_failed(method, path, error), None, 0.0
        finally:
            logger.debug(
                "Sent a request",
                extra={
                    "method": method,
                    "path": path,
                    "status": status,
                    "duration_ms": round((self._monotonic() - began) * 1000, 1),
                    "attempt": attempt,
                },
            )
        failure = responses.failure(method, path, response, now=self._now())
        if failure is None:
            return response, status, 0.0
        wait = retry_after_seconds(response.headers.get("Retry-After"), self._now())
        return failure, status, wait

    @property
    def _http(self) -> httpx.Client:
        with self._opening:  # a cached property alone may be computed twice
            return self._http_once

    @cached_property
    def _http_once(self) -> httpx.Client:
        seconds = self._settings.request_timeout.total_seconds()
        return httpx.Client(
            auth=CrusoeAuth(
                Signer(self._settings.access_key_id, decode_secret(self._settings.secret_key)),
                self._now,
            ),
            headers={"User-Agent": _USER_AGENT, "Accept": _JSON},
            timeout=httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
            # The signature covers one path on one host.
            follow_redirects=False,
            transport=self._transport,
            # As many connections as Terraform's -parallelism may ask for.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            # Authorities that no plain connection asks take a while to load.
            verify=self._settings.endpoint.startswith("https:"),
            # What the environment says of proxies is not meant for this machine itself.
            trust_env=not is_loopback(self._settings.endpoint),
        )


def _keys_path(organization_id: str) -> str:
    return f"/organizations/{_segment(organization_id)}/storage/s3/keys"


def _segment(text: str) -> str:
    """Return `text` as one segment of a path, which it can neither leave nor end."""
    escaped = quote(text, safe="")
    # "." and ".." need no escape by the letter, and would be resolved before the path is signed.
    return escaped.replace(".", "%2E") if escaped in {".", ".."} else escaped
