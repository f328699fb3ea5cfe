"""Signatures of requests to the Crusoe API, version 1.0.

    message   = path LF canonical query LF method LF timestamp LF
    signature = base64url(HMAC-SHA256(base64url-decode(secret), message)), unpadded
    header    = Bearer 1.0:<access key ID>:<signature>

The algorithm is documented at https://docs.crusoecloud.com/reference/api; where that leaves a
choice this does what Crusoe's own Go client does, with which `schemas/signature-vectors.json` was
made. Pure: no clock, no I/O.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

VERSION: Final = "1.0"

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_LINE_ENDS: Final = re.compile(r"[\r\n]")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")


class SigningError(ValueError):
    """A request or a secret that cannot be signed with. The text never quotes the secret."""


def decode_secret(secret: str) -> bytes:
    """Return the HMAC key that `secret` stands for: base64url without padding.

    As in Go, line ends are skipped wherever they stand, and surplus bits are ignored. Unlike in
    Go, blanks around it are no matter, and an empty secret, which anybody could sign with, is
    refused.

    Raises:
        SigningError: It is no such secret.
    """
    text = _LINE_ENDS.sub("", secret).strip()
    if not text:
        raise SigningError("the secret key is empty")
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise SigningError("the secret key is not base64url text without padding")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise SigningError("the secret key is not base64url text without padding") from None


def format_timestamp(now: datetime) -> str:
    """Return `now` as it is signed and sent: UTC, whole seconds, `Z`."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def canonical_query(raw: bytes) -> str:
    """Return a query in the form that is signed, and that has to be sent: sorted and re-escaped.

    Names are sorted by their decoded bytes; values of one name keep their order; empty parts are
    dropped.

    Raises:
        SigningError: The query holds a raw semicolon or a malformed escape.
    """
    parts = [part for part in raw.split(b"&") if part]
    if any(b";" in part for part in parts):
        raise SigningError("invalid semicolon separator in query")
    values: dict[bytes, list[bytes]] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        values.setdefault(_unescape(name), []).append(_unescape(value))
    return "&".join(f"{quote_plus(n)}={quote_plus(v)}" for n in sorted(values) for v in values[n])


def message(path: bytes, query: str, method: str, timestamp: str) -> bytes:
    """Return the bytes that are signed.

    Args:
        path: The decoded path, base path of the endpoint included.
        query: The canonical query.
        method: The HTTP method as it is sent.
        timestamp: See `format_timestamp`.
    """
    lines = (path, query.encode(), method.encode(), timestamp.encode())
    return b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests with one access key.

    Attributes:
        access_key_id: The ID of the key.
        key: What the secret stands for; see `decode_secret`.
    """

    access_key_id: str
    key: bytes = field(repr=False)

    def signature(self, signed: bytes) -> str:
        """Return the signature of a message."""
        digest = hmac.new(self.key, signed, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def authorization(self, method: str, raw_path: bytes, timestamp: str) -> str:
        """Return the value of the Authorization header.

        Args:
            method: The HTTP method as it is sent.
            raw_path: The request target: escaped path, and query if there is one.
            timestamp: The value of the header X-Crusoe-Timestamp.

        Raises:
            SigningError: The query cannot be signed.
        """
        path, _, query = raw_path.partition(b"?")
        signed = message(unquote_to_bytes(path), canonical_query(query), method, timestamp)
        return f"Bearer {VERSION}:{self.access_key_id}:{self.signature(signed)}"


def _unescape(text: bytes) -> bytes:
    if bad := _BAD_ESCAPE.search(text):
        raise SigningError(f'invalid URL escape "{bad.group().decode(errors="replace")}"')
    return unquote_to_bytes(text.replace(b"+", b" "))
