"""Everything that can go wrong with the Crusoe API.

    CrusoeError
    ├── Interrupted                   the stop signal came first
    ├── OrganizationNotDetermined     none or several, and none chosen
    └── RequestError                  one request failed
        ├── NotSent                   it could not even be sent
        ├── ConnectionFailed          no answer
        │   ├── TlsFailed             TLS could not be agreed on
        │   └── TimedOut              it took longer than a request may
        ├── UnexpectedAnswer          an answer that is none of Crusoe's
        ├── NotDeleted                a deletion that the list does not confirm
        └── ApiError                  Crusoe answered, and the answer was not success
            ├── AuthenticationFailed  401
            ├── PermissionDenied      403
            ├── NotFound              404
            ├── RateLimited           429
            └── ServerError           5xx

The text of each is a sentence or two for the user: what happened, in printable characters. No text
holds a secret. The client raises nothing else: see `responses.translated`.
"""

from typing import Final

RETRIED_METHODS: Final = frozenset({"GET", "DELETE"})
"""The methods of requests that are sent again after a failure that may pass.

POST is not among them: the first one may have succeeded, and a second would leave a live key that
no state knows of.
"""


class CrusoeError(Exception):
    """The root of all errors of this layer."""


class Interrupted(CrusoeError):
    """Nothing was sent, or nothing more, or an answer was not waited for: the stop was set."""


class OrganizationNotDetermined(CrusoeError):
    """The user belongs to no organization, or to several."""


class RequestError(CrusoeError):
    """One request failed.

    Attributes:
        method: The HTTP method, where it is known.
        may_have_happened: Whether the server may have done what it was asked to. It may have when
            the answer was lost or could not be understood; it has not when the connection was
            never made, or Crusoe refused. A refusal that is no JSON is somebody else's.
    """

    def __init__(self, message: str, *, method: str = "", may_have_happened: bool) -> None:
        super().__init__(message)
        self.method = method
        self.may_have_happened = may_have_happened

    @property
    def retried(self) -> bool:
        """Whether a request of this kind is sent again, so that more retries might help."""
        return self.method in RETRIED_METHODS


class NotSent(RequestError):
    """The request could not be sent from here; nothing has happened."""

    def __init__(self, message: str, *, method: str = "") -> None:
        super().__init__(message, method=method, may_have_happened=False)


class ConnectionFailed(RequestError):
    """No answer came."""


class TlsFailed(ConnectionFailed):
    """No connection was made, for want of trust in a certificate or for another reason of TLS."""


class TimedOut(ConnectionFailed):
    """There was a connection, and the whole answer did not come in the time that a request has."""


class UnexpectedAnswer(RequestError):
    """What came is no answer of the Crusoe API: a redirect, another type, broken JSON.

    Attributes:
        report: What Crusoe's support or ours would ask for, in one line; part of the text, too.
    """

    def __init__(self, message: str, *, method: str = "", report: str = "") -> None:
        super().__init__(message, method=method, may_have_happened=True)
        self.report = report


class NotDeleted(RequestError):
    """A deletion was answered, and the list of keys does not confirm that the key is gone."""

    def __init__(self, message: str) -> None:
        super().__init__(message, method="DELETE", may_have_happened=True)


class ApiError(RequestError):
    """Crusoe answered, and the answer was not success.

    Attributes:
        status: The HTTP status.
        documented: Whether the body was an error as Crusoe documents it, with code and message. A
            proxy's page is not.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        status: int,
        documented: bool = False,
        may_have_happened: bool = False,
    ) -> None:
        super().__init__(message, method=method, may_have_happened=may_have_happened)
        self.status = status
        self.documented = documented


class AuthenticationFailed(ApiError):
    """401: the signature, the key or the time was not accepted."""


class PermissionDenied(ApiError):
    """403: the user may not do that."""


class NotFound(ApiError):
    """404: there is no such thing, as far as this user can see."""


class RateLimited(ApiError):
    """429: too many requests."""


class ServerError(ApiError):
    """5xx: the fault is on the server's side; the request may have been carried out first."""
