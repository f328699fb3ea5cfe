"""The RPCs of provider functions."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import grpc
from tf.function import CallContext, Function, Parameter
from tf.utils import Diagnostic, Diagnostics

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import RequestError
from crusoe_provider.providerserver.rpc import Servicer, work
from crusoe_provider.providerserver.text import printable


class FunctionServicer(Servicer):
    """Serves the functions of a provider."""

    @cached_property
    def _functions(self) -> dict[str, type[Function]]:
        return {kind.get_name(): kind for kind in self.plugin.provider.get_functions()}

    def CallFunction(
        self,
        request: pb.CallFunction.Request,
        response: pb.CallFunction.Response,
        context: grpc.ServicerContext,
    ) -> pb.CallFunction.Response:
        """Call a function. Its first error is one text, which Terraform puts beside the call."""
        del context
        diagnostics = Diagnostics()
        found: dict[str, Any] = {}

        def call() -> None:
            kind = self._functions.get(request.name)
            if kind is None:
                raise RequestError(
                    f"There is no function {request.name} here",
                    "Check the spelling, or the version in required_providers.",
                )
            signature = kind.get_signature()
            found["parameters"] = parameters = _parameters(kind, len(request.arguments))
            arguments = [
                parameter.type.decode(dynamic_value.decode(argument))
                for parameter, argument in zip(parameters, request.arguments, strict=True)
            ]
            function = self.plugin.provider.new_function(kind)
            result = function.call(CallContext(diagnostics, request.name), arguments)
            if not diagnostics.has_errors():
                encoded = signature.return_type.type.encode(result)
                response.result.CopyFrom(dynamic_value.encode(encoded))

        work(self.plugin, "CallFunction", request, diagnostics, call)
        errors = [d for d in diagnostics.diagnostics if d.severity == Diagnostic.ERROR]
        if errors:
            response.ClearField("result")
            response.error.CopyFrom(_error(errors[0], found.get("parameters", ())))
        return response


def _parameters(kind: type[Function], arguments: int) -> list[Parameter]:
    """Return the parameter of each argument of a call."""
    signature = kind.get_signature()
    parameters, variadic = list(signature.parameters), signature.variadic_parameter
    more = arguments - len(parameters)
    if more < 0 or (more and variadic is None):
        least = "at least " if variadic else ""
        raise RequestError(
            f"{kind.get_name()} takes {least}{len(parameters)} arguments", "Give it as many."
        )
    return parameters + [variadic] * more if variadic else parameters


def _error(found: Diagnostic, parameters: Sequence[Parameter]) -> pb.FunctionError:
    # Terraform makes a sentence of it, with a full stop of its own.
    text = ": ".join(filter(None, [found.summary.rstrip("."), found.detail]))
    error = pb.FunctionError(text=printable(text).removesuffix("."))
    names = [parameter.name for parameter in parameters]
    if found.path and found.path[0] in names:
        error.function_argument = names.index(str(found.path[0]))
    return error
