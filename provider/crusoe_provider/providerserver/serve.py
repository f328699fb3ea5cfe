"""The plugin process: go-plugin's handshake, the gRPC server and its end.

The handshake is described in go-plugin's `docs/internals.md` and `server.go`: Terraform starts the
executable with a magic cookie in the environment and reads one line from its standard output,
`core version|protocol version|network|address|protocol|certificate`.
"""

import base64
import contextlib
import functools
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from crusoe_provider.providerserver import quick_start
from crusoe_provider.providerserver.certificate import new_certificate
from crusoe_provider.providerserver.lifetime import Host, Lifetime, Parent, end_within
from crusoe_provider.providerserver.log import Redactor, configure_logging

if TYPE_CHECKING:
    from _socket import socket

    from crusoe_provider.providerserver.plugin import Plugin
    from crusoe_provider.providerserver.provider import Provider
    from crusoe_provider.providerserver.terraform import Terraform

logger = logging.getLogger(__name__)

MAGIC_COOKIE: Final = "TF_PLUGIN_MAGIC_COOKIE"
_MAGIC_COOKIE_VALUE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
_CORE_PROTOCOL: Final = 1
_PROVIDER_PROTOCOL: Final = 6

# Threads are made as calls need them. Calls may wait for each other (a creation for a neighbour's
# deletion), so there must always be one more than Terraform's -parallelism, whatever that is.
_MAX_THREADS: Final = 4096
# Terraform has no limit of its own on a plan's size; grpc's 4 MiB would be felt.
_SERVER_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
# How long answers on their way may take once the process is to end.
_GRACE_SECONDS: Final = 1.0
# Longer than a call may take that has reached an API, and what follows it.
_LONGEST_END_SECONDS: Final = 150.0
# How long the interpreter may take to end.
_EXIT_SECONDS: Final = 5.0
# A socket's path must fit into 104 bytes on macOS, 108 on Linux.
_LONGEST_SOCKET_PATH: Final = 100
_PREFIX: Final = "tf-plugin-"
_SOCKET: Final = "/plugin"


@dataclass(frozen=True)
class WarmStart:
    """How later processes of this Terraform are to start from this one.

    Attributes:
        bound: The socket of the name under which they look for a nursery; see `warm_start/`.
        load: Loads what a process needs before its first call; this process does, before it forks.
        steps: What is loaded ahead after that, in this order; each takes a part of a second.
        idle_seconds: For how long a nursery that nobody asks for anything stays.
    """

    bound: "socket"
    load: Callable[[], object]
    steps: Sequence[Callable[[], object]] = ()
    idle_seconds: float = 120.0


class NotStartedByTerraformError(Exception):
    """The magic cookie is missing: a person, not Terraform, started the program."""


def serve(
    new_provider: "Callable[[threading.Event, Terraform], Provider]",
    *,
    environ: Mapping[str, str] = os.environ,
    longest_end: float = _LONGEST_END_SECONDS,
    find_host: Callable[[], Host] = Parent,
    warm_start: "WarmStart | None" = None,
) -> None:
    """Serve a provider until Terraform has no more use for it.

    Args:
        new_provider: Makes the provider, after the handshake; gets the event that is set when
            nothing new is to be started, and the Terraform that has started this process.
        environ: The environment that Terraform gave.
        longest_end: How many seconds the process may go on without Terraform, to finish what is
            under way and to give back what it holds.
        find_host: Finds the Terraform to serve; called when everything is ready but the handshake.
        warm_start: How later processes of this Terraform are to start from this one, if they are.

    Raises:
        NotStartedByTerraformError: Without the magic cookie.
    """
    if environ.get(MAGIC_COOKIE) != _MAGIC_COOKIE_VALUE:
        raise NotStartedByTerraformError
    serve_one = functools.partial(_serve_one, new_provider, environ, longest_end)
    if warm_start is not None:
        # Not before: with others it has nothing to do. And not later: what follows makes threads.
        from crusoe_provider.providerserver.warm_start.nursery import Plan, found  # noqa: PLC0415

        # Now, for both: the nursery would do the same work at the same time.
        _load(warm_start.load)
        plan = Plan(
            lambda ready: serve_one(ready.wait_for_launcher),
            (*warm_start.steps, _load_the_rest),
            longest_end,
            warm_start.idle_seconds,
        )
        found(warm_start.bound, plan)
    serve_one(find_host)


def _load(provider: Callable[[], object]) -> None:
    """Load what is needed until the first call is answered."""
    import grpc._server  # noqa: F401, PLC0415 - grpc itself loads it with the first server

    from crusoe_provider.providerserver import plugin, recent_creations, services, terraform  # noqa: F401, PLC0415

    provider()


def _load_the_rest() -> None:
    """Load what is needed where the protocol does not say what Terraform does."""
    from crusoe_provider.providerserver import command_line, processes  # noqa: F401, PLC0415


