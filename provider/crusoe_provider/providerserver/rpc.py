"""One remote procedure call: its request, the response as far as it got, its diagnostics."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import grpc
from tf.utils import Diagnostics

from crusoe_provider.providerserver.errors import add_exception, messages_of
from crusoe_provider.providerserver.plugin import Plugin

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


class Servicer:
    """Serves some of the RPCs: each is a method of its name.

    Args:
        plugin: What all servicers share.
    """

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin


def work(
    plugin: Plugin, rpc_name: str, request: Any, diagnostics: Diagnostics, body: Callable[[], None]
) -> None:
    """Do the work of a call: never raise, keep the process alive meanwhile, log the duration.

    Args:
        plugin: The plugin.
        rpc_name: The name of the call.
        request: What Terraform sent.
        diagnostics: Gets an error for an exception.
        body: The work.
    """
    started = time.monotonic()
    with plugin.lifetime.call():
        try:
            with plugin.provider.in_flight():
                body()
        # Whatever it is, or grpc would never answer the call: a panic in a library of Rust, for
        # one, is no Exception.
        except BaseException as exc:  # noqa: BLE001 - the boundary: it becomes a diagnostic
            add_exception(diagnostics, rpc_name, exc, plugin.provider)
    logger.debug(
        "Served an RPC",
        extra={
            "rpc": rpc_name,
            "type_name": getattr(request, "type_name", ""),
            "duration_ms": round((time.monotonic() - started) * 1000, 1),
            "errors": diagnostics.has_errors(),
        },
    )


def rpc(
    handler: Callable[[Any, Call[Any, Any]], None],
) -> Callable[[Any, Any, Any, grpc.ServicerContext], Any]:
    """Make a gRPC method of a function that fills the response of a `Call`.

    The method never raises: an exception becomes an error diagnostic beside what the response
    already holds. The process stays alive until it is done, whoever is left to take the answer.
    """

    @functools.wraps(handler)
    def serve(
        servicer: Servicer, request: Any, response: Any, context: grpc.ServicerContext
    ) -> Any:
        call = Call(request, response, Diagnostics(), lambda: not context.is_active())
        work(
            servicer.plugin,
            handler.__name__,
            request,
            call.diagnostics,
            lambda: handler(servicer, call),
        )
        response.diagnostics.extend(messages_of(call.diagnostics))
        return response

    return serve
