"""What a resource sees of this server: `tf`'s interface, completed.

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

from crusoe_provider.providerserver.identity import IdentitySchema

State = dict[str, Any]
"""Attribute names to Python values, `None` for null, `tf.types.Unknown` for not yet known."""

Private = dict[str, Any]
"""What a resource keeps beside the state of an instance, for itself; JSON values.

Contexts carry it in and out: what a method changes is stored with the state. Terraform hands the
private data of a plan to the second planning of a replacement, too.
"""


@dataclass(eq=False, repr=False)
class PlanContext(iface.PlanContext):
    """The planning of one instance.

    Attributes:
        diagnostics: Errors and warnings for the user.
        type_name: The resource type.
        changed_fields: Names of the attributes whose proposed value differs from the prior one.
        config: The configuration, before defaults and computed values.
        private: The private data of the instance; of the one to be replaced, if this is the second
            half of a replacement.
        requires_replace: Names of attributes that force a replacement, to be added to. Attributes
            with `requires_replace` in the schema join by themselves once planned and prior differ.
        planned_private: The private data that the plan has returned, when this is its repetition
            in the apply and Terraform (since 1.16) says so; `None` otherwise.
    """

    config: State
    private: Private
    requires_replace: set[str] = field(default_factory=set)
    planned_private: Private | None = None


@dataclass(eq=False, repr=False)
class ReadContext(iface.ReadContext):
    """The refresh of one instance."""

    private: Private


@dataclass(eq=False, repr=False)
class PlanDestroyContext:
    """The planning of one instance's destruction."""

    diagnostics: Diagnostics
    type_name: str
    private: Private


@dataclass(eq=False, repr=False)
class CreateContext(iface.CreateContext):
    """The creation of one instance.

    Attributes:
        diagnostics: Errors and warnings for the user. A state together with an error is kept by
            Terraform as tainted.
        type_name: The resource type.
        config: The configuration.
        private: Private data to be stored with the new instance.
        save: Call it with a state as soon as there is something that must not be lost: whatever
            happens afterwards, an exception included, Terraform receives it.
    """

    config: State
    private: Private
    save: Callable[[State], None]


@dataclass(eq=False, repr=False)
class UpdateContext(iface.UpdateContext):
    """The update of one instance, in place.

    Attributes:
        diagnostics: Errors and warnings for the user. A state together with an error is kept by
            Terraform as it is, not tainted.
        type_name: The resource type.
        private: Private data to be stored with the instance.
        save: Call it with a state after each step that must not be lost: whatever happens
            afterwards, an exception included, Terraform receives the latest.
    """

    private: Private
    save: Callable[[State], None]


@dataclass(eq=False, repr=False)
class DeleteContext(iface.DeleteContext):
    """The destruction of one instance."""

    private: Private


@dataclass(eq=False, repr=False)
class ImportContext(iface.ImportContext):
    """The import of one object.

    Attributes:
        diagnostics: Errors and warnings for the user.
        type_name: The resource type.
        identity: The identity that the user gives in place of an ID, which is empty then; `None`
            for an import by ID. What is optional in it may be null.
    """

    identity: State | None = None


@dataclass(frozen=True, eq=False, repr=False)
class MoveSource:
    """A stored state of another type, for a `moved` block between types.

    Attributes:
        provider_address: Source address of the provider it belongs to, host included.
        type_name: Its resource type.
        schema_version: The version of its schema.
        state: The state as it was stored; JSON values.
        private: Its private data. What the move makes of it is stored with the new state.
        identity: The identity that was stored with it; empty if there was none.
    """

    provider_address: str
    type_name: str
    schema_version: int
    state: State
    private: Private = field(default_factory=dict)
    identity: State = field(default_factory=dict)


class Resource(iface.Resource, Protocol):
    """A resource as this server serves it.

    One object is made per call; what has to outlive a call belongs to the provider.
    """

    # The contexts of plan, create, read, update and delete are narrower than tf's, which a type
    # checker objects to, here and in every resource: this server passes no others.

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
                creation and keep the prior value in an update. What means the same as in
                `current` is as it is there, whatever its spelling.
        """

    @abstractmethod
    def create(  # type: ignore[override]
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        """Make the object and return its state; see `CreateContext.save`."""

    @abstractmethod
    def read(  # type: ignore[override]
        self, ctx: ReadContext, current: State
    ) -> State | None:
        """Return the state as it is now; `None` if the object is gone."""

    @abstractmethod
    def update(  # type: ignore[override]
        self, ctx: UpdateContext, current: State, planned: State
    ) -> State | None:
        """Change the object and return its state; see `UpdateContext.save`."""

    @abstractmethod
    def delete(  # type: ignore[override]
        self, ctx: DeleteContext, current: State
    ) -> None:
        """Remove the object; one that is gone already is success."""

    @classmethod
    def identity_schema(cls) -> IdentitySchema | None:
        """Return what identifies an object; `None` if nothing but the state does."""
        return None

    def identity(self, state: State) -> State | None:
        """Return the identity of the object that has a state; `None` if the state does not tell.

        Args:
            state: Any state of this resource, also a planned one, in which a value may be unknown:
                an identity with one is not sent.
        """
        del state
        return None

    def upgrade_identity(self, version: int, old: State) -> State:
        """Return a stored identity of an earlier version of its schema as one of the current.

        Args:
            version: The version.
            old: The identity as it was stored; JSON values.
        """
        del version
        return old

    def plan_destroy(self, ctx: PlanDestroyContext, current: State) -> None:
        """Take note that the plan destroys the instance; an error refuses it."""
        del ctx, current

    def move(self, diagnostics: Diagnostics, source: MoveSource) -> State | None:
        """Return the state that `source` becomes here; `None` if it is of no type known here.

        The provider may not be configured: Terraform asks before it plans.
        """
        del diagnostics, source
        return None

    def observe(self, state: State) -> None:
        """Take note of a stored state: called for each one that Terraform loads.

        What is changed in `state` is what Terraform goes on with, also where it does not refresh.
        """
        del state

    def undo_create(self, state: State) -> None:
        """Remove what `create` has just made: Terraform is gone and cannot store the state."""
        del state

    def undo_update(self, state: State, prior: State) -> None:
        """Remove what `update` has just made: Terraform is gone and cannot store `state`.

        What `prior` has is kept: Terraform's stored state is that one, or the new one.
        """
        del state, prior
