"""Nested blocks that `tf` lacks."""

from typing import Any

from tf.schema import Block, NestedBlock, NestMode
from tf.types import Unknown


class SingleNestedBlock(NestedBlock):
    """A block that may be written once, such as `timeouts { … }`. Maps to a `dict`, or `None`.

    Args:
        type_name: The block's name in the configuration.
        block: Its attributes. Blocks inside it are not supported.
    """

    def __init__(self, type_name: str, block: Block) -> None:
        super().__init__(type_name, NestMode.Single, block)

    def encode(self, value: Any) -> Any:
        """Return `value` ready for the wire, with every attribute present."""
        if value is None or value is Unknown:
            return value
        return {name: a.type.encode(value.get(name)) for name, a in self._amap().items()}

    def decode(self, value: Any) -> Any:
        """Return the Python form of `value` as it came from the wire."""
        if value is None or value is Unknown:
            return value
        return {name: a.type.decode(value.get(name)) for name, a in self._amap().items()}

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Say whether two decoded blocks are equal attribute by attribute."""
        if not (isinstance(a_decoded, dict) and isinstance(b_decoded, dict)):
            return a_decoded is b_decoded
        return all(
            a.type.semantically_equal(a_decoded.get(name), b_decoded.get(name))
            for name, a in self._amap().items()
        )
