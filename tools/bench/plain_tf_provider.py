"""A storage token on `tf` alone, as its documentation suggests, to compare the plugin host with.

It uses the same client of the Crusoe API, and nothing of `crusoe_provider.providerserver`.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

from tf import iface
from tf.runner import run_provider
from tf.schema import Attribute, Schema
from tf.types import String
from tf.utils import Diagnostics

from crusoe_provider.api.account import Account
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.provider.configuration import resolve
from crusoe_provider.provider.provider_block import ProviderBlock

State = dict[str, Any]


class PlainProvider(iface.Provider):
    """The provider."""

    def __init__(self) -> None:
        self.account: Account | None = None

    def get_model_prefix(self) -> str:
        """Return what every type name begins with."""
        return "crusoe_"

    def full_name(self) -> str:
        """Return the source address."""
        return "registry.terraform.io/crusoe-community/crusoe"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        """Return an empty schema: settings come from the environment."""
        del diags
        return Schema()

    def validate_config(self, diags: Diagnostics, config: State) -> None:
        """Accept anything."""

    def configure_provider(self, diags: Diagnostics, config: State) -> None:
        """Make the client."""
        del diags, config
        settings = resolve(ProviderBlock(), environ=os.environ, home=Path.home())
        client = CrusoeClient(settings, stop=threading.Event())
        self.account = Account(client, organization_id=settings.organization_id)

    def get_resources(self) -> list[type[iface.Resource]]:
        """Return the resource types."""
        return [PlainToken]

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        """Return none."""
        return []


class PlainToken(iface.Resource):
    """The resource."""

    def __init__(self, provider: PlainProvider) -> None:
        self._provider = provider

    @property
    def _account(self) -> Account:
        assert self._provider.account  # noqa: S101 - Terraform configures first
        return self._provider.account

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_token"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            attributes=[
                Attribute("alias", String(), optional=True, requires_replace=True),
                Attribute("id", String(), computed=True),
                Attribute("access_key_id", String(), computed=True),
                Attribute("secret_key", String(), computed=True, sensitive=True),
            ]
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the length of the alias, as any provider might."""
        del type_name
        alias = config["alias"]
        if alias is not None and not isinstance(alias, str) and type(alias).__name__ == "ExtType":
            diags.add_error("Alias is no text", f"It is a {type(alias).__name__}.", path=["alias"])

    def plan(self, ctx: iface.PlanContext, current: State | None, planned: State) -> State:
        """Plan what is proposed."""
        del ctx, current
        return planned

    def create(self, ctx: iface.CreateContext, planned: State) -> State:
        """Create the key, then find its ID in the list."""
        del ctx
        organization = self._account.organization_id()
        key = self._account.create_key(organization, alias=planned["alias"], expire_at=None)
        listed = self._find(key.access_key_id)
        return planned | {
            "id": listed.key_uuid,
            "access_key_id": key.access_key_id,
            "secret_key": key.secret_key,
        }

    def read(self, ctx: iface.ReadContext, current: State) -> State:
        """Keep the state."""
        del ctx
        return current

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State:
        """Change nothing."""
        del ctx, current
        return planned

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        """Delete the key."""
        del ctx
        self._account.delete_key(self._account.organization_id(), current["access_key_id"])

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        """Import nothing."""
        del ctx, id
        return None

    def _find(self, access_key_id: str) -> Any:
        keys = self._account.keys(self._account.organization_id())
        return next(key for key in keys if key.access_key_id == access_key_id)


if __name__ == "__main__":
    run_provider(PlainProvider(), sys.argv)
