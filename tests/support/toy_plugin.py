"""A plugin with a toy provider, to test the provider server alone.

Started as a process of its own: `python toy_plugin.py FOLDER`; with warm starts by `warm_toy.py`.
Its resource does what the `does` attribute says; it tells of its progress, and waits for leave,
through files in FOLDER.
"""

import errno
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tf import iface
from tf.function import CallContext, Function, FunctionSignature, Parameter, Return
from tf.schema import Attribute, Block, Schema
from tf.types import Bool, List, Number, String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.providerserver.action import Action, ActionContext, Progress
from crusoe_provider.providerserver.blocks import SingleNestedBlock
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.identity import IdentityAttribute, IdentitySchema
from crusoe_provider.providerserver.list_resource import ListContext, ListResource, ListResult
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import (
    CreateContext,
    DeleteContext,
    ImportContext,
    MoveSource,
    PlanContext,
    PlanDestroyContext,
    ReadContext,
    Resource,
    State,
    UpdateContext,
)
from crusoe_provider.providerserver.serve import WarmStart, serve
from crusoe_provider.providerserver.terraform import Terraform
from crusoe_provider.providerserver.types import Object

logger = logging.getLogger(__name__)

CREDENTIAL = 'a "credential"\\n'
SECRET = "toy-secret-never-to-be-logged"


class Panic(BaseException):
    """No `Exception`, as a panic in a library that is written in Rust is none."""


