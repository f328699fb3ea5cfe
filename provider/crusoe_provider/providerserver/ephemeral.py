"""Ephemeral resources, which `tf` lacks; the names are those of terraform-plugin-framework."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from tf.schema import Schema
from tf.utils import Diagnostics

from crusoe_provider.providerserver.resource import Private, State


@dataclass(eq=False, repr=False)
class OpenContext:
    """The opening of one instance.

    Attributes:
        diagnostics: Errors and warnings for the user.
        type_name: The resource type.
        private: What the closing needs to know; JSON values, to be filled.
    """

    diagnostics: Diagnostics
    type_name: str
    private: Private


@dataclass(eq=False, repr=False)
class CloseContext:
    """The closing of one instance.

    Attributes:
        diagnostics: Errors and warnings for the user.
        type_name: The resource type.
        private: What the opening has left.
    """

    diagnostics: Diagnostics
    type_name: str
    private: Private


class EphemeralResource(Protocol):
    """Something that exists for the time of one plan or apply, and reaches no state.

    Terraform opens it in every plan and again in every apply, unless its configuration is unknown.
    """

    def __init__(self, provider: object) -> None: ...

    @classmethod
    @abstractmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""

    @classmethod
    @abstractmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""

    @abstractmethod
    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""

    @abstractmethod
    def open(self, ctx: OpenContext, config: State) -> State | None:
        """Make the object and return its values, all known; `None` beside an error."""

    @abstractmethod
    def close(self, ctx: CloseContext) -> None:
        """Give the object back. It may be gone already, and a stop may have been asked for."""
