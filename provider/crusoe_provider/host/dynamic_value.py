"""Terraform's dynamic values on the wire, to and from plain Python values.

A `DynamicValue` carries msgpack (or JSON) in the encoding that go-cty defines. Unknown values are
msgpack extensions: code 0 is a plain unknown, code 12 an unknown of which Terraform already knows
something (`"x-${other.id}"` begins with `x-` and is not null). `tf` decodes only the first, so
values are decoded here. Refinements are hints: answering with a plain unknown is allowed.
"""

from collections.abc import Callable
from typing import Any, Final

import msgpack
from tf.gen import tfplugin_pb2 as pb
from tf.types import Unknown
from tf.utils import read_dynamic_value, to_dynamic_value

# msgpack has no annotations; this gives the one function used here a type.
_unpack: Final[Callable[..., Any]] = msgpack.unpackb  # type: ignore[attr-defined]
_UNKNOWN_CODES: Final = frozenset({0, 12})


class MalformedValueError(Exception):
    """A dynamic value is not what the protocol promises."""


def decode(value: pb.DynamicValue) -> Any:
    """Return the Python value of `value`: unknowns as `Unknown`, absent and null as `None`.

    Raises:
        MalformedValueError: The bytes are no msgpack or JSON document.
    """
    try:
        if value.msgpack:
            return _unpack(value.msgpack, ext_hook=_decode_extension)
        return read_dynamic_value(value)
    except (ValueError, msgpack.UnpackException) as exc:
        # The cause may quote the value, and the value may be a secret.
        raise MalformedValueError(f"{type(exc).__name__} while decoding a value") from None


def decode_object(value: pb.DynamicValue) -> dict[str, Any] | None:
    """Return the Python value of an object, or `None` where it is null.

    Raises:
        MalformedValueError: The value is no object, or cannot be decoded.
    """
    decoded = decode(value)
    if decoded is not None and not isinstance(decoded, dict):
        raise MalformedValueError(f"expected an object, found {type(decoded).__name__}")
    return decoded


def encode(value: Any) -> pb.DynamicValue:
    """Return `value` as a dynamic value; `Unknown` may stand anywhere in it."""
    # An explicit nil rather than an empty message: Terraform reads both as null, and a
    # response in which the field is set can be told from one that never got that far.
    return to_dynamic_value(value) if value is not None else pb.DynamicValue(msgpack=b"\xc0")


def without_refinements(value: pb.DynamicValue) -> pb.DynamicValue:
    """Return `value` with refined unknowns made plain ones, for code that decodes with `tf`."""
    return encode(decode(value))


def _decode_extension(code: int, data: bytes) -> Any:
    if code in _UNKNOWN_CODES:
        return Unknown
    raise ValueError(f"unknown msgpack extension {code}, {len(data)} bytes")