class ToyProvider(Provider):
    def __init__(self, stop: threading.Event, terraform: Terraform, folder: Path) -> None:
        self.stop = stop
        self.terraform = terraform
        self.folder = folder

    def tell(self, event: str) -> None:
        with (self.folder / "events").open("a") as events:
            events.write(f"{event}\n")

    def hide_with(self, hide: Callable[[str], None]) -> None:
        hide(CREDENTIAL)

    def get_model_prefix(self) -> str:
        return "toy_"

    def full_name(self) -> str:
        return "example.com/toy/toy"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        return Schema(attributes=[Attribute("fail", Bool(), optional=True)])

    def validate_config(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        if config["fail"] is True:
            raise ValueError(SECRET)

    def configure_provider(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        logger.info("Configured with %s", CREDENTIAL)
        if config["fail"] is True:
            raise ValueError(SECRET)

    def get_resources(self) -> list[type[iface.Resource]]:
        return [Thing]

    def get_list_resources(self) -> list[type[ListResource]]:
        return [ThingList]

    def get_actions(self) -> list[type[Action]]:
        return [Poke]

    def get_functions(self) -> list[type[Function]]:
        return [Joined]

    def diagnose(self, error: BaseException) -> Diagnosis | None:
        if isinstance(error, KeyError):
            raise RuntimeError(SECRET)  # noqa: TRY004 - a defect of the diagnosis
        return None

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        return [Things]


class Thing(Resource):
    def __init__(self, provider: ToyProvider) -> None:
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        return "thing"

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(
            version=1,
            attributes=[
                Attribute("does", String(), optional=True),
                Attribute("name", String(), optional=True, requires_replace=True),
                Attribute("size", Number(), optional=True),
                Attribute("id", String(), computed=True),
                Attribute("secret", String(), computed=True, sensitive=True),
            ],
            block_types=[
                SingleNestedBlock(
                    "timeouts", Block(attributes=[Attribute("create", String(), optional=True)])
                )
            ],
        )

    @classmethod
    def identity_schema(cls) -> IdentitySchema:
        return IdentitySchema(
            version=1,
            attributes=[
                IdentityAttribute("id", String(), "The ID.", required_for_import=True),
                IdentityAttribute("place", String(), optional_for_import=True),
            ],
        )

    def identity(self, state: State) -> State | None:
        if state["does"] == "have no identity":
            return None
        return {"id": state["id"], "place": "here"}

    def upgrade_identity(self, version: int, old: State) -> State:
        return old | {"place": f"from version {version}"}

    def tell(self, event: str) -> None:
        self.provider.tell(event)

    def validate(self, diags: Diagnostics, type_name: str, config: dict[str, Any]) -> None:
        if config["name"] is Unknown:
            diags.add_warning("The name is unknown")
        if config["does"] == "fail in validate":
            raise ValueError(SECRET)
        if config["does"] == "print an undecodable text":
            diags.add_error("Bad \udcff text", "Also \ud800 here")
        if config["does"] == "print what is dangerous":
            diags.add_error("An \x1b[31malert", "See:\n::error::here")

    def plan(  # type: ignore[override]  # see Resource
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        self.tell(f"plan {'create' if current is None else 'update'} {sorted(ctx.changed_fields)}")
        if ctx.planned_private is not None:
            self.tell(f"planned before: {ctx.planned_private}")
        if planned["does"] == "tell the phase":
            self.tell(f"phase {self.provider.terraform.phase().name}")
        if planned["does"] == "fail in plan":
            raise ValueError(SECRET)
        if planned["does"] == "replace for size" and "size" in ctx.changed_fields:
            ctx.requires_replace.add("size")
        return planned

    def plan_destroy(self, ctx: PlanDestroyContext, current: State) -> None:
        self.tell("plan destroy")
        if current["does"] == "refuse destruction":
            ctx.diagnostics.add_error("Destruction refused")

    def observe(self, state: State) -> None:
        self.tell(f"observe {state['id']}")

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        self.tell("create")
        if planned["does"] == "fail before saving":
            raise ValueError(SECRET)
        state = planned | {"id": "1", "secret": SECRET}
        if planned["does"] == "wait for stop":
            self.provider.stop.wait()
            ctx.diagnostics.add_error("Stopped")
            return None
        if planned["does"] == "fail to be diagnosed":
            raise KeyError(SECRET)
        if planned["does"] == "lack memory":
            raise MemoryError
        if planned["does"] == "lack memory for a library":
            raise ImportError("libssl.so.3: failed to map segment from shared object")
        if planned["does"] == "lack files":
            raise ConnectionError("no") from OSError(errno.EMFILE, "Too many open files")
        if planned["does"] == "wait":
            (self.provider.folder / "go").read_bytes()  # a named pipe: returns when written to
        ctx.save(state)
        if planned["does"] == "fail after saving":
            raise ValueError(SECRET)
        if planned["does"] == "leave unknowns":
            state["size"] = Unknown
        return state

    def undo_create(self, state: State) -> None:
        self.tell(f"undo {state['id']}")

    def read(  # type: ignore[override]  # see Resource
        self, ctx: ReadContext, current: State
    ) -> State | None:
        if current["does"] == "fail in read":
            raise ValueError(SECRET)
        if current["does"] == "vanish":
            return None
        return current

    def update(  # type: ignore[override]  # see Resource
        self, ctx: UpdateContext, current: State, planned: State
    ) -> State | None:
        if planned["does"] == "fail in update":
            raise ValueError(SECRET)
        if planned["does"] == "fail between two steps":
            ctx.private["step"] = 1
            ctx.save(current | {"size": planned["size"]})
            raise ValueError(SECRET)
        return planned

    def undo_update(self, state: State, prior: State) -> None:
        self.tell(f"undo update from {prior['size']} to {state['size']}")

    def delete(  # type: ignore[override]  # see Resource
        self, ctx: DeleteContext, current: State
    ) -> None:
        if current["does"] == "fail in delete":
            raise ValueError(SECRET)
        if current["does"] == "panic":
            raise Panic(SECRET)

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        if id == "broken":
            raise ValueError(SECRET)
        if isinstance(ctx, ImportContext) and ctx.identity is not None:
            return {"id": ctx.identity["id"], "name": ctx.identity["place"]}
        return {"id": id}

    def move(self, diagnostics: Diagnostics, source: MoveSource) -> State | None:
        return {"id": source.state["number"]} if source.type_name == "other_thing" else None

    def upgrade(self, ctx: iface.UpgradeContext, version: int, old: State) -> State:
        return old | {"name": f"from version {version}"}


class Things(iface.DataSource):
    def __init__(self, provider: ToyProvider) -> None:
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        return "things"

    @classmethod
    def get_schema(cls) -> Schema:
        things = List(Object({"id": String(), "tags": List(Object({"key": String()}))}))
        return Schema(
            attributes=[
                Attribute("count_of", Number(), required=True),
                Attribute("things", things, computed=True),
            ]
        )

    def validate(self, diags: Diagnostics, type_name: str, config: dict[str, Any]) -> None:
        """Accept everything."""

    def read(self, ctx: iface.ReadDataContext, config: dict[str, Any]) -> dict[str, Any] | None:
        if config["count_of"] < 0:
            raise ValueError(SECRET)
        return config | {"things": [{"id": str(n)} for n in range(int(config["count_of"]))]}


class ThingList(ListResource):
    def __init__(self, provider: object) -> None:
        assert isinstance(provider, ToyProvider)
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        return "thing"

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(
            attributes=[
                Attribute("many", Number(), optional=True),
                Attribute("does", String(), optional=True),
            ]
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        if config["many"] == 0:
            diags.add_error("Too few", path=["many"])

    def list(
        self, ctx: ListContext, config: State, *, include_resource: bool, limit: int
    ) -> Iterator[ListResult]:
        self.provider.tell(f"list {limit}")
        if config["does"] == "warn":
            ctx.diagnostics.add_warning("Old things are left out")
        if config["does"] == "refuse":
            ctx.diagnostics.add_error("Not now")
            return
        if config["does"] == "wait for stop":
            self.provider.stop.wait()
            ctx.diagnostics.add_error("Stopped")
        for n in range(int(config["many"] or 0)):
            if n == 2 and config["does"] == "fail in the middle":
                raise ValueError(SECRET)
            if config["does"] == "panic":
                raise Panic(SECRET)
            place = None if config["does"] == "be incomplete" else "here"
            state = {"id": str(n), "secret": SECRET} if include_resource else None
            yield ListResult({"id": str(n), "place": place}, f"thing\x1b {n}", state)


class Poke(Action):
    def __init__(self, provider: object) -> None:
        assert isinstance(provider, ToyProvider)
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        return "poke"

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(attributes=[Attribute("does", String(), required=True)])

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        if config["does"] == "fail in validate":
            raise ValueError(SECRET)

    def plan(self, ctx: ActionContext, config: State) -> None:
        if config["does"] is None:
            ctx.diagnostics.add_error("Nothing to do", path=["does"])
        if config["does"] is Unknown:
            ctx.diagnostics.add_warning("Not known yet")

    def invoke(self, ctx: ActionContext, config: State, progress: Progress) -> None:
        self.plan(ctx, config)
        progress("Poking\n::error::")
        if config["does"] == "fail in the middle":
            raise ValueError(SECRET)
        if config["does"] == "panic":
            raise Panic(SECRET)
        if config["does"] == "wait":
            (self.provider.folder / "go").read_bytes()
        if config["does"] == "wait for stop":
            self.provider.stop.wait()
            ctx.diagnostics.add_error("Stopped")
        progress("Poked")
        self.provider.tell("poked")


class Joined(Function):
    def __init__(self, provider: object) -> None:
        """Need nothing."""

    @classmethod
    def get_name(cls) -> str:
        return "joined"

    @classmethod
    def get_signature(cls) -> FunctionSignature:
        return FunctionSignature(
            parameters=[Parameter("between", String())],
            variadic_parameter=Parameter("parts", String()),
            return_type=Return(String()),
        )

    def call(self, ctx: CallContext, arguments: list[Any]) -> str:
        between, *parts = arguments
        if between == "fail":
            raise ValueError(SECRET)
        if between == "panic":
            raise Panic(SECRET)
        if not between:
            ctx.diagnostics.add_error("between is empty.", path=["between"])
        if "" in parts:
            ctx.diagnostics.add_error("A part is empty", "Leave it out", path=["parts"])
        return str(between).join(parts)


def main(warm_start: WarmStart | None = None) -> NoReturn:
    """Serve the toy provider, with the folder that the command line names."""
    if "TOY_WITHOUT_IMPORT" in os.environ:
        Thing.import_ = iface.Resource.import_  # type: ignore[method-assign]  # as if there were none
    serve(
        lambda stop, terraform: ToyProvider(stop, terraform, Path(sys.argv[1])),
        longest_end=float(os.environ.get("TOY_LONGEST_END", "60")),
        warm_start=warm_start,
    )
    # The interpreter would wait for the threads of a server that has died.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
