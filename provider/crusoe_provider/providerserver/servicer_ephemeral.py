"""The RPCs of ephemeral resources."""

import json

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.ephemeral import CloseContext, EphemeralResource, OpenContext
from crusoe_provider.providerserver.errors import MalformedRequestError
from crusoe_provider.providerserver.plugin import Elements, Plugin
from crusoe_provider.providerserver.resource import Private
from crusoe_provider.providerserver.rpc import Call, Servicer, rpc
from crusoe_provider.providerserver.state_codec import StateCodec


class EphemeralServicer(Servicer):
    """Serves the ephemeral resources of a provider."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin)
        types = plugin.provider.get_ephemeral_resources
        self._types: Elements[EphemeralResource] = Elements(plugin, "ephemeral resource", types)

    @rpc
    def ValidateEphemeralResourceConfig(
        self,
        call: Call[
            pb.ValidateEphemeralResourceConfig.Request, pb.ValidateEphemeralResourceConfig.Response
        ],
    ) -> None:
        """Check an ephemeral block; values may be unknown."""
        type_name = call.request.type_name
        resource, codec = self._resource(type_name)
        config = codec.decode_required(call.request.config)
        if not call.diagnostics.has_errors():
            resource.validate(call.diagnostics, type_name, config)

    @rpc
    def OpenEphemeralResource(
        self, call: Call[pb.OpenEphemeralResource.Request, pb.OpenEphemeralResource.Response]
    ) -> None:
        """Make the object of an ephemeral block."""
        type_name = call.request.type_name
        resource, codec = self._resource(type_name)
        config = codec.decode_required(call.request.config, known=True)
        if call.diagnostics.has_errors():
            return
        context = OpenContext(call.diagnostics, type_name, {})
        result = resource.open(context, config)
        call.response.private = json.dumps(context.private).encode()
        if result is not None:
            call.response.result.CopyFrom(codec.encode(result, like=config))

    @rpc
    def RenewEphemeralResource(
        self, call: Call[pb.RenewEphemeralResource.Request, pb.RenewEphemeralResource.Response]
    ) -> None:
        """Renew nothing: no resource asks for it."""
        call.response.private = call.request.private

    @rpc
    def CloseEphemeralResource(
        self, call: Call[pb.CloseEphemeralResource.Request, pb.CloseEphemeralResource.Response]
    ) -> None:
        """Give the object of an ephemeral block back."""
        type_name = call.request.type_name
        resource, _ = self._resource(type_name)
        private = _private(call.request.private)
        resource.close(CloseContext(call.diagnostics, type_name, private))

    def _resource(self, type_name: str) -> tuple[EphemeralResource, StateCodec]:
        kind, codec = self._types.find(type_name)
        return self.plugin.provider.new_element(kind), codec


def _private(stored: bytes) -> Private:
    private = dynamic_value.json_object(stored or b"{}")
    if private is None:
        raise MalformedRequestError("The private data is not what this provider gave.")
    return private
