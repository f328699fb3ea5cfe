"""The provider `crusoe`: its block, and what its resources and data sources share."""

import threading
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import Number, String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.api.config import (
    DEFAULT_ENDPOINT,
    ProviderBlock,
    Settings,
    block_problems,
    resolve,
)
from crusoe_provider.api.errors import ConfigurationError
from crusoe_provider.elements.data_source_storage_tokens import StorageTokensDataSource
from crusoe_provider.elements.diagnostics import add_problems
from crusoe_provider.elements.resource_storage_token import StorageTokenResource
from crusoe_provider.elements.token_creation import TokenCreation
from crusoe_provider.elements.token_import import SECRET_VARIABLE
from crusoe_provider.host.resource import State

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account

_BLOCK_ATTRIBUTES: Final = frozenset(field.name for field in fields(ProviderBlock))
# Without these there is no telling whom to ask.
_ACCOUNT_ATTRIBUTES: Final = frozenset({"profile", "api_endpoint", "access_key_id", "secret_key"})


class CrusoeProvider(iface.Provider):
    """One provider block, in one process.

    Args:
        stop: Set when nothing new is to be started.
        environ: The environment to take settings from.
        home: The home folder, for `.crusoe/config`; `None` when there is none.

    Attributes:
        account: The caller's account at Crusoe. `None` while the block depends on resources that
            do not exist yet, which happens in plans only.
        credentials: Where the credentials in use come from, in words.
        organization_unknown: Whether the block's organization depends on such a resource.
    """

    def __init__(
        self, *, stop: threading.Event, environ: Mapping[str, str], home: Path | None
    ) -> None:
        self._stop = stop
        self._environ = environ
        self._home = home
        self.account: Account | None = None
        self.credentials = ""
        self.organization_unknown = False
        self._creations: dict[str, TokenCreation] = {}
        self._creations_lock = threading.Lock()

    def get_model_prefix(self) -> str:
        """Return what every type name begins with."""
        return "crusoe_"

    def full_name(self) -> str:
        """Return the source address."""
        return "registry.terraform.io/crusoe-community/crusoe"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        """Return the schema of the provider block."""
        del diags
        return Schema(
            description=(
                "Manages the API keys of Crusoe Cloud Object Storage. Every argument is optional: "
                "what is not set here comes from the environment, then from the profile in "
                "`~/.crusoe/config` that the Crusoe CLI uses."
            ),
            attributes=[
                Attribute(
                    "profile",
                    String(),
                    optional=True,
                    description=(
                        "Profile of `~/.crusoe/config` to use. A profile named here goes before "
                        "credentials and endpoint in the environment. Default: `CRUSOE_PROFILE`, "
                        "then the file's own `profile`, then `default`. Example: `work`."
                    ),
                ),
                Attribute(
                    "api_endpoint",
                    String(),
                    optional=True,
                    description=(
                        "Base URL of the API; HTTPS, except on loopback. Default: "
                        "`CRUSOE_API_ENDPOINT`, then the profile's `api_endpoint`, then "
                        f"`{DEFAULT_ENDPOINT}`."
                    ),
                ),
                Attribute(
                    "access_key_id",
                    String(),
                    optional=True,
                    description=(
                        "Access key ID of the Crusoe API key that this provider signs its requests "
                        "with; set it together with `secret_key`. Default: `CRUSOE_ACCESS_KEY_ID` "
                        "with `CRUSOE_SECRET_KEY`, then the profile. Not to be confused with the "
                        "storage tokens that the provider manages."
                    ),
                ),
                Attribute(
                    "secret_key",
                    String(),
                    optional=True,
                    sensitive=True,
                    description=(
                        "Secret of the Crusoe API key in `access_key_id`. Prefer the environment "
                        "or a profile: a secret written here stands in the configuration."
                    ),
                ),
                Attribute(
                    "organization_id",
                    String(),
                    optional=True,
                    description=(
                        "ID (a UUID) of the organization for resources that do not name one. "
                        "Default: `CRUSOE_ORGANIZATION_ID`, then the only organization of the user."
                    ),
                ),
                Attribute(
                    "request_timeout",
                    String(),
                    optional=True,
                    description=(
                        "How long one request may take, as a duration from `1s` to `10m`. "
                        "Default: `30s`."
                    ),
                ),
                Attribute(
                    "max_retries",
                    Number(),
                    optional=True,
                    description=(
                        "How often a failed reading or deleting request is tried again, from 0 to "
                        "10; a creation never is. Default: 3."
                    ),
                ),
            ],
        )

    def validate_config(self, diags: Diagnostics, config: State) -> None:
        """Check what is known of the provider block, without looking at files or environment."""
        block, _ = _provider_block(config)
        add_problems(diags, block_problems(block))

    def configure_provider(self, diags: Diagnostics, config: State) -> None:
        """Settle the configuration; no request is sent."""
        block, unknown = _provider_block(config)
        self.organization_unknown = "organization_id" in unknown
        if unknown & _ACCOUNT_ATTRIBUTES:
            return
        try:
            settings = resolve(block, environ=self._environ, home=self._home)
        except ConfigurationError as error:
            add_problems(diags, error.problems)
            return
        self.credentials = settings.credentials_source
        self.account = _new_account(settings, self._stop)

    def imported_secret(self) -> str | None:
        """Return the secret that the environment gives for the token that is imported."""
        return self._environ.get(SECRET_VARIABLE, "").strip() or None

    def token_creation(self, organization_id: str) -> TokenCreation:
        """Return the one place where tokens of `organization_id` are created."""
        if self.account is None:
            raise AssertionError("Terraform applies with a known configuration only")
        with self._creations_lock:
            if organization_id not in self._creations:
                creation = TokenCreation(self.account, organization_id, self._stop)
                self._creations[organization_id] = creation
            return self._creations[organization_id]

    def get_resources(self) -> list[type[iface.Resource]]:
        """Return the resource types."""
        return [StorageTokenResource]

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        """Return the data source types."""
        return [StorageTokensDataSource]


def _provider_block(config: dict[str, Any]) -> tuple[ProviderBlock, frozenset[str]]:
    """Return the block with unknown values left out, and the names of those."""
    values = {name: value for name, value in config.items() if name in _BLOCK_ATTRIBUTES}
    unknown = frozenset(name for name, value in values.items() if value is Unknown)
    return ProviderBlock(**{k: v for k, v in values.items() if k not in unknown}), unknown


def _new_account(settings: Settings, stop: threading.Event) -> "Account":
    # httpx takes longer to import than all the rest, and a schema or a validation needs none.
    from crusoe_provider.api.account import Account  # noqa: PLC0415
    from crusoe_provider.api.client import CrusoeClient  # noqa: PLC0415

    return Account(CrusoeClient(settings, stop=stop), organization_id=settings.organization_id)
