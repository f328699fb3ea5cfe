"""Write-only attributes, which `tf` lacks, for the providers of tests."""

from typing import Any

from tf.schema import Attribute

# `write_only = true` in the messages since Terraform 1.11: the field 11, a number that is 1.
_WRITE_ONLY = bytes([11 << 3, 1])


class WriteOnly(Attribute):
    """An attribute whose value Terraform hands over, and stores nowhere."""

    def to_pb(self) -> Any:
        """Return the message, with the field that `tf` lacks."""
        plain = super().to_pb()
        return type(plain).FromString(plain.SerializeToString() + _WRITE_ONLY)
