"""The guard in front of everything that is served: loopback is no secret, web pages reach it too.

A page in a browser on this machine can send requests to 127.0.0.1, and with a name of its own that
it lets point there (DNS rebinding) it can read the answers as well. The first come with the header
Origin, the second with that name in the header Host. Clients of an API send neither.
"""

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from werkzeug.datastructures import EnvironHeaders
from werkzeug.wrappers import Response

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

_LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)


class Guard:
    """A WSGI application that passes on what comes from this machine and from no web page.

    Args:
        application: What it guards.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        headers = EnvironHeaders(environ)
        if not _LOOPBACK.fullmatch(headers.get("Host", "")):
            return _refusal("only the names of loopback are served")(environ, start_response)
        if "Origin" in headers:
            return _refusal("web pages are not served")(environ, start_response)
        return self._application(environ, start_response)


def _refusal(message: str) -> Response:
    status = HTTPStatus.FORBIDDEN
    body = {"code": str(status.value), "message": message}
    return Response(json.dumps(body), status=status, content_type="application/json")
