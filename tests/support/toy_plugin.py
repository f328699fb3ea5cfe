"""A plugin with a toy provider, to test the provider server alone.

Started as a process of its own: `python toy_plugin.py FOLDER`. Its resource does what the `does`
attribute says; it tells of its progress, and waits for leave, through files in FOLDER.
"""

import errno
import os
import sys
import threading
from pathlib import Path
from typing import Any

from tf import iface
from tf.schema import Attribute, Block, Schema
from tf.types import Bool, List, Number, String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.providerserver.blocks import SingleNestedBlock
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import (
    CreateContext,
    PlanContext,
    PlanDestroyContext,
    ReadContext,
    Resource,
    State,
)
from crusoe_provider.providerserver.serve import serve
from crusoe_provider.providerserver.terraform import Terraform
from crusoe_provider.providerserver.types import Object

SECRET = "toy-secret-never-to-be-logged"


class ToyProvider(Provider):
    def __init__(self, stop: threading.Event, terraform: Terraform, folder: Path) -> None:
        self.stop = stop
        self.terraform = terraform
        self.folder = folder

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
        if config["fail"] is True:
            raise ValueError(SECRET)

    def get_resources(self) -> list[type[iface.Resource]]:
        return [Thing]

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

    def tell(self, event: str) -> None:
        with (self.provider.folder / "events").open("a") as events:
            events.write(f"{event}\n")

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
        if planned["does"] == "lack memory":
            raise MemoryError
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

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State | None:
        if planned["does"] == "fail in update":
            raise ValueError(SECRET)
        return planned

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        if current["does"] == "fail in delete":
            raise ValueError(SECRET)

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        if id == "broken":
            raise ValueError(SECRET)
        return {"id": id}

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


if __name__ == "__main__":
    serve(
        lambda stop, terraform: ToyProvider(stop, terraform, Path(sys.argv[1])),
        longest_end=float(os.environ.get("TOY_LONGEST_END", "60")),
    )
