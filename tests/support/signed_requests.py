"""Signed requests to the simulator, made without the provider's client."""

import base64
import hashlib
import hmac
import http.client
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from crusoe_simulator.server import Simulator
from crusoe_simulator.state import User


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its JSON document if it has one, and its headers."""

    status: int
    document: Any
    headers: http.client.HTTPMessage


def authorization(user: User, method: str, target: str, timestamp: str) -> str:
    """Return the header for a request whose query, if any, is canonical already."""
    path, _, query = target.partition("?")
    message = b"\n".join(
        [unquote_to_bytes(path), query.encode(), method.encode(), timestamp.encode(), b""]
    )
    key = base64.urlsafe_b64decode(user.secret_key + "=" * (-len(user.secret_key) % 4))
    digest = hmac.new(key, message, hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return f"Bearer 1.0:{user.access_key_id}:{signature}"


def send(
    simulator: Simulator,
    user: User | None,
    method: str,
    path: str,
    body: Any = None,
    *,
    now: datetime | None = None,
    **headers: str,
) -> Reply:
    """Send a request below the API's base path, signed by `user`, and return the answer."""
    url = urlsplit(simulator.endpoint)
    target = url.path + path
    timestamp = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = {"X-Crusoe-Timestamp": timestamp}
    if user:
        signed["Authorization"] = authorization(user, method, target, timestamp)
    content = json.dumps(body) if body is not None else None
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    try:
        connection.request(method, target, content, signed | headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    return Reply(response.status, json.loads(text) if text else None, response.headers)


def control(simulator: Simulator, method: str, path: str, body: Any = None) -> Any:
    """Send a request to the control interface, and return the document of a successful answer."""
    url = urlsplit(simulator.control)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, url.path + path, json.dumps(body or {}), headers)
        response = connection.getresponse()
        document = json.loads(response.read())
    finally:
        connection.close()
    assert response.status == 200, document
    return document
