"""Stand-ins for other providers, as far as examples and `moved` blocks need them.

Terraform starts the providers of everything in a configuration and in its state, if only for their
schemas. Run as `stand_in_plugin.py SOURCE`.
"""

import sys
import threading
from collections.abc import Mapping
from typing import Any

from tf import iface
from tf.schema import Attribute, Block, NestedBlock, Schema
from tf.types import Bool, Map, Number, String, TfType
from tf.utils import Diagnostics

from crusoe_provider.providerserver.blocks import SingleNestedBlock
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import (
    CreateContext,
    DeleteContext,
    PlanContext,
    ReadContext,
    Resource,
    State,
    UpdateContext,
)
from crusoe_provider.providerserver.serve import serve
from crusoe_provider.providerserver.terraform import Terraform
from support.write_only import WriteOnly


def arguments(kind: TfType, *names: str) -> list[Attribute]:
    """Return optional attributes of one type."""
    return [Attribute(name, kind, optional=True) for name in names]


def block(name: str, *names: str) -> NestedBlock:
    """Return a block that may come once, with optional texts."""
    return SingleNestedBlock(name, Block(arguments(String(), *names)))


SKIPPED = ("credentials_validation", "metadata_api_check", "region_validation")
PROVIDERS: Mapping[str, Schema] = {
    "hashicorp/aws": Schema(
        attributes=[
            *arguments(String(), "region", "access_key", "secret_key"),
            *arguments(Bool(), "s3_use_path_style", "skip_requesting_account_id"),
            *arguments(Bool(), *(f"skip_{name}" for name in SKIPPED)),
        ],
        block_types=[block("endpoints", "s3")],
    ),
}
RESOURCES: Mapping[str, Mapping[str, Schema]] = {
    "crusoecloud/crusoe": {
        "crusoe_storage_s3_key": Schema(
            attributes=[
                *(
                    Attribute(name, String(), computed=True)
                    for name in ("key_id", "access_key_id", "secret_access_key", "status")
                ),
                *(Attribute(name, String(), computed=True) for name in ("created_at", "user_id")),
                *arguments(String(), "alias", "expire_at"),
                Attribute("organization_id", String(), optional=True, computed=True),
            ]
        )
    },
    "hashicorp/aws": {
        "aws_s3_object": Schema(attributes=arguments(String(), "bucket", "key", "content"))
    },
    "hashicorp/kubernetes": {
        "kubernetes_secret_v1": Schema(
            attributes=[
                WriteOnly("data_wo", Map(String()), optional=True),
                *arguments(Number(), "data_wo_revision"),
            ],
            block_types=[block("metadata", "name", "namespace")],
        )
    },
    "hashicorp/local": {
        "local_sensitive_file": Schema(
            attributes=arguments(String(), "filename", "file_permission", "content")
        )
    },
    "hashicorp/vault": {
        "vault_kv_secret_v2": Schema(
            attributes=[
                *arguments(String(), "mount", "name"),
                WriteOnly("data_json_wo", String(), optional=True),
                *arguments(Number(), "data_json_wo_version"),
            ]
        )
    },
}


class StandIn(Provider):
    def __init__(self, source: str) -> None:
        self._source = source

    def get_model_prefix(self) -> str:
        return f"{self._source.rpartition('/')[2]}_"

    def full_name(self) -> str:
        return f"registry.terraform.io/{self._source}"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        return PROVIDERS.get(self._source, Schema())

    def validate_config(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        pass

    def configure_provider(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        pass

    def get_resources(self) -> list[type[iface.Resource]]:
        return [self._resource(*item) for item in RESOURCES[self._source].items()]

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        return []

    def _resource(self, type_name: str, schema: Schema) -> type[iface.Resource]:
        name = type_name.removeprefix(self.get_model_prefix())

        class Named(StandInResource):
            @classmethod
            def get_name(cls) -> str:
                return name

            @classmethod
            def get_schema(cls) -> Schema:
                return schema

        return Named


class StandInResource(Resource):
    def __init__(self, provider: StandIn) -> None:
        pass

    def validate(self, diags: Diagnostics, type_name: str, config: dict[str, Any]) -> None:
        pass

    def plan(  # type: ignore[override]  # see Resource
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        return planned

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        raise NotImplementedError

    def read(  # type: ignore[override]  # see Resource
        self, ctx: ReadContext, current: State
    ) -> State | None:
        return current

    def update(  # type: ignore[override]  # see Resource
        self, ctx: UpdateContext, current: State, planned: State
    ) -> State | None:
        raise NotImplementedError

    def delete(  # type: ignore[override]  # see Resource
        self, ctx: DeleteContext, current: State
    ) -> None:
        raise NotImplementedError

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        raise NotImplementedError


def new_provider(stop: threading.Event, terraform: Terraform) -> StandIn:
    del stop, terraform
    return StandIn(sys.argv[1])


if __name__ == "__main__":
    serve(new_provider)
