"""What a resource sees of the host: `tf`'s interface, completed.

`tf.iface.Resource` has validate, plan, create, read, update, delete, import and upgrade. The
contexts here carry what its own leave out, named as in terraform-plugin-framework, and `Resource`
adds the hooks that a provider needs to lose nothing: a plan for creation and destruction, a look
at every state that passes by, and a way back when nobody is left to take the result.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tf import iface
from tf.utils import Diagnostics

State = dict[str, Any]
"""Attribute names to Python values, `None` for null, `tf.types.Unknown` for not yet known."""


@dataclass
class PlanContext(iface.PlanContext):
    """The planning of one instance.

    Attributes:
        diagnostics: Errors and warnings for the user.
        type_name: The resource type.
        changed_fields: Names of the attributes whose proposed value differs from the prior one.
        config: The configuration, before defaults and computed values.
        requires_replace: Names of attributes that force a replacement, to be added to. Attributes
            with `requires_replace` in the schema join by themselves once planned and prior differ.
    """

    config: State
    requires_replace: set[str] = field(default_factory=set)


@dataclass
class PlanDestroyContext:
    """The planning of one instance's destruction."""

    diagnostics: Diagnostics
    type_name: str


@dataclass
class CreateContext(iface.CreateContext):
    """The creation of one instance.

    Attributes:
        diagnostics: Errors and warnings for the user. A state together with an error is kept by
            Terraform as tainted.
        type_name: The resource type.
        config: The configuration.
        save: Call it with a state as soon as there is something that must not be lost: whatever
            happens afterwards, an exception included, Terraform receives it.
    """

    config: State
    save: Callable[[State], None]


class Resource(iface.Resource, Protocol):
    """A resource as this host serves it.

    One object is made per call; what has to outlive a call belongs to the provider.
    """

    # The contexts of plan and create are narrower than tf's, which a type checker objects to, here
    # and in every resource: this host passes no others.

    @abstractmethod
    def plan(  # type: ignore[override]
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        """Return the planned state of an instance that will exist after the apply.

        Args:
            ctx: See `PlanContext`.
            current: The state now; `None` when the instance is to be created, also as the second
                half of a replacement.
            planned: The proposed state; computed attributes without a value are `Unknown` in a
                creation and keep the prior value in an update.
        """

    @abstractmethod
    def create(  # type: ignore[override]
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        """Make the object and return its state; see `CreateContext.save`."""

    def plan_destroy(self, ctx: PlanDestroyContext, current: State) -> None:
        """Take note that the plan destroys the instance; an error refuses it."""

    def observe(self, state: State) -> None:
        """Take note of a stored state: called for each one that Terraform loads."""

    def undo_create(self, state: State) -> None:
        """Remove what `create` has just made: Terraform is gone and cannot store the state."""
