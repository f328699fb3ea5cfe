"""Terraform's dynamic values on the wire, to and from plain Python values.

A `DynamicValue` carries msgpack (or JSON) in the encoding that go-cty defines. Unknown values are
msgpack extensions: code 0 is a plain unknown, code 12 an unknown of which Terraform already knows
something (`"x-${other.id}"` begins with `x-` and is not null). `tf` decodes only the first, so
values are decoded here. Refinements are hints: answering with a plain unknown is allowed.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import msgpack
from msgpack.ext import ExtType
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import MalformedRequestError

# msgpack has no annotations; this gives the functions used here a type.
_unpack: Final[Callable[..., Any]] = msgpack.unpackb  # type: ignore[attr-defined]
_pack: Final[Callable[..., bytes]] = msgpack.packb
_UNKNOWN: Final = ExtType(0, b"\x00")
_UNKNOWN_CODES: Final = frozenset({0, 12})


def decode(value: pb.DynamicValue) -> Any:
    """Return the Python value of `value`: unknowns as `Unknown`, absent and null as `None`.

    Raises:
        MalformedRequestError: The bytes are no msgpack or JSON document.
    """
    try:
        if value.msgpack:
            return _unpack(value.msgpack, ext_hook=_decode_extension)
        return json.loads(value.json) if value.json else None
    except (ValueError, RecursionError, msgpack.UnpackException):
        # The cause may quote the value, and the value may be a secret.
        raise MalformedRequestError("A value cannot be decoded.") from None


def decode_object(value: pb.DynamicValue) -> dict[str, Any] | None:
    """Return the Python value of an object, or `None` where it is null.

    Raises:
        MalformedRequestError: The value is no object, or cannot be decoded.
    """
    decoded = decode(value)
    if decoded is not None and not isinstance(decoded, dict):
        raise MalformedRequestError("A value that has to be an object is none.")
    return decoded


def json_object(stored: bytes) -> dict[str, Any] | None:
    """Return the object of a JSON text that Terraform has kept, or `None` if it is none."""
    try:
        document = json.loads(stored)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def encode(value: Any) -> pb.DynamicValue:
    """Return `value` as a dynamic value; `Unknown` may stand anywhere in it."""
    # Null is an explicit nil, not an empty message: Terraform reads both alike, and a response
    # in which the field is set can be told from one that never got that far.
    return pb.DynamicValue(msgpack=_pack(value, default=_encode_unknown))


def number(value: Any) -> Any:
    """Return a number; those that no machine has exactly, such as 0.1, come as their decimals."""
    if not isinstance(value, str):
        return value
    try:
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    except ValueError:
        return value


def has_unknown(value: Any) -> bool:
    """Say whether any part of a value is unknown."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return value is Unknown


def _decode_extension(code: int, data: bytes) -> Any:
    if code in _UNKNOWN_CODES:
        return Unknown
    raise ValueError(f"unknown msgpack extension {code}, {len(data)} bytes")


def _encode_unknown(value: Any) -> Any:
    if value is Unknown:
        return _UNKNOWN
    raise TypeError(f"no value of Terraform's: {type(value).__name__}")
