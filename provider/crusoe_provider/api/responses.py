"""What an HTTP response, or its absence, means: one place where foreign errors are translated."""

import re
import ssl
import unicodedata
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx
import msgspec

from crusoe_provider.api import errors, models

Model = TypeVar("Model")

_JSON: Final = "application/json"
_LONGEST_MESSAGE: Final = 500
_NOTEWORTHY_SKEW: Final = timedelta(minutes=2)
_SERVER_ERRORS: Final = 500
_CLASSES: Final = {
    401: errors.AuthenticationFailed,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    429: errors.RateLimited,
}


def decode(method: str, path: str, response: httpx.Response, model: type[Model]) -> Model:
    """Return the body of a successful response as a `model`.

    Raises:
        UnexpectedAnswer: It is of another type, no JSON, or not what the model says. Never is
            something half understood taken for an answer.
    """
    if response.status_code != httpx.codes.OK or _media_type(response) != _JSON:
        raise unexpected(method, path, f"it is {_describe(response)} instead of JSON")
    try:
        return models.decode(response.content, model)
    except msgspec.ValidationError as error:
        # msgspec names the field and the types, never a value that was of the right type.
        raise unexpected(method, path, f"its content is not as documented: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise unexpected(method, path, "its JSON is broken or cut off") from None


def check_deleted(path: str, response: httpx.Response) -> None:
    """Accept the answer to a deletion: 204 without a body.

    Raises:
        UnexpectedAnswer: It is another one, from a proxy for example, that proves nothing.
    """
    if response.status_code != httpx.codes.NO_CONTENT:
        raise unexpected("DELETE", path, f"it is {_describe(response)} instead of status 204")


def unexpected(method: str, path: str, problem: str) -> errors.UnexpectedAnswer:
    """Return the error for an answer that is none of Crusoe's."""
    return errors.UnexpectedAnswer(f"The answer to {method} {path} cannot be used: {problem}.")


def failure(
    method: str, path: str, response: httpx.Response, *, now: datetime
) -> errors.ApiError | None:
    """Return the error that a response stands for, or `None` if it is a success or a redirect.

    Redirects are told apart by whoever decodes the answer: no operation has one.
    """
    status = response.status_code
    if status < httpx.codes.BAD_REQUEST:
        return None
    text = f"{method} {path} was answered with HTTP {status}: {_reason(response)}"
    if status >= _SERVER_ERRORS:
        return errors.ServerError(text, status=status, may_have_happened=True)
    if status == httpx.codes.UNAUTHORIZED:
        text += _clock_skew(response, now)
    return _CLASSES.get(status, errors.ApiError)(text, status=status)


def connection_failed(method: str, path: str, error: httpx.HTTPError) -> errors.ConnectionFailed:
    """Return the error for a request that got no answer, with its cause in plain words."""
    never_sent = isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError
    )
    result = errors.ConnectionFailed(
        f"{method} {path} got no answer: {_cause(error)}.", may_have_happened=not never_sent
    )
    result.__cause__ = error
    return result


def _cause(error: httpx.HTTPError) -> str:
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            cause = "no connection could be made in time"
        case httpx.TimeoutException():
            cause = "it took longer than the request timeout"
        case httpx.ConnectError() if _has_cause(error, ssl.SSLError):
            cause = f"TLS failed ({error})"
        case httpx.ConnectError():
            cause = f"the connection could not be made ({error})"
        case httpx.ProxyError():
            cause = "the proxy refused the connection"
        case httpx.DecodingError():
            cause = "its content could not be decompressed"
        case _:
            cause = f"the connection was cut ({type(error).__name__})"
    return cause


def _has_cause(error: BaseException, kind: type[BaseException]) -> bool:
    cause = error.__cause__ or error.__context__
    return isinstance(error, kind) or (cause is not None and _has_cause(cause, kind))


def _reason(response: httpx.Response) -> str:
    try:
        body = models.decode(response.content, models.ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = models.ErrorBody()
    # Anything but the documented message may be a proxy's page that echoes the request.
    if not body.message:
        return f"{_describe(response)}, and no message of Crusoe's."
    text = body.message
    if text.count(" desc = ") == 1:  # an error of a service behind the API, passed on
        text = text.partition(" desc = ")[2]
    error_id = f" (error ID {_printable(body.error_id)})" if body.error_id else ""
    return f"{_printable(text).rstrip('.')}{error_id}."


def _describe(response: httpx.Response) -> str:
    if response.is_redirect:
        return "a redirect"
    if not response.content:
        return f"an empty answer with status {response.status_code}"
    kind = _printable(_media_type(response) or "unknown type")
    return f"{kind} with status {response.status_code}"


def _media_type(response: httpx.Response) -> str:
    media_type: str = response.headers.get("Content-Type", "")
    return media_type.partition(";")[0].strip().lower()


def _clock_skew(response: httpx.Response, now: datetime) -> str:
    try:
        server = parsedate_to_datetime(response.headers.get("Date", ""))
        skew = now - server
    except (TypeError, ValueError):
        return ""
    if abs(skew) <= _NOTEWORTHY_SKEW:
        return ""
    minutes = round(abs(skew).total_seconds() / 60)
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return (
        f" The clock of this machine is {minutes} minutes {direction} the server's; requests are "
        "accepted only when they are signed with about the right time."
    )


def _printable(text: str) -> str:
    line = re.sub(r"\s+", " ", text).strip()
    line = "".join(c for c in line if unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}…"
