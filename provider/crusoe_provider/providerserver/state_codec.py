"""States of one schema, between the wire and the provider's code."""

import json
from collections.abc import Callable
from typing import Any

from tf.provider import _encode_state_d
from tf.schema import Schema
from tf.types import Unknown

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import MalformedRequestError
from crusoe_provider.providerserver.resource import State
from crusoe_provider.providerserver.types import conforms


class StateCodec:
    """Decodes and encodes the values of one schema.

    Args:
        schema: The schema of a provider block, a resource or a data source.
        hide: Called with each value of a sensitive attribute that passes, so that the log can
            be kept free of it.
    """

    def __init__(self, schema: Schema, hide: Callable[[str], None]) -> None:
        self.attributes = {a.name: a for a in schema.attributes}
        self.blocks = {b.type_name: b for b in schema.block_types}
        self._types = {a.name: json.loads(a.type.tf_type()) for a in schema.attributes}
        for nested in schema.block_types:
            inner = {a.name: json.loads(a.type.tf_type()) for a in nested.block.attributes}
            self._types[nested.type_name] = ["object", inner]
        self._hide = hide

    def decode(self, value: pb.DynamicValue, *, known: bool = False) -> State | None:
        """Return the state in `value`, or `None` where it is null; see `complete`.

        Args:
            value: The value.
            known: Whether no part of it may be unknown.

        Raises:
            MalformedRequestError: The value is no such object, or cannot be decoded.
        """
        raw = dynamic_value.decode_object(value)
        if known and dynamic_value.has_unknown(raw):
            raise MalformedRequestError("A value that has to be known is not.")
        return None if raw is None else self.complete(raw)

    def decode_required(
        self,
        value: pb.DynamicValue,
        *,
        known: bool = False,
        what: str = "configuration",
    ) -> State:
        """Return the state in `value`, called `what`, which has to be there; see `decode`."""
        state = self.decode(value, known=known)
        if state is None:
            raise MalformedRequestError(f"There is no {what}.")
        return state

    def complete(self, raw: State) -> State:
        """Return `raw` decoded by type: names that the schema lacks left out, missing ones null.

        Raises:
            MalformedRequestError: A value is not of its type.
        """
        state = {name: self._decoded(name, value) for name, value in self.filled(raw).items()}
        self._hide_sensitive(state)
        return state

    def encode(self, state: State | None, like: State | None = None) -> pb.DynamicValue:
        """Return `state` for the wire; attributes it lacks become null.

        Args:
            state: The state, or `None` for null.
            like: A decoded state. Where it means the same its spelling is kept, as Terraform
                compares values literally.
        """
        if state is None:
            return dynamic_value.encode(None)
        self._hide_sensitive(state)
        full = self.filled(state)
        old = _encode_state_d(self.attributes, self.blocks, like, None)
        return dynamic_value.encode(_encode_state_d(self.attributes, self.blocks, full, old))

    def filled(self, state: State) -> State:
        """Return `state` with every name of the schema; what it lacks is null."""
        return {name: state.get(name) for name in (*self.attributes, *self.blocks)}

    def equal(self, name: str, a: Any, b: Any) -> bool:
        """Say whether two decoded values of the attribute or block `name` mean the same."""
        if a is None or b is None or a is Unknown or b is Unknown:
            return a is b
        kind = self.attributes[name].type if name in self.attributes else self.blocks[name]
        return bool(kind.semantically_equal(a, b))

    def _decoded(self, name: str, value: Any) -> Any:
        kind = self._types[name]
        if kind == "number":
            value = dynamic_value.number(value)
        if value is Unknown:
            return value
        known = self.attributes[name].type if name in self.attributes else self.blocks[name]
        try:
            if conforms(value, kind):
                return known.decode(value)
        except Exception:  # noqa: BLE001, S110 - what it says may quote the value, a secret even
            pass
        raise MalformedRequestError(f"The value of {name} is not of its type.")

    def _hide_sensitive(self, state: State) -> None:
        for name, attribute in self.attributes.items():
            if attribute.sensitive:
                self._hide_all(state.get(name))

    def _hide_all(self, value: Any) -> None:
        if isinstance(value, str):
            self._hide(value)
        elif isinstance(value, dict):
            for item in value.values():
                self._hide_all(item)
        elif isinstance(value, list):
            for item in value:
                self._hide_all(item)
