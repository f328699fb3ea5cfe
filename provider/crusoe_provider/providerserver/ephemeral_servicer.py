"""The RPCs of ephemeral resources, added to the service that `tf` defines."""

import json
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from tf.gen import tfplugin_pb2 as pb

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import ephemeral_pb2 as messages
from crusoe_provider.providerserver.ephemeral import CloseContext, EphemeralResource, OpenContext
from crusoe_provider.providerserver.errors import MalformedRequestError, RequestError
from crusoe_provider.providerserver.lifetime import Lifetime
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import Private, State
from crusoe_provider.providerserver.rpc import Call, rpc
from crusoe_provider.providerserver.state_codec import StateCodec

_SERVICE: Final = "tfplugin6.Provider"


class EphemeralServicer:
    """Serves the ephemeral resources of a provider.

    Args:
        provider: The provider.
        lifetime: Keeps the process alive while calls are under way.
        hide: Called with every sensitive value that passes, so that the log can leave it out.
    """

    def __init__(
        self, provider: Provider, lifetime: Lifetime, *, hide: Callable[[str], None]
    ) -> None:
        self.lifetime = lifetime
        self.provider = provider
        self._hide = hide
        prefix = provider.get_model_prefix()
        self._types = {prefix + t.get_name(): t for t in provider.get_ephemeral_resources()}

    def add_to(self, server: grpc.Server) -> None:
        """Serve the RPCs beside those that are served already."""
        handlers = {
            "ValidateEphemeralResourceConfig": _unary(self.validate, messages.ValidateRequest),
            "OpenEphemeralResource": _unary(self.open, messages.OpenRequest),
            "RenewEphemeralResource": _unary(self.renew, messages.RenewRequest),
            "CloseEphemeralResource": _unary(self.close, messages.CloseRequest),
        }
        generic = grpc.method_handlers_generic_handler(_SERVICE, handlers)
        server.add_generic_rpc_handlers((generic,))

    def add_schemas(self, response: pb.GetProviderSchema.Response) -> None:
        """Put the schemas into a response, whose field for them is unknown to `tf`."""
        entries = [
            messages.SchemaEntry(key=name, value=t.get_schema().to_pb().SerializeToString())
            for name, t in self._types.items()
        ]
        addition = messages.GetProviderSchemaResponse(
            ephemeral_resource_schemas=[entry.SerializeToString() for entry in entries]
        )
        response.MergeFromString(addition.SerializeToString())

    def add_metadata(self, response: pb.GetMetadata.Response) -> None:
        """Put the type names into a response."""
        entries = [messages.EphemeralResourceMetadata(type_name=name) for name in self._types]
        addition = messages.GetMetadataResponse(
            ephemeral_resources=[entry.SerializeToString() for entry in entries]
        )
        response.MergeFromString(addition.SerializeToString())

    @rpc(messages.ValidateResponse)
    def validate(self, call: Call[Any, Any]) -> None:
        """Check an ephemeral block; values may be unknown."""
        resource, codec = self._resource(call.request.type_name)
        config = _configuration(codec, call)
        if not call.diagnostics.has_errors():
            resource.validate(call.diagnostics, call.request.type_name, config)

    @rpc(messages.OpenResponse)
    def open(self, call: Call[Any, Any]) -> None:
        """Make the object of an ephemeral block."""
        type_name = call.request.type_name
        resource, codec = self._resource(type_name)
        config = _configuration(codec, call, known=True)
        if call.diagnostics.has_errors():
            return
        context = OpenContext(call.diagnostics, type_name, {})
        result = resource.open(context, config)
        call.response.private = json.dumps(context.private).encode()
        if result is not None:
            call.response.result = codec.encode(result, like=config).SerializeToString()

    @rpc(messages.RenewResponse)
    def renew(self, call: Call[Any, Any]) -> None:
        """Renew nothing: no resource asks for it."""
        call.response.private = call.request.private

    @rpc(messages.CloseResponse)
    def close(self, call: Call[Any, Any]) -> None:
        """Give the object of an ephemeral block back."""
        type_name = call.request.type_name
        resource, _ = self._resource(type_name)
        private = _private(call.request.private)
        resource.close(CloseContext(call.diagnostics, type_name, private))

    def _resource(self, type_name: str) -> tuple[EphemeralResource, StateCodec]:
        kind = self._types.get(type_name)
        if kind is None:
            raise RequestError(
                "Unknown ephemeral resource type",
                f'This version of the provider has no ephemeral resource "{type_name}".\n\n'
                "Check the spelling, or the version in required_providers.",
            )
        return self.provider.new_ephemeral_resource(kind), StateCodec(kind.get_schema(), self._hide)


def _unary(method: Callable[..., Any], request: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def _configuration(codec: StateCodec, call: Call[Any, Any], *, known: bool = False) -> State:
    try:
        value = pb.DynamicValue.FromString(call.request.config)
    except DecodeError:
        raise MalformedRequestError("The configuration is no value.") from None
    return codec.decode_required(value, call.diagnostics, known=known)


def _private(stored: bytes) -> Private:
    private = dynamic_value.json_object(stored or b"{}")
    if private is None:
        raise MalformedRequestError("The private data is not what this provider gave.")
    return private