def _serve_one(
    new_provider: "Callable[[threading.Event, Terraform], Provider]",
    environ: Mapping[str, str],
    longest_end: float,
    find_host: Callable[[], Host],
) -> None:
    redactor = Redactor()
    configure_logging(environ, redactor, packages=[new_provider.__module__])
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_MAX_THREADS, thread_name_prefix="rpc"),
        options=_SERVER_OPTIONS,
    )
    # Terraform sends its certificate unless TF_DISABLE_PLUGIN_TLS is set, and then expects none.
    certificate, credentials = _secured() if "PLUGIN_CLIENT_CERT" in environ else ("", None)
    host = find_host()
    stop = threading.Event()
    lifetime = Lifetime(stop, host)
    lifetime.handle_signals()
    with _listening(server, credentials) as path:
        fields = (_CORE_PROTOCOL, _PROVIDER_PROTOCOL, "unix", path, "grpc", certificate)
        host.announce("|".join(map(str, fields)))
        # The socket takes connections from now on, and the server answers once it is started. So
        # what takes longer to import is imported while Terraform is busy connecting.
        from crusoe_provider.providerserver.plugin import Plugin  # noqa: PLC0415
        from crusoe_provider.providerserver.recent_creations import RecentCreations  # noqa: PLC0415
        from crusoe_provider.providerserver.services import add_services  # noqa: PLC0415
        from crusoe_provider.providerserver.terraform import Terraform  # noqa: PLC0415

        terraform = Terraform(host.terraform_pid, environ, plugin=host.plugin_pid)
        provider = new_provider(stop, terraform)
        provider.hide_with(redactor.hide)
        plugin = Plugin(provider, lifetime, RecentCreations(), terraform, hide=redactor.hide)
        add_services(server, plugin)
        others = set(threading.enumerate())
        started = _started(server)
        if started:
            quick_start.end()
            lifetime.wait_for_end(set(threading.enumerate()) - others)
    # The socket is gone by now, whatever comes.
    if not started:
        _leave(1)
    _finish(server, plugin, longest_end)


def _started(server: grpc.Server) -> bool:
    """Start the server; return whether that worked, and log why it did not."""
    try:
        server.start()
    except (RuntimeError, MemoryError) as exc:
        from crusoe_provider.providerserver.shortage import shortage_behind  # noqa: PLC0415

        lacking = shortage_behind(exc) or type(exc).__name__
        logger.error("The gRPC server could not be started for want of: %s", lacking)  # noqa: TRY400
        return False
    return True


def _leave(code: int) -> None:
    """End the process. A server that has died, or is half started, would keep it by its locks."""
    sys.stderr.flush()
    os._exit(code)


def _finish(server: grpc.Server, plugin: "Plugin", longest: float) -> None:
    """Finish what is under way, and give back what is still held; in bounded time."""
    end_within(longest)
    try:
        # One that has died holds locks for ever, and never says that it has stopped.
        if not plugin.lifetime.server_died:
            server.stop(grace=_GRACE_SECONDS).wait(2 * _GRACE_SECONDS)
    except Exception as exc:  # noqa: BLE001 - it takes a thread, which there may not be
        logger.error("The gRPC server could not be stopped: %s", type(exc).__name__)  # noqa: TRY400
    # grpc forgets a call whose peer is gone; the work behind it is finished all the same.
    plugin.lifetime.wait_for_calls(longest - 3 * _GRACE_SECONDS)
    gone_at = plugin.lifetime.gone_at
    undo = (lambda: plugin.creations.undo(gone_at)) if gone_at is not None else None
    for finish in filter(None, (undo, plugin.provider.finish)):
        try:
            finish()
        except Exception as exc:  # noqa: BLE001 - the rest is finished all the same
            logger.error("What was held is not given back: %s", type(exc).__name__)  # noqa: TRY400
    if plugin.lifetime.server_died:
        _leave(0)
    end_within(_EXIT_SECONDS)


def _secured() -> tuple[str, grpc.ServerCredentials]:
    """Return a new certificate as the handshake line has it, and the credentials with it."""
    certificate = new_certificate(datetime.now(UTC))
    credentials = grpc.ssl_server_credentials([(certificate.key_pem, certificate.pem)])
    return base64.b64encode(certificate.der).decode().rstrip("="), credentials


@contextlib.contextmanager
def _listening(server: grpc.Server, credentials: grpc.ServerCredentials | None) -> Iterator[str]:
    """Open the socket, in a folder that only this user can enter: that is the access control."""
    with _private_folder() as folder:
        path = f"{folder}{_SOCKET}"
        if credentials is None:
            server.add_insecure_port(f"unix:{path}")
        else:
            server.add_secure_port(f"unix:{path}", credentials)
        yield path


@contextlib.contextmanager
def _private_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    if len(os.fsencode(folder)) + len(_SOCKET) > _LONGEST_SOCKET_PATH:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp")
    try:
        yield folder
    finally:
        # grpc removes the socket when the server stops; it has not been started if that failed.
        # And something may have cleared the temporary folder meanwhile.
        for remove in (Path(f"{folder}{_SOCKET}").unlink, Path(folder).rmdir):
            with contextlib.suppress(OSError):
                remove()
