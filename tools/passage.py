"""Count the modules of the provider that the creation of one token passes through.

    PYTHONPATH=tools python tools/passage.py

What is counted is one `ApplyResourceChange` for a new `crusoe_storage_token`, on a local API, from
the request to the response, in every thread:

- **on the way**: modules of which a function is on the stack when the POST is sent, from the RPC
  down to the connection. These are what a create passes through.
- **asked beside**: modules of which a function runs and returns before or after that.

A module that is only imported runs no function, and neither does one of which only a value is made,
by what a dataclass or a named tuple has written.
"""

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType, SimpleNamespace
from typing import Any, Final

import grpc
from google.protobuf.message_factory import GetMessageClass
from tf.types import Unknown

from crusoe_provider.provider.provider import CrusoeProvider
from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.lifetime import Lifetime, Parent
from crusoe_provider.providerserver.plugin import Plugin
from crusoe_provider.providerserver.recent_creations import RecentCreations
from crusoe_provider.providerserver.services import add_services
from crusoe_provider.providerserver.terraform import Phase, Terraform
from crusoe_simulator.server import Simulator
from harness.sandbox import variables_of

PACKAGE: Final = "crusoe_provider."
TYPE: Final = "crusoe_storage_token"
ARGUMENTS: Final = {"alias": "ci-uploads"}
NULL: Final = dynamic_value.encode(None)


@dataclass
class Passage:
    """What an RPC has come by.

    Attributes:
        way: The modules on the way to the POST, from the top down, without the package's name.
        modules: All modules of which a function has run.
        calls: How many times a function was entered; a generator each time that it goes on.
        crossings: How many of these times from another module.
    """

    way: list[str] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    calls: int = 0
    crossings: int = 0

    @property
    def beside(self) -> set[str]:
        """The modules that were asked beside the way."""
        return self.modules - set(self.way)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record what runs in the body, also in the threads that it starts."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        module = _module_of(frame)
        if event != "call" or module is None:
            return
        above = _modules_above(frame)
        self.modules.add(module)
        self.calls += 1
        self.crossings += bool(above) and above[0] != module
        if frame.f_code.co_name == "handle_request" and frame.f_locals["request"].method == "POST":
            # Each where it comes first: the way may lead through one twice.
            self.way = list(dict.fromkeys([*reversed(above), module]))


def _module_of(frame: FrameType) -> str | None:
    """Return the module of ours to which a function belongs, by its name in the package."""
    name = str(frame.f_globals.get("__name__", ""))
    generated = frame.f_code.co_filename.startswith("<")
    if not name.startswith(PACKAGE) or generated or frame.f_code.co_name == "<module>":
        return None
    return name.removeprefix(PACKAGE)


def _modules_above(frame: FrameType) -> list[str]:
    """Return the modules of ours on the stack above a frame, the nearest first."""
    found, caller = [], frame.f_back
    while caller is not None:
        found.append(_module_of(caller))
        caller = caller.f_back
    return [module for module in found if module is not None]


class _Handlers:
    """In the place of a gRPC server: serves in the thread of whoever calls."""

    def __init__(self) -> None:
        self._handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: tuple[grpc.GenericRpcHandler, ...]) -> None:
        self._handlers += handlers

    def add_registered_method_handlers(self, *_: Any) -> None:
        """Those have another way to the same."""

    def call(self, name: str, passage: Passage, **fields: Any) -> Any:
        """Call an RPC of the provider, record it, and return the response."""
        method = pb.DESCRIPTOR.services_by_name["Provider"].methods_by_name[name]
        message = GetMessageClass(method.input_type)(**fields).SerializeToString()
        details: Any = SimpleNamespace(method=f"/tfplugin6.Provider/{name}")
        handler: Any = self._handlers[0].service(details)
        request = handler.request_deserializer(message)
        with passage.recorded():
            response = handler.unary_unary(request, SimpleNamespace(is_active=lambda: True))
        for diagnostic in response.diagnostics:
            raise RuntimeError(f"{name}: {diagnostic.summary}: {diagnostic.detail}")
        return response


class _Terraform(Terraform):
    """A Terraform whose phase is known."""

    def __init__(self, environ: Mapping[str, str], phase: Phase) -> None:
        super().__init__(os.getpid(), environ)
        self._known = phase

    def phase(self) -> Phase:
        return self._known


@contextmanager
def _started(environ: Mapping[str, str], phase: Phase, passage: Passage) -> Iterator[_Handlers]:
    """Start a plugin that is configured, as the process is of a plan or of an apply."""
    stop, terraform = threading.Event(), _Terraform(environ, phase)
    provider = CrusoeProvider(stop=stop, environ=environ, home=None, terraform=terraform)
    lifetime = Lifetime(stop, Parent(output=0))
    plugin = Plugin(provider, lifetime, RecentCreations(), terraform, hide=lambda _secret: None)
    handlers = _Handlers()
    add_services(handlers, plugin)  # type: ignore[arg-type]  # all that it is asked for
    handlers.call("ConfigureProvider", passage, config=NULL)
    try:
        yield handlers
    finally:
        # In a process of its own the end would close its connections.
        provider._sessions.get().account._client.close()  # noqa: SLF001


def create_one(environ: Mapping[str, str]) -> dict[str, Passage]:
    """Create one token with the settings of an environment; return what each RPC came by.

    As with Terraform a plan has a process of its own, and the apply plans once more in its own.
    """
    passages = {
        name: Passage()
        for name in ("ConfigureProvider", "PlanResourceChange", "ApplyResourceChange")
    }
    configure, plan, apply = passages.values()
    with _started(environ, Phase.PLANNING, configure) as plugin:
        schema = plugin.call("GetProviderSchema", Passage()).resource_schemas[TYPE].block
        names = [a.name for a in schema.attributes] + [b.type_name for b in schema.block_types]
        given = dict.fromkeys(names) | ARGUMENTS
        computed = {a.name: Unknown for a in schema.attributes if a.computed}
        request = {
            "type_name": TYPE,
            "prior_state": NULL,
            "proposed_new_state": dynamic_value.encode(given | computed),
            "config": dynamic_value.encode(given),
        }
        plugin.call("PlanResourceChange", plan, **request)
    with _started(environ, Phase.APPLYING, Passage()) as plugin:
        planned = plugin.call("PlanResourceChange", Passage(), **request)
        plugin.call(
            "ApplyResourceChange",
            apply,
            type_name=TYPE,
            prior_state=NULL,
            planned_state=planned.planned_state,
            config=request["config"],
            planned_private=planned.planned_private,
        )
    return passages


def measure() -> dict[str, Passage]:
    """Create one token on a local API; see `create_one`."""
    with Simulator() as simulator:
        organization = simulator.cloud.add_organization("acme")
        user = simulator.cloud.add_user("dev@acme.example", organization)
        return create_one(variables_of(user, simulator))


def main() -> int:
    """Print what a create passes through, by room."""
    passage = measure()["ApplyResourceChange"]
    print(f"One create enters {passage.calls} functions, {passage.crossings} from another module.")
    print(f"\nOn the way to the POST it passes through {len(passage.way)} modules:")
    for module in passage.way:
        print(f"  {module}")
    print(f"\nBeside it {len(passage.beside)} are asked:")
    for room in ("providerserver", "provider", "tokens", "api"):
        found = sorted(m.partition(".")[2] for m in passage.beside if m.startswith(f"{room}."))
        print(f"  {room} ({len(found)}): {', '.join(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
