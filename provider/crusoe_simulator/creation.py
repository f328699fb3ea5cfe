"""What the body of a creation asks for, and what is made of it."""

from datetime import UTC, datetime
from typing import Any, Final

from crusoe_simulator.errors import BadRequest

NEVER: Final = "1970-01-01T00:00:00Z"


def creation_fields(body: Any) -> tuple[str, str]:
    """Return alias and expiry as they are stored.

    Raises:
        BadRequest: The body is not as documented.
    """
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    alias, expire_at = body.get("alias", ""), body.get("expire_at", "")
    if not isinstance(alias, str) or not isinstance(expire_at, str):
        raise BadRequest("alias and expire_at must be strings")
    return alias, _normalised(expire_at) if expire_at else NEVER


def _normalised(expire_at: str) -> str:
    """Return an expiry as the server stores it: UTC, whole seconds."""
    try:
        moment = datetime.fromisoformat(expire_at)
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for a year that UTC moves out of range
        raise BadRequest("expire_at is no RFC 3339 date and time") from None
    if moment.tzinfo is None:
        raise BadRequest("expire_at has no zone")
    return in_utc.isoformat(timespec="seconds").replace("+00:00", "Z")
