"""A plugin process as Terraform starts it, and a gRPC client as Terraform is one."""

import base64
import os
import socket
import ssl
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import grpc
import msgspec
import psutil
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message_factory import GetMessageClass
from tf.gen import grpc_controller_pb2 as controller_pb
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from harness.sandbox import measuring

# What go-plugin's client sets; the certificate's content does not matter to the server.
TERRAFORM_ENVIRONMENT = {
    "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    "PLUGIN_PROTOCOL_VERSIONS": "5,6",
    "PLUGIN_CLIENT_CERT": "-----BEGIN CERTIFICATE-----",
}
START_SECONDS = 20
EXIT_SECONDS = 10


class Plugin:
    """A running plugin.

    Attributes:
        process: The process.
        provider: Client of the provider service.
        channel: The connection.
        handshake: The fields of the handshake line.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=stderr
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line, f"no handshake; stderr:\n{self.log()}"
        self.handshake = line.rstrip("\n").split("|")
        self.socket = Path(self.handshake[3])
        self.channel = self._connect(self.handshake[5])
        grpc.channel_ready_future(self.channel).result(START_SECONDS)
        self.provider: Any = _client(self.channel)
        self._controller: Any = controller_rpc.GRPCControllerStub(self.channel)
        # go-plugin keeps this stream open for as long as it uses the plugin.
        stdio: Any = stdio_rpc.GRPCStdioStub(self.channel)
        self._stdio = stdio.StreamStdio(Empty())

    def _connect(self, certificate: str) -> grpc.Channel:
        address = f"unix:{self.socket}"
        options = (
            ("grpc.ssl_target_name_override", "localhost"),
            ("grpc.max_receive_message_length", -1),
        )
        if not certificate:
            return grpc.insecure_channel(address, options)
        padded = certificate + "=" * (-len(certificate) % 4)
        pem = ssl.DER_cert_to_PEM_cert(base64.b64decode(padded))
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(pem.encode()), options)

    def serving(self) -> psutil.Process:
        """Return the process that serves: the one that was started, or a child of a nursery."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            size = struct.calcsize("3i")
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return psutil.Process(struct.unpack("3i", peer)[0])

    def log(self) -> str:
        """Return what the plugin has written to stderr."""
        return self._log.read_text(errors="replace")

    def disconnect(self) -> None:
        """Drop the connection and the pipe, as the system does when Terraform is killed."""
        self.channel.close()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def shut_down(self) -> int:
        """Ask the plugin to end, as Terraform does, and return its exit code."""
        self._controller.Shutdown(controller_pb.Empty())
        return self.process.wait(EXIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Without Terraform a plugin ends by itself; one that does not is a defect.
        self.disconnect()
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def _client(channel: grpc.Channel) -> SimpleNamespace:
    """Return a client of the provider's service, with a function for every RPC of the protocol."""
    client = SimpleNamespace()
    for method in pb.DESCRIPTOR.services_by_name["Provider"].methods:
        connect: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
        function = connect(
            f"/tfplugin6.Provider/{method.name}",
            request_serializer=GetMessageClass(method.input_type).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        setattr(client, method.name, function)
    return client


def plugin_environment(**more: str) -> dict[str, str]:
    """Return the environment of a plugin: Terraform's, a path, and `more`; nothing else of ours."""
    # The tests are its Terraform, and go on: what is left for its next plugin would stay a while.
    cold = {"CRUSOE_WARM_START": "0"}
    return TERRAFORM_ENVIRONMENT | {"PATH": os.environ["PATH"]} | cold | measuring() | more


def dynamic(value: Any) -> pb.DynamicValue:
    """Return `value` on the wire; `tf.types.Unknown` may stand anywhere."""
    return dynamic_value.encode(value)


def value_of(message: pb.DynamicValue) -> Any:
    """Return the Python value of a dynamic value."""
    return dynamic_value.decode(message)


def refined_unknown(**attributes: Any) -> pb.DynamicValue:
    """Return an object of `attributes` where `...` stands for an unknown with a known prefix."""
    refinement = msgspec.msgpack.Ext(12, msgspec.msgpack.encode({1: False, 3: "x-"}))
    values = {name: refinement if v is ... else v for name, v in attributes.items()}
    return pb.DynamicValue(msgpack=msgspec.msgpack.encode(values))


def errors(response: Any) -> list[pb.Diagnostic]:
    """Return the error diagnostics of a response."""
    return [d for d in response.diagnostics if d.severity == pb.Diagnostic.ERROR]


def warnings(response: Any) -> list[pb.Diagnostic]:
    """Return the warning diagnostics of a response."""
    return [d for d in response.diagnostics if d.severity == pb.Diagnostic.WARNING]
