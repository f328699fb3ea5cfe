"""Resource identity: what tells one object from all others, apart from its state.

A resource that has one describes it (`identity_schema`) and computes it from a state (`identity`).
The server sends it along with every state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tf.types import TfType


@dataclass(frozen=True)
class IdentityAttribute:
    """An attribute of an identity.

    Attributes:
        name: Its name.
        type: Its type.
        description: What it is, in one line of plain text.
        required_for_import: Whether an import has to name it.
        optional_for_import: Whether an import may name it.
    """

    name: str
    type: TfType
    description: str = ""
    required_for_import: bool = False
    optional_for_import: bool = False


@dataclass(frozen=True)
class IdentitySchema:
    """The identity of the objects of a resource.

    Attributes:
        attributes: Its attributes.
        version: To be counted up when they change. A state that has no identity counts as one of
            version 0.
    """

    attributes: Sequence[IdentityAttribute]
    version: int = 0
