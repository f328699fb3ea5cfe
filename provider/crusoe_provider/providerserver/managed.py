"""A managed resource for the time of one call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tf import iface

from crusoe_provider.providerserver.identity_codec import IdentityCodec
from crusoe_provider.providerserver.plugin import Elements, Plugin
from crusoe_provider.providerserver.resource import Resource, State
from crusoe_provider.providerserver.state_codec import StateCodec

if TYPE_CHECKING:
    from crusoe_provider.providerserver import protocol_pb2 as pb


@dataclass(frozen=True, eq=False)
class Managed:
    """A resource with what translates for it.

    Attributes:
        resource: The resource.
        codec: The codec of its states.
        identities: The codec of its identities, if it has any.
    """

    resource: Resource
    codec: StateCodec
    identities: IdentityCodec | None

    def identify(self, target: "pb.ResourceIdentityData", state: State | None) -> None:
        """Put the identity of the object that has a state into a message, as far as it is known."""
        if self.identities is None or state is None:
            return
        identity = self.resource.identity(state)
        encoded = None if identity is None else self.identities.encode(identity)
        if encoded is not None:
            target.CopyFrom(encoded)


class ManagedResources:
    """The managed resources of a provider.

    Args:
        plugin: The plugin.
    """

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self.types = Elements(plugin, "resource", plugin.provider.get_resources)

    def find(self, type_name: str) -> Managed:
        """Return a resource.

        Raises:
            RequestError: There is none of this type.
        """
        kind, codec = self.types.find(type_name)
        resource = cast("Resource", self._plugin.provider.new_resource(kind))
        return Managed(resource, codec, self.identities_of(kind))

    def identities_of(self, kind: type[iface.Resource]) -> IdentityCodec | None:
        """Return the codec of the identities of a resource type."""
        schema = cast("type[Resource]", kind).identity_schema()
        return None if schema is None else IdentityCodec(schema, self._plugin.hide)
