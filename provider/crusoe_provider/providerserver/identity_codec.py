"""Identities of one schema, between the wire and the provider's code."""

from collections.abc import Callable

from tf.schema import Attribute, Schema

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.identity import IdentitySchema
from crusoe_provider.providerserver.resource import State
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
