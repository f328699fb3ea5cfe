"""What an HTTP answer, or its absence, means: one place where foreign errors are translated."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import httpcore
import httpx
import msgspec

from crusoe_provider.api import documents, errors
from crusoe_provider.api.answer import Answer
from crusoe_provider.api.clock import NOTEWORTHY_SKEW, clock_skew, skew_in_words
from crusoe_provider.api.models import NewStorageKey
from crusoe_provider.api.proxies import UnusableVariableError
from crusoe_provider.api.signing import SigningError
from crusoe_provider.api.text import printable
from crusoe_provider.api.tls import is_behind

if TYPE_CHECKING:
    from crusoe_provider.api.tls import Authorities

Document = TypeVar("Document")

_JSON: Final = "application/json"
_SERVER_ERRORS: Final = 500
# The request took too long, or who asked did not wait: both may come after the work was done.
_GIVEN_UP: Final = frozenset({408, 499})
_LONGEST_CAUSE: Final = 200
_CLASSES: Final = {
    401: errors.AuthenticationFailed,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    429: errors.RateLimited,
}
_NO_ANSWER: Final = (
    *(httpx.HTTPError, httpcore.NetworkError, httpcore.TimeoutException),
    *(httpcore.ProtocolError, httpcore.ProxyError),
)
_NEVER_SENT: Final = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError),
    *(httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.ProxyError),
)


@contextlib.contextmanager
def translated(
    method: str, path: str, *, authorities: "Authorities | None" = None
) -> Iterator[None]:
    """Let nothing but errors of ours out: whatever else an answer provokes becomes one of them.

    What is not known to have come before the request was sent counts as "may have happened".

    Args:
        method: The method of the request.
        path: Its path.
        authorities: Those who vouch for certificates, where a connection may be made.
    """
    try:
        yield
    except errors.CrusoeError:
        raise
    except _NO_ANSWER as error:
        raise _connection_failed(method, path, error, authorities) from error
    except (UnusableVariableError, SigningError) as error:
        raise errors.NotSent(f"{method} {path} was not sent: {error}", method=method) from error
    except Exception as error:
        # Its text may quote anything, a secret too.
        raise unexpected(
            method, path, f"understanding it failed ({type(error).__name__})"
        ) from error


def decode(answer: Answer, read: Callable[[bytes], Document]) -> Document:
    """Return what a successful answer to a GET says.

    Raises:
        UnexpectedAnswer: It is of another type, no JSON, or not what `read` wants. Never is
            something half understood taken for an answer.
    """
    if answer.status != httpx.codes.OK or answer.media_type != _JSON:
        got = f"{answer.description} with status {answer.status}"
        raise unusable(answer, f"it is {got} instead of JSON with status 200")
    return _read(answer, read)


def decode_creation(answer: Answer) -> NewStorageKey:
    """Return the key that was created.

    Any 2xx whose body holds one will do, whatever its status and type, and even if the connection
    broke after it: the secret cannot be had again.

    Raises:
        UnexpectedAnswer: There is no key in it.
        ConnectionFailed: There is none, because the answer broke off.
    """
    if not answer.is_success:
        raise unusable(answer, f"it is {answer.description} with status {answer.status}")
    try:
        return _read(answer, documents.new_key)
    except errors.UnexpectedAnswer:
        if answer.fault is not None:
            raise answer.fault from None
        raise


def _read(answer: Answer, read: Callable[[bytes], Document]) -> Document:
    try:
        return read(answer.content)
    except documents.NotAsDocumentedError as error:
        raise unusable(answer, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise unusable(answer, "its JSON is broken or cut off") from None
    except RecursionError:
        raise unusable(answer, "its JSON is nested too deeply") from None


def unusable(answer: Answer, problem: str) -> errors.UnexpectedAnswer:
    """Return the error for an answer that is none of Crusoe's, with what to report."""
    report = answer.report
    return errors.UnexpectedAnswer(
        f"The answer to {answer.method} {answer.path} cannot be used: {problem}. "
        f"If you report this, quote: {report}.",
        method=answer.method,
        report=report,
    )


def unexpected(method: str, path: str, problem: str) -> errors.UnexpectedAnswer:
    """Return the error for an answer that was not even read."""
    return errors.UnexpectedAnswer(
        f"The answer to {method} {path} cannot be used: {problem}.", method=method
    )


