"""Actions, which `tf` lacks: they do something and leave nothing in a state."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tf.schema import Schema
from tf.utils import Diagnostics

from crusoe_provider.providerserver.resource import State

Progress = Callable[[str], None]
"""Shows the user a line about what is going on, at once."""


@dataclass(eq=False, repr=False)
class ActionContext:
    """The planning, or the invocation, of one action.

    Attributes:
        diagnostics: Errors and warnings for the user.
        type_name: The action type.
    """

    diagnostics: Diagnostics
    type_name: str


class Action(Protocol):
    """Something that is done once, by `terraform apply -invoke` or as a trigger of a resource.

    A required attribute may be null all the same, if a variable is.
    """

    def __init__(self, provider: object) -> None: ...

    @classmethod
    @abstractmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""

    @classmethod
    @abstractmethod
    def get_schema(cls) -> Schema:
        """Return the schema of the `config` block inside an `action` block."""

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the `config` block; values may be unknown."""
        del diags, type_name, config

    @abstractmethod
    def plan(self, ctx: ActionContext, config: State) -> None:
        """Look ahead; an error refuses the action. Values may be unknown.

        Nothing but diagnostics comes of it: Terraform shows no plan of an action.
        """

    @abstractmethod
    def invoke(self, ctx: ActionContext, config: State, progress: Progress) -> None:
        """Do it. All values are known; a stop may have been asked for."""
