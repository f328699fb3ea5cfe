"""The errors that the API answers with, in the documented form."""

from http import HTTPStatus
from typing import ClassVar


class ApiFailure(Exception):  # noqa: N818 - named as the statuses are
    """An answer that is an error: `{"code": …, "message": …}`."""

    status: ClassVar[HTTPStatus]
    message: ClassVar[str]

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    @property
    def body(self) -> dict[str, str]:
        """The JSON body."""
        return {"code": str(self.status.value), "message": str(self)}


class BadRequest(ApiFailure):
    """400."""

    status = HTTPStatus.BAD_REQUEST
    message = "bad_request"


class Unauthenticated(ApiFailure):
    """401."""

    status = HTTPStatus.UNAUTHORIZED
    message = "bad_credential"


class Forbidden(ApiFailure):
    """403."""

    status = HTTPStatus.FORBIDDEN
    message = "unauthorized"


class NotFound(ApiFailure):
    """404."""

    status = HTTPStatus.NOT_FOUND
    message = "not_found"
