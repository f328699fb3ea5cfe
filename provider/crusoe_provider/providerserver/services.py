"""The gRPC services of a plugin: the provider's, and go-plugin's own two."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
from tf.gen import grpc_controller_pb2 as controller_pb
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2_grpc as provider_rpc

from crusoe_provider.providerserver.lifetime import Lifetime
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.recent_creations import RecentCreations
from crusoe_provider.providerserver.servicer import Servicer
from crusoe_provider.providerserver.terraform import Terraform


def add_services(
    server: grpc.Server,
    provider: Provider,
    lifetime: Lifetime,
    creations: RecentCreations,
    terraform: Terraform,
    *,
    hide: Callable[[str], None],
) -> None:
    """Make a server that is not started yet serve a provider.

    Args:
        server: The server.
        provider: The provider.
        lifetime: The life of the process.
        creations: Takes note of what is created.
        terraform: The Terraform that has started this process.
        hide: Called with every sensitive value that passes, so that the log can leave it out.
    """
    servicer = Servicer(provider, lifetime, creations, terraform, hide=hide)
    provider_rpc.add_ProviderServicer_to_server(servicer, server)
    servicer.ephemeral.add_to(server)
    controller_rpc.add_GRPCControllerServicer_to_server(_Controller(lifetime), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(_Stdio(lifetime), server)


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
