"""A managed resource for the time of one call, with what translates its states and identities."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tf import iface
from tf.schema import Attribute, Schema

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.identity import IdentitySchema
from crusoe_provider.providerserver.plugin import Elements, Plugin
from crusoe_provider.providerserver.resource import Resource, State
from crusoe_provider.providerserver.state_codec import StateCodec


class IdentityCodec:
    """Decodes and encodes identities of one schema.

    Args:
        schema: The schema.
        hide: See `StateCodec`.
    """

    def __init__(self, schema: IdentitySchema, hide: Callable[[str], None]) -> None:
        self.schema = schema
        attributes = [Attribute(a.name, a.type, optional=True) for a in schema.attributes]
        self._codec = StateCodec(Schema(attributes=attributes), hide)

    def describe(self) -> pb.ResourceIdentitySchema:
        """Return the schema for the wire."""
        return pb.ResourceIdentitySchema(
            version=self.schema.version,
            identity_attributes=[
                pb.ResourceIdentitySchema.IdentityAttribute(
                    name=attribute.name,
                    type=attribute.type.tf_type(),
                    description=attribute.description,
                    required_for_import=attribute.required_for_import,
                    optional_for_import=attribute.optional_for_import,
                )
                for attribute in self.schema.attributes
            ],
        )

    def encode(self, identity: State) -> pb.ResourceIdentityData | None:
        """Return an identity for the wire; `None` if a part of it is unknown.

        Terraform takes only one that is wholly known, or none.
        """
        if dynamic_value.has_unknown(identity):
            return None
        return pb.ResourceIdentityData(identity_data=self._codec.encode(identity))

    def decode(self, data: pb.ResourceIdentityData) -> State:
        """Return the identity in `data`.

        Raises:
            MalformedRequestError: It is no identity of this schema, or not all of it is known.
        """
        return self._codec.decode_required(data.identity_data, known=True, what="identity")

    def complete(self, raw: State) -> State:
        """Return a stored identity decoded; see `StateCodec.complete`."""
        return self._codec.complete(raw)


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

    def identify(self, target: pb.ResourceIdentityData, state: State | None) -> None:
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
