"""List resources, which `tf` lacks: they find the objects that `terraform query` shows."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tf.schema import Schema
from tf.utils import Diagnostic, Diagnostics

from crusoe_provider.providerserver.resource import State


@dataclass(eq=False, repr=False)
class ListContext:
    """One query.

    Attributes:
        diagnostics: Errors and warnings for the user; sent before the results.
        type_name: The resource type.
    """

    diagnostics: Diagnostics
    type_name: str


@dataclass(frozen=True, eq=False, repr=False)
class ListResult:
    """An object that was found.

    Attributes:
        identity: Its identity, as the managed resource of the same type name describes it.
        display_name: What to call it, in one line.
        state: Its whole state, if that was asked for.
        diagnostics: What is to be said about this one.
    """

    identity: State
    display_name: str
    state: State | None = None
    diagnostics: Sequence[Diagnostic] = ()


class ListResource(Protocol):
    """Finds the objects of a managed resource; that one has an identity and the same type name."""

    def __init__(self, provider: object) -> None: ...

    @classmethod
    @abstractmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""

    @classmethod
    @abstractmethod
    def get_schema(cls) -> Schema:
        """Return the schema of the `config` block inside a `list` block."""

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the `config` block; values may be unknown."""
        del diags, type_name, config

    @abstractmethod
    def list(
        self, ctx: ListContext, config: State, *, include_resource: bool, limit: int
    ) -> Iterable[ListResult]:
        """Return the objects. They are asked for at once, and no more than `limit` of them.

        Args:
            ctx: See `ListContext`. An error says why there are no results, or not all.
            config: The `config` block; all values are known.
            include_resource: Whether each result needs its whole state.
            limit: How many results are of use.
        """
