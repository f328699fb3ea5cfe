"""What a provider offers to this host: `tf`'s interface, completed."""

from typing import Protocol

from tf import iface

from crusoe_provider.providerserver.ephemeral import EphemeralResource


class Provider(iface.Provider, Protocol):
    """A provider as this host serves it."""

    def get_ephemeral_resources(self) -> list[type[EphemeralResource]]:
        """Return the ephemeral resource types; each is made with the provider as its argument."""
        return []

    def finish(self) -> None:
        """Give back what is still held: Terraform has no more use for this process, or is gone."""
        return
