"""A stand-in for Crusoe's own provider, as far as a `moved` block from it needs one.

Terraform starts the providers of everything in the state, if only for their schemas.
"""

import threading
from typing import Any

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import String
from tf.utils import Diagnostics

from crusoe_provider.host.provider import Provider
from crusoe_provider.host.resource import CreateContext, PlanContext, ReadContext, Resource, State
from crusoe_provider.host.serve import serve

COMPUTED = ("key_id", "access_key_id", "secret_access_key", "status", "created_at", "user_id")


class VendorProvider(Provider):
    def get_model_prefix(self) -> str:
        return "crusoe_"

    def full_name(self) -> str:
        return "registry.terraform.io/crusoecloud/crusoe"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        return Schema()

    def validate_config(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        pass

    def configure_provider(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        pass

    def get_resources(self) -> list[type[iface.Resource]]:
        return [S3Key]

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        return []


class S3Key(Resource):
    def __init__(self, provider: VendorProvider) -> None:
        pass

    @classmethod
    def get_name(cls) -> str:
        return "storage_s3_key"

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(
            attributes=[
                *(Attribute(name, String(), computed=True) for name in COMPUTED),
                *(Attribute(name, String(), optional=True) for name in ("alias", "expire_at")),
                Attribute("organization_id", String(), optional=True, computed=True),
            ]
        )

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

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State | None:
        raise NotImplementedError

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        raise NotImplementedError

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        raise NotImplementedError


def new_provider(stop: threading.Event) -> VendorProvider:
    del stop
    return VendorProvider()


if __name__ == "__main__":
    serve(new_provider)
