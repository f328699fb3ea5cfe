"""One answer of the API, and how to tell others about one that cannot be used."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec

from crusoe_provider.api.errors import RequestError
from crusoe_provider.api.text import printable
from crusoe_provider.version import __version__

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_LONGEST_DESCRIBED: Final = 64 * 1024
_LONGEST_SHAPE: Final = 300
_MOST_NAMES: Final = 12
_DEEPEST: Final = 4
_TYPES: Final = {str: "text", bool: "boolean", int: "number", float: "number", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end.

    Attributes:
        method: The method of the request.
        path: Its path below the endpoint, escaped.
        status: The HTTP status.
        headers: The headers.
        content: The body as it came; it may hold a secret.
        fault: What went wrong while the body was read, so that it may be cut off; `None` if
            nothing did.
    """

    method: str
    path: str
    status: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    fault: RequestError | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return httpx.codes.is_success(self.status)

    @property
    def media_type(self) -> str:
        """The media type, in small letters; empty if the answer names none."""
        media_type: str = self.headers.get("Content-Type", "")
        return media_type.partition(";")[0].strip().lower()

    @property
    def description(self) -> str:
        """What came, in a few words."""
        if httpx.codes.is_redirect(self.status):
            return "a redirect"
        if not self.content:
            return "an empty answer"
        return printable(self.media_type, 100) or "content of an unknown type"

    @property
    def report(self) -> str:
        """What the maintainers need to know of it, in one line: no values, whatever it holds."""
        kind = printable(self.media_type, 100) or "no content type"
        return (
            f"{self.method} {self.path}, HTTP {self.status}, {kind}, {len(self.content)} bytes, "
            f"{_shape_of(self.content)}, terraform-provider-crusoe {__version__}"
        )


def _shape_of(content: bytes) -> str:
    if len(content) > _LONGEST_DESCRIBED:
        return "too long to describe"
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "no JSON"
    shape = _shape(document, _DEEPEST)
    return shape if len(shape) <= _LONGEST_SHAPE else f"{shape[:_LONGEST_SHAPE]}…"


def _shape(value: Any, depth: int) -> str:
    """Return names and types of a JSON value; of an array, those of its first element."""
    if isinstance(value, list):
        inner = (_shape(value[0], depth - 1) if depth else "…") if value else ""
        return f"[{inner}]" if len(value) <= 1 else f"[{inner}, {len(value) - 1} more]"
    if isinstance(value, dict):
        if not depth:
            return "{…}" if value else "{}"
        names = [
            # A name that looks like data may be data.
            f"{name if _NAME.fullmatch(name) else '…'}: {_shape(value[name], depth - 1)}"
            for name in list(value)[:_MOST_NAMES]
        ]
        more = ["…"] if len(value) > _MOST_NAMES else []
        return "{" + ", ".join(names + more) + "}"
    return _TYPES.get(type(value), "number")
