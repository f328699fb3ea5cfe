"""The server's side of request signatures, written from their description alone.

A request is signed over its decoded path, its query with names sorted and everything escaped in one
way, its method and its timestamp; each ends with a line feed.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode

from crusoe_simulator.errors import Unauthenticated
from crusoe_simulator.state import User

_HEADER: Final = re.compile(r"Bearer 1\.0:([^:\s]+):([A-Za-z0-9_-]+)")
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)")


def authenticate(
    *,
    method: str,
    path: bytes,
    query: bytes,
    authorization: str,
    timestamp: str,
    now: datetime,
    window: timedelta,
    find_user: Callable[[str], User | None],
) -> User:
    """Return the user who has signed a request.

    Args:
        method: The HTTP method.
        path: The decoded path.
        query: The query as it was received.
        authorization: The header Authorization.
        timestamp: The header X-Crusoe-Timestamp.
        now: The server's time.
        window: How far the timestamp may be from it.
        find_user: Finds the user by the ID of the API key.

    Raises:
        Unauthenticated: Nobody has, or not for this request, or not now.
    """
    header = _HEADER.fullmatch(authorization)
    if not header or not _TIMESTAMP.fullmatch(timestamp):
        raise Unauthenticated
    if abs(_moment(timestamp) - now) > window:
        raise Unauthenticated
    canonical = _canonical(query)
    user = find_user(header[1])
    # An unknown ID takes as long as a wrong signature, so that nobody can tell them apart.
    secret = user.secret_key if user else "bm9ib2R5"
    signed = b"\n".join([path, canonical, method.encode(), timestamp.encode(), b""])
    key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    expected = base64.urlsafe_b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    matches = hmac.compare_digest(expected.rstrip(b"="), header[2].encode())
    # Parameters have to come in the order in which they are signed.
    if user is None or not matches or canonical != query:
        raise Unauthenticated
    return user


def _moment(timestamp: str) -> datetime:
    try:
        return datetime.fromisoformat(timestamp)
    except ValueError:  # such as a thirteenth month
        raise Unauthenticated from None


def _canonical(query: bytes) -> bytes:
    if b";" in query:
        raise Unauthenticated
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    pairs.sort(key=lambda pair: pair[0])
    return urlencode(pairs, encoding="latin-1").encode()