def failure(answer: Answer, *, now: datetime) -> errors.ApiError | None:
    """Return the error that an answer stands for, or `None` if it is a success or a redirect.

    Redirects are told apart by whoever decodes the answer: no operation has one.
    """
    status, method = answer.status, answer.method
    if status < httpx.codes.BAD_REQUEST:
        return None
    body = documents.error_body(answer.content)
    text = f"{method} {answer.path} was answered with HTTP {status}: {_reason(answer, body)}"
    if status == httpx.codes.UNAUTHORIZED:
        text += _clock_skew(answer, now)
    server_error = status >= _SERVER_ERRORS
    kind = errors.ServerError if server_error else _CLASSES.get(status, errors.ApiError)
    # A page in place of an answer of the API may hide anything: proxies that look for secrets in
    # answers hold the answer back, not the request. Rate limits come before the work, whoever's.
    refused = status == httpx.codes.TOO_MANY_REQUESTS or (
        documents.is_object(answer.content) and status not in _GIVEN_UP
    )
    return kind(
        text,
        method=method,
        status=status,
        documented=body.code is not None and body.message is not None,
        may_have_happened=server_error or not refused,
    )


def _connection_failed(
    method: str, path: str, error: Exception, authorities: "Authorities | None"
) -> errors.ConnectionFailed:
    return _kind(error)(
        f"{method} {path} got no answer: {_cause(error, authorities)}.",
        method=method,
        may_have_happened=not isinstance(error, _NEVER_SENT),
    )


def _kind(error: Exception) -> type[errors.ConnectionFailed]:
    if _is_of_tls(error):
        return errors.TlsFailed
    late = isinstance(error, httpx.TimeoutException | httpcore.TimeoutException)
    # A connection has a time of its own.
    if late and not isinstance(error, _NEVER_SENT):
        return errors.TimedOut
    return errors.ConnectionFailed


def _cause(error: Exception, authorities: "Authorities | None") -> str:
    """Return why there is no answer. Only what never holds a header is quoted."""
    match error:
        case (
            httpx.ConnectTimeout()
            | httpx.PoolTimeout()
            | httpcore.ConnectTimeout()
            | httpcore.PoolTimeout()
        ):
            cause = "no connection could be made in time"
        case httpx.TimeoutException() | httpcore.TimeoutException():
            cause = "it took longer than the request timeout"
        case _ if _is_of_tls(error):
            trusted = f"; authorities are those of {authorities.source}" if authorities else ""
            cause = f"TLS failed ({_quoted(error)}{trusted})"
        case httpx.ConnectError() | httpcore.ConnectError():
            cause = f"the connection could not be made ({_quoted(error)})"
        case httpx.ProxyError() | httpcore.ProxyError():
            cause = "the proxy refused the connection"
        case _:
            cause = f"the connection was cut ({type(error).__name__})"
    return cause


def _quoted(error: Exception) -> str:
    return printable(str(error), _LONGEST_CAUSE)


def _is_of_tls(error: Exception) -> bool:
    """Say whether a connection was not made because of TLS."""
    no_connection = isinstance(error, httpx.ConnectError | httpcore.ConnectError)
    return no_connection and is_behind(error, ssl.SSLError)


def _reason(answer: Answer, body: documents.ErrorBody) -> str:
    # Anything but the documented message may be a proxy's page that echoes the request.
    if not body.message:
        said = f"{answer.description}, and no message of Crusoe's."
        # JSON in another form than the documented one is a surprise worth to be told.
        strange = documents.is_object(answer.content) and answer.content.strip() != b"{}"
        return f"{said} If you report this, quote: {answer.report}." if strange else said
    text = body.message
    if text.count(" desc = ") == 1:  # an error of a service behind the API, passed on
        text = text.partition(" desc = ")[2]
    error_id = f" (error ID {body.error_id})" if body.error_id else ""
    return f"{text.rstrip('.')}{error_id}."


def _clock_skew(answer: Answer, now: datetime) -> str:
    skew = clock_skew(answer.headers.get("Date"), now)
    return "" if skew is None or abs(skew) <= NOTEWORTHY_SKEW else f" {skew_in_words(skew)}"
