"""One remote procedure call: its request, the response as far as it got, its diagnostics."""

import functools
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import grpc
from tf.utils import Diagnostics

from crusoe_provider.providerserver.errors import add_diagnostics, add_exception

if TYPE_CHECKING:
    from crusoe_provider.providerserver.provider import Provider

logger = logging.getLogger(__name__)

Request = TypeVar("Request")
Response = TypeVar("Response")


class Call(NamedTuple, Generic[Request, Response]):
    """A call being served.

    Attributes:
        request: What Terraform sent.
        response: What it will get; filled as the work proceeds. Whatever stands in it when an
            exception comes is still sent.
        diagnostics: Errors and warnings, sent with the response.
        peer_gone: Says whether nobody is left to take the response.
    """

    request: Request
    response: Response
    diagnostics: Diagnostics
    peer_gone: Callable[[], bool]


def rpc(
    response_type: type[Response],
) -> Callable[
    [Callable[[Any, Call[Any, Response]], None]],
    Callable[[Any, Any, grpc.ServicerContext], Response],
]:
    """Make a gRPC method of a function that fills the response of a `Call`.

    The method never raises: an exception becomes an error diagnostic beside what the response
    already holds. The process stays alive until it is done, whoever is left to take the answer.
    Its duration is logged.

    Args:
        response_type: The message to answer with; it has a field `diagnostics`.
    """

    def decorate(
        handler: Callable[[Any, Call[Any, Response]], None],
    ) -> Callable[[Any, Any, grpc.ServicerContext], Response]:
        @functools.wraps(handler)
        def serve(servicer: Any, request: Any, context: grpc.ServicerContext) -> Response:
            started = time.monotonic()
            call = Call(request, response_type(), Diagnostics(), lambda: not context.is_active())
            provider: Provider = servicer.provider
            with servicer.lifetime.call(), provider.in_flight():
                try:
                    handler(servicer, call)
                except Exception as exc:  # noqa: BLE001 - the boundary: it becomes a diagnostic
                    add_exception(call.diagnostics, handler.__name__, exc, provider.diagnose)
            response: Any = call.response
            add_diagnostics(response, call.diagnostics)
            logger.debug(
                "Served an RPC",
                extra={
                    "rpc": handler.__name__,
                    "type_name": getattr(request, "type_name", ""),
                    "duration_ms": round((time.monotonic() - started) * 1000, 1),
                    "errors": call.diagnostics.has_errors(),
                },
            )
            return call.response

        return serve

    return decorate
