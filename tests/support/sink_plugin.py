"""A provider that takes a secret in a write-only argument, and puts it into a file.

Another revision makes the object anew, with the secret that the argument has then.

Started as a plugin by Terraform; the environment variable `SINK_FILE` names the file.
"""

import os
import threading
from pathlib import Path
from typing import Any

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import Number, String
from tf.utils import Diagnostics

from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import (
    CreateContext,
    PlanContext,
    ReadContext,
    Resource,
    State,
)
from crusoe_provider.providerserver.serve import serve
from crusoe_provider.providerserver.terraform import Terraform
from support.write_only import WriteOnly

SOURCE = "example/sink"
SINK_FILE = "SINK_FILE"


class SinkProvider(Provider):
    def get_model_prefix(self) -> str:
        return "sink_"

    def full_name(self) -> str:
        return f"registry.terraform.io/{SOURCE}"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        return Schema()

    def validate_config(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        pass

    def configure_provider(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        pass

    def get_resources(self) -> list[type[iface.Resource]]:
        return [Sink]

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        return []


class Sink(Resource):
    def __init__(self, provider: SinkProvider) -> None:
        pass

    @classmethod
    def get_name(cls) -> str:
        return "secret"

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(
            attributes=[
                WriteOnly("value_wo", String(), optional=True),
                Attribute("value_wo_revision", Number(), optional=True, requires_replace=True),
            ]
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        pass

    def plan(  # type: ignore[override]  # see Resource
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        return planned | {"value_wo": None}

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        Path(os.environ[SINK_FILE]).write_text(ctx.config["value_wo"])
        return planned

    def read(  # type: ignore[override]  # see Resource
        self, ctx: ReadContext, current: State
    ) -> State | None:
        return current

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State | None:
        return planned

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        pass

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        raise NotImplementedError


def new_provider(stop: threading.Event, terraform: Terraform) -> SinkProvider:
    del stop, terraform
    return SinkProvider()


if __name__ == "__main__":
    serve(new_provider)
