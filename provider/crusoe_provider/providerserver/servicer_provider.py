"""The RPCs of the provider as a whole."""

from typing import Any, Final, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.plugin import Elements, Plugin
from crusoe_provider.providerserver.rpc import Call, Servicer, rpc
from crusoe_provider.providerserver.state_codec import StateCodec

_CAPABILITIES: Final = {
    "plan_destroy": True,
    "get_provider_schema_optional": True,
    "move_resource_state": True,
}


class _OfTf(Protocol):
    """A schema or a function of `tf`."""

    def to_pb(self) -> Message: ...


M = TypeVar("M", bound=Message)


def _take(message: M, found: _OfTf) -> None:
    """Put what `tf` describes with a message of its own into one of ours."""
    message.MergeFromString(found.to_pb().SerializeToString())


class ProviderServicer(Servicer):
    """Serves what concerns the provider as a whole."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin)
        provider = plugin.provider
        self._resources = Elements(plugin, "resource", provider.get_resources)
        self._data_sources = Elements(plugin, "data source", provider.get_data_sources)
        self._lists = Elements(plugin, "list resource", provider.get_list_resources)
        self._actions = Elements(plugin, "action", provider.get_actions)
        self._ephemerals = Elements(plugin, "ephemeral resource", provider.get_ephemeral_resources)

    @rpc
    def GetMetadata(self, call: Call[pb.GetMetadata.Request, pb.GetMetadata.Response]) -> None:
        """Say what is served, without the schemas."""
        response = call.response
        response.server_capabilities.CopyFrom(pb.ServerCapabilities(**_CAPABILITIES))
        for name, _ in self._resources:
            response.resources.add(type_name=name)
        for name, _ in self._data_sources:
            response.data_sources.add(type_name=name)
        for name, _ in self._ephemerals:
            response.ephemeral_resources.add(type_name=name)
        for name, _ in self._lists:
            response.list_resources.add(type_name=name)
        for name, _ in self._actions:
            response.actions.add(type_name=name)
        for function in self.plugin.provider.get_functions():
            response.functions.add(name=function.get_name())

    @rpc
    def GetProviderSchema(
        self, call: Call[pb.GetProviderSchema.Request, pb.GetProviderSchema.Response]
    ) -> None:
        """Return all schemas."""
        response, provider = call.response, self.plugin.provider
        response.server_capabilities.CopyFrom(pb.ServerCapabilities(**_CAPABILITIES))
        _take(response.provider, provider.get_provider_schema(call.diagnostics))
        for name, resource in self._resources:
            _take(response.resource_schemas[name], resource.get_schema())
        for name, data_source in self._data_sources:
            _take(response.data_source_schemas[name], data_source.get_schema())
        for name, ephemeral in self._ephemerals:
            _take(response.ephemeral_resource_schemas[name], ephemeral.get_schema())
        for name, list_resource in self._lists:
            _take(response.list_resource_schemas[name], list_resource.get_schema())
        for name, action in self._actions:
            _take(response.action_schemas[name].schema, action.get_schema())
        for function in provider.get_functions():
            _take(response.functions[function.get_name()], function.get_signature())

    @rpc
    def ValidateProviderConfig(
        self, call: Call[pb.ValidateProviderConfig.Request, pb.ValidateProviderConfig.Response]
    ) -> None:
        """Check the provider block; values may be unknown."""
        config = self._codec(call).decode(call.request.config)
        self.plugin.provider.validate_config(call.diagnostics, config or {})

    @rpc
    def ConfigureProvider(
        self, call: Call[pb.ConfigureProvider.Request, pb.ConfigureProvider.Response]
    ) -> None:
        """Configure the provider; values that depend on other resources may be unknown."""
        request = call.request
        config = self._codec(call).decode(request.config)
        self.plugin.terraform.configures(
            request.config.SerializeToString(deterministic=True),
            deferral_allowed=request.client_capabilities.deferral_allowed,
            version=request.terraform_version,
        )
        if not call.diagnostics.has_errors():
            self.plugin.provider.configure_provider(call.diagnostics, config or {})

    def StopProvider(self, request: Any, response: Any, context: grpc.ServicerContext) -> Any:
        """Ask the provider to come to an end; calls under way still get their answers."""
        del request, context
        self.plugin.lifetime.stop.set()
        return response

    def _codec(self, call: Call[Any, Any]) -> StateCodec:
        schema = self.plugin.provider.get_provider_schema(call.diagnostics)
        return StateCodec(schema, self.plugin.hide)
