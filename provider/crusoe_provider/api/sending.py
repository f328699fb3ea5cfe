"""Sending requests: signed, bounded in time and size, repeated where that is safe."""

import contextlib
import http.cookiejar
import logging
import threading
import time
from collections.abc import Callable, Generator
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import httpx

from crusoe_provider.api import errors, responses
from crusoe_provider.api.answer import Answer
from crusoe_provider.api.network import Allowance, Network
from crusoe_provider.api.proxies import UnusableVariableError
from crusoe_provider.api.retry import RetryPolicy, retry_after_seconds
from crusoe_provider.api.settings import Settings
from crusoe_provider.api.signing import (
    Signer,
    SigningError,
    canonical_query,
    decode_secret,
    format_timestamp,
)
from crusoe_provider.api.tls import Authorities
from crusoe_provider.version import __version__

logger = logging.getLogger(__name__)

_USER_AGENT: Final = f"terraform-provider-crusoe/{__version__}"
_JSON: Final = "application/json"
# 20,000 keys are 8 MB.
LONGEST_LIST: Final = 32 * 1024 * 1024
LONGEST_ANSWER: Final = 1024 * 1024
# A server that asks for more than this is worth a line that users see.
_NOTEWORTHY_WAIT_SECONDS: Final = 5.0


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


class _NoCookies(http.cookiejar.CookieJar):
    """Keeps none: a signature says who asks, and a broken cookie would break what follows."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Keep nothing."""


