"""The gRPC services of a plugin: the provider's, and go-plugin's own two."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message_factory import GetMessageClass
from tf.gen import grpc_controller_pb2 as controller_pb
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.lifetime import Lifetime
from crusoe_provider.providerserver.plugin import Plugin
from crusoe_provider.providerserver.rpc import Servicer
from crusoe_provider.providerserver.servicer_actions import ActionServicer
from crusoe_provider.providerserver.servicer_changes import ChangeServicer
from crusoe_provider.providerserver.servicer_data_sources import DataSourceServicer
from crusoe_provider.providerserver.servicer_ephemeral import EphemeralServicer
from crusoe_provider.providerserver.servicer_functions import FunctionServicer
from crusoe_provider.providerserver.servicer_lists import ListServicer
from crusoe_provider.providerserver.servicer_provider import ProviderServicer
from crusoe_provider.providerserver.servicer_resources import ResourceServicer

_PROVIDER_SERVICE: Final = "tfplugin6.Provider"
_SERVICERS: Final[Sequence[type[Servicer]]] = (
    ProviderServicer,
    ResourceServicer,
    ChangeServicer,
    DataSourceServicer,
    FunctionServicer,
    EphemeralServicer,
    ListServicer,
    ActionServicer,
)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def add_services(server: grpc.Server, plugin: Plugin) -> None:
    """Make a server that is not started yet serve a plugin."""
    server.add_generic_rpc_handlers((_ProviderService(plugin),))
    controller_rpc.add_GRPCControllerServicer_to_server(_Controller(plugin.lifetime), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(_Stdio(plugin.lifetime), server)


class _ProviderService(grpc.GenericRpcHandler):
    """The provider's service: what it serves is what the servicers have functions for.

    gRPC answers UNIMPLEMENTED to every other call. Handlers, and with them the classes of their
    messages, are made when they are called first: a plugin process sees few of them.
    """

    def __init__(self, plugin: Plugin) -> None:
        self._servicers = [servicer(plugin) for servicer in _SERVICERS]
        self._made = functools.cache(self._make)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Return the handler of a method, named by its path."""
        service, _, name = handler_call_details.method.removeprefix("/").partition("/")
        return self._made(name) if service == _PROVIDER_SERVICE else None

    def _make(self, name: str) -> "Handler | None":
        method = pb.DESCRIPTOR.services_by_name["Provider"].methods_by_name.get(name)
        functions = (getattr(servicer, name, None) for servicer in self._servicers)
        serve = next(filter(None, functions), None)
        if method is None or serve is None:
            return None
        request = GetMessageClass(method.input_type)
        response = GetMessageClass(method.output_type)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                serve, request.FromString, response.SerializeToString
            )
        return grpc.unary_unary_rpc_method_handler(
            lambda message, context: serve(message, response(), context),
            request.FromString,
            response.SerializeToString,
        )


class _Controller(controller_rpc.GRPCControllerServicer):
    def __init__(self, lifetime: Lifetime) -> None:
        self._lifetime = lifetime

    def Shutdown(self, request: Any, context: grpc.ServicerContext) -> Any:
        """End the process; the answer is still sent."""
        del request, context
        self._lifetime.end()
        return controller_pb.Empty()


class _Stdio(stdio_rpc.GRPCStdioServicer):
    """go-plugin's channel for a plugin's output. Ours goes to stderr, so nothing is ever sent."""

    def __init__(self, lifetime: Lifetime) -> None:
        self._lifetime = lifetime

    def StreamStdio(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Keep the stream open: go-plugin logs a warning for one that ends early."""
        del request, context
        self._lifetime.wait_for_over()
        yield from ()
