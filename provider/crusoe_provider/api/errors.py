"""Everything that can go wrong with the Crusoe API.

    CrusoeError
    ├── Interrupted                   the stop signal came first
    ├── OrganizationNotDetermined     none or several, and none chosen
    └── RequestError                  one request failed
        ├── ConnectionFailed          no answer
        ├── UnexpectedAnswer          an answer that is none of Crusoe's
        └── ApiError                  Crusoe answered, and the answer was not success
            ├── AuthenticationFailed  401
            ├── PermissionDenied      403
            ├── NotFound              404
            ├── RateLimited           429
            └── ServerError           5xx

The text of each is a sentence or two for the user: what happened. No text holds a secret.
"""


class CrusoeError(Exception):
    """The root of all errors of this layer."""


class Interrupted(CrusoeError):
    """Nothing was sent, or nothing more: the stop signal was set."""


class OrganizationNotDetermined(CrusoeError):
    """The user belongs to no organization, or to several."""


class RequestError(CrusoeError):
    """One request failed.

    Attributes:
        may_have_happened: Whether the server may have done what it was asked to. It may have when
            the answer was lost or could not be understood; it has not when the connection was
            never made, or Crusoe refused.
    """

    def __init__(self, message: str, *, may_have_happened: bool) -> None:
        super().__init__(message)
        self.may_have_happened = may_have_happened


class ConnectionFailed(RequestError):
    """No answer came."""


class UnexpectedAnswer(RequestError):
    """What came is no answer of the Crusoe API: a redirect, another type, broken JSON."""

    def __init__(self, message: str) -> None:
        super().__init__(message, may_have_happened=True)


class ApiError(RequestError):
    """Crusoe answered, and the answer was not success.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, *, status: int, may_have_happened: bool = False) -> None:
        super().__init__(message, may_have_happened=may_have_happened)
        self.status = status


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