class Sender:
    """Sends requests to one endpoint as one user. Safe to use from several threads.

    Args:
        settings: Endpoint, credentials, limits.
        stop: Nothing new is started once it is set, and no answer to a GET is waited for.
        now: The clock for signatures, aware.
        monotonic: The clock for durations, in seconds.
        retries: When to send again.
        transport: Takes the place of the network; for tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stop: threading.Event,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        retries: RetryPolicy,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._settings = settings
        self._authorities = settings.authorities or Authorities()
        self._stop = stop
        self._now = now
        self._monotonic = monotonic
        self._retries = retries
        self._transport = transport
        self._opening = threading.Lock()
        self._whom = {"profile": settings.profile} if settings.profile else {}

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        finish: bool = False,
        longest: int = LONGEST_ANSWER,
        failures: list[errors.RequestError] | None = None,
    ) -> Answer:
        """Return an answer that is no error, after retries where the method allows them.

        Args:
            method: The HTTP method.
            path: The path below the endpoint, escaped.
            body: The body, as JSON.
            finish: Send the request, once, even after a stop.
            longest: How many bytes the body may have.
            failures: Gets the failures that were followed by another attempt.

        Raises:
            Interrupted: The stop came before the request, or between two attempts.
            RequestError: The request failed.
        """
        started = self._monotonic()
        attempt = 0
        while True:
            if self._stop.is_set() and not (finish and attempt == 0):
                raise errors.Interrupted("The request was interrupted before it was sent.")
            attempt += 1
            wait = 0.0
            status: int | None = None
            try:
                answer = self._attempt(method, path, body, attempt, finish=finish, longest=longest)
                status = answer.status
                with responses.translated(method, path):
                    failure: errors.RequestError | None = responses.failure(answer, now=self._now())
                    wait = retry_after_seconds(answer.headers.get("Retry-After"), self._now())
                if failure is None:
                    return answer
            except errors.ConnectionFailed as error:
                failure = error
            delay = self._retries.delay(
                method=method,
                attempt=attempt,
                elapsed=self._monotonic() - started,
                status=status,
                retry_after=wait,
            )
            if delay is None:
                raise failure
            if failures is not None:
                failures.append(failure)
            if wait > _NOTEWORTHY_WAIT_SECONDS:
                logger.info(
                    "Waiting %.0f seconds, as the server asks: %s",
                    delay,
                    failure,
                    extra=self._whom,
                )
            if self._stop.wait(delay):
                raise errors.Interrupted(f"Interrupted between two attempts. {failure}")

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether the stop has come."""
        return self._stop.wait(seconds)

    def close(self) -> None:
        """Close the connections, if there are any."""
        with self._opening:
            if "_client_once" in vars(self):
                self._client_once.close()

    def _attempt(
        self,
        method: str,
        path: str,
        body: bytes | None,
        attempt: int,
        *,
        finish: bool,
        longest: int,
    ) -> Answer:
        """Send a request once, and return its answer, whatever that is."""
        began = time.monotonic()
        status: int | None = None
        headers = {"Content-Type": _JSON} if body is not None else {}
        # A write is never left half-way, as far as we can help it.
        stop = self._stop if method == "GET" and not finish else None
        allowance = Allowance(self._settings.request_timeout.total_seconds(), stop)
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(
                    responses.translated(method, path, authorities=self._authorities)
                )
                client = self._opened(method, path)
                if isinstance(self._channel, Network):
                    stack.enter_context(self._channel.allow(allowance))
                request = client.build_request(
                    method, self._settings.endpoint.url + path, content=body, headers=headers
                )
                response = stack.enter_context(
                    contextlib.closing(client.send(request, stream=True))
                )
                status = response.status_code
                return _read(method, path, response, longest)
        finally:
            logger.debug(
                "Sent a request",
                extra={
                    "method": method,
                    "path": path,
                    "status": status,
                    "duration_ms": round((time.monotonic() - began) * 1000, 1),
                    "attempt": attempt,
                    **self._whom,
                },
            )

    def _opened(self, method: str, path: str) -> httpx.Client:
        """Return the HTTP client; whatever goes wrong with it, nothing was sent."""
        try:
            return self._client
        except (UnusableVariableError, SigningError):
            raise  # `translated` knows them
        except Exception as error:
            problem = f"{method} {path} was not sent ({type(error).__name__})."
            raise errors.NotSent(problem, method=method) from error

    @property
    def _client(self) -> httpx.Client:
        with self._opening:  # a cached property alone may be computed twice
            return self._client_once

    @cached_property
    def _channel(self) -> httpx.BaseTransport:
        return self._transport or Network(
            self._settings.endpoint, self._settings.proxy, self._authorities
        )

    @cached_property
    def _client_once(self) -> httpx.Client:
        signer = Signer(self._settings.access_key_id, decode_secret(self._settings.secret_key))
        return httpx.Client(
            auth=CrusoeAuth(signer, self._now),
            headers={
                "User-Agent": _USER_AGENT,
                "Accept": _JSON,
                # What is compressed to nothing may be unpacked to anything.
                "Accept-Encoding": "identity",
            },
            cookies=_NoCookies(),
            # The signature covers one path.
            follow_redirects=False,
            transport=self._channel,
            # All that the environment says has been read when the settings were made.
            trust_env=False,
        )


def _read(method: str, path: str, response: httpx.Response, longest: int) -> Answer:
    """Read an answer to its end, or to the end of what is acceptable."""
    is_error = response.status_code >= httpx.codes.BAD_REQUEST
    fault: errors.RequestError | None = None
    content = bytearray()
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        fault = responses.unexpected(method, path, "it is compressed, which nobody has asked for")
    else:
        try:
            with responses.translated(method, path):
                for chunk in _chunks(response):
                    content += chunk
                    if len(content) > longest:
                        fault = responses.unexpected(
                            method, path, f"it is longer than {longest // 1024} KiB"
                        )
                        break
        except errors.RequestError as error:
            fault = error
    if fault is not None and isinstance(fault, errors.UnexpectedAnswer):
        content.clear()
    # The status of an error says enough; and a creation may be whole in what has come.
    if fault is not None and not is_error and method != "POST":
        raise fault
    return Answer(method, path, response.status_code, response.headers, bytes(content), fault)


def _chunks(response: httpx.Response) -> Generator[bytes, None, None]:
    """Yield the body as it comes, undecoded."""
    if not isinstance(response.stream, httpx.SyncByteStream):
        raise TypeError("a response of an asynchronous client")
    yield from response.stream
