"""Attribute types that `tf` lacks."""

import json
from collections.abc import Mapping
from typing import Any, Final

from tf.types import TfType, Unknown

_PRIMITIVES: Final[dict[str, set[type]]] = {"string": {str}, "bool": {bool}, "number": {int, float}}


def conforms(value: Any, kind: Any) -> bool:
    """Say whether a value from the wire is of a type.

    Args:
        value: The value; null and unknown ones are of every type, at any depth.
        kind: The type in go-cty's JSON form, parsed.
    """
    if value is None or value is Unknown:
        return True
    if isinstance(kind, str):
        return type(value) in _PRIMITIVES[kind]
    outer, inner = kind
    if outer == "object":
        return isinstance(value, dict) and all(conforms(value.get(n), inner[n]) for n in inner)
    if outer == "map":
        return isinstance(value, dict) and all(conforms(v, inner) for v in value.values())
    return isinstance(value, list) and all(conforms(item, inner) for item in value)


class Object(TfType):
    """A collection of named attributes, each with a type of its own. Maps to a Python `dict`.

    Terraform requires every attribute to be present in a value, so attributes missing from a
    Python value are encoded as null, and names that the type does not have are an error.

    Args:
        attribute_types: The types of the attributes by name.
    """

    def __init__(self, attribute_types: Mapping[str, TfType]) -> None:
        self.attribute_types = dict(attribute_types)

    def encode(self, value: Any) -> Any:
        """Return `value` (a mapping, `None` or `Unknown`) ready for the wire."""
        if value is None or value is Unknown:
            return value
        if surplus := sorted(set(value) - set(self.attribute_types)):
            raise ValueError(f"no such attributes: {', '.join(surplus)}")
        return {name: t.encode(value.get(name)) for name, t in self.attribute_types.items()}

    def decode(self, value: Any) -> Any:
        """Return the Python form of `value` as it came from the wire."""
        if value is None or value is Unknown:
            return value
        return {name: t.decode(value.get(name)) for name, t in self.attribute_types.items()}

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Say whether two decoded values are equal attribute by attribute."""
        if not (isinstance(a_decoded, dict) and isinstance(b_decoded, dict)):
            return a_decoded is b_decoded
        return all(
            t.semantically_equal(a_decoded.get(name), b_decoded.get(name))
            for name, t in self.attribute_types.items()
        )

    def tf_type(self) -> bytes:
        """Return the type in go-cty's JSON form, for example `["object",{"id":"string"}]`."""
        attributes = {name: json.loads(t.tf_type()) for name, t in self.attribute_types.items()}
        return json.dumps(["object", attributes], separators=(",", ":")).encode()
