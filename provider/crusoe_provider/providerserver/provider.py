"""What a provider offers to this server: `tf`'s interface, completed."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from tf import iface

from crusoe_provider.providerserver.action import Action
from crusoe_provider.providerserver.ephemeral import EphemeralResource
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.list_resource import ListResource

T = TypeVar("T")


class Provider(iface.Provider, Protocol):
    """A provider as this server serves it."""

    def get_ephemeral_resources(self) -> list[type[EphemeralResource]]:
        """Return the ephemeral resource types."""
        return []

    def get_list_resources(self) -> list[type[ListResource]]:
        """Return the list resource types."""
        return []

    def get_actions(self) -> list[type[Action]]:
        """Return the action types."""
        return []

    def hide_with(self, hide: Callable[[str], None]) -> None:
        """Take the function that keeps a secret out of the log; called once, before anything else.

        Values of sensitive attributes are hidden without it. It is for what comes from elsewhere,
        such as credentials from the environment or from a file.
        """
        del hide

    def new_element(self, klass: Callable[[Any], T]) -> T:
        """Return an ephemeral resource, a list resource or an action for one call."""
        return klass(self)

    def diagnose(self, error: BaseException) -> Diagnosis | None:
        """Return what to tell the user of an error that a call has raised.

        `None` for one that the provider does not know: it is reported as a defect.
        """
        del error
        return None

    def in_flight(self) -> AbstractContextManager[None]:
        """Return a context that is entered for the time of each call."""
        return contextlib.nullcontext()

    def finish(self) -> None:
        """Give back what is still held: Terraform has no more use for this process, or is gone."""
        return
