"""Calls of provider functions."""

import logging
from collections.abc import Mapping
from typing import Any

from tf import iface
from tf.function import CallContext, Function
from tf.gen import tfplugin_pb2 as pb
from tf.utils import Diagnostics

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver.errors import RequestError

logger = logging.getLogger(__name__)


def call_function(
    provider: iface.Provider, functions: Mapping[str, type[Function]], request: Any
) -> pb.CallFunction.Response:
    """Return the answer to a `CallFunction` request.

    An error is one text, which Terraform puts beside the call in the configuration. A defect of the
    function is told by its kind only: the exception's text could quote an argument, a secret even.
    """
    try:
        return pb.CallFunction.Response(result=_result(provider, functions, request))
    except RequestError as error:
        return _failure(error.detail)
    except Exception as exc:  # noqa: BLE001 - the boundary: it becomes an error of the call
        logger.debug("CallFunction failed: %s", type(exc).__name__)
        return _failure(
            f"The function {request.name} failed with {type(exc).__name__}. This is a defect of "
            "the provider; please report it."
        )


def _result(
    provider: iface.Provider, functions: Mapping[str, type[Function]], request: Any
) -> pb.DynamicValue:
    kind = functions.get(request.name)
    if kind is None:
        raise RequestError("Unknown function", f"There is no function {request.name} here.")
    signature = kind.get_signature()
    if len(request.arguments) != len(signature.parameters):
        raise RequestError(
            "Wrong number of arguments",
            f"{request.name} takes {len(signature.parameters)} arguments.",
        )
    arguments = [
        parameter.type.decode(dynamic_value.decode(argument))
        for parameter, argument in zip(signature.parameters, request.arguments, strict=True)
    ]
    diagnostics = Diagnostics()
    function = provider.new_function(kind)
    result = function.call(CallContext(diagnostics, request.name), arguments)
    if diagnostics.has_errors():
        raise RequestError("Refused", diagnostics.diagnostics[0].summary)
    return dynamic_value.encode(signature.return_type.type.encode(result))


def _failure(text: str) -> pb.CallFunction.Response:
    # Terraform makes a sentence of it, with a full stop of its own.
    return pb.CallFunction.Response(error=pb.FunctionError(text=text.removesuffix(".")))
