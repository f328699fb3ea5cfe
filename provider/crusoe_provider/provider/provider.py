"""The provider `crusoe`: its block, and what its resources and data sources share."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tf import iface
from tf.function import Function
from tf.schema import Attribute, Schema
from tf.types import Number, String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.api import settings as defaults
from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.data_source_storage_token import StorageTokenDataSource
from crusoe_provider.provider.data_source_storage_tokens import StorageTokensDataSource
from crusoe_provider.provider.diagnostics import add_problems
from crusoe_provider.provider.ephemeral_storage_token import EphemeralStorageToken
from crusoe_provider.provider.function_credentials_file import CredentialsFileFunction
from crusoe_provider.provider.problems import ConfigurationError
from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.provider.token_import import SECRET_VARIABLE
from crusoe_provider.providerserver.ephemeral import EphemeralResource
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import State
from crusoe_provider.providerserver.terraform import TerraformProcess
from crusoe_provider.tokens.creation import TokenCreation
from crusoe_provider.tokens.in_flight import Activity
from crusoe_provider.tokens.quota import KeySlots

if TYPE_CHECKING:
    from pathlib import Path

    from crusoe_provider.api.account import Account
    from crusoe_provider.api.settings import Settings
    from crusoe_provider.provider.provider_block import ProviderBlock

# Terraform starts a plugin for its schema, again to validate, and again to plan. So what only a
# later step needs is imported by that step: the configuration, and above all httpx.

logger = logging.getLogger(__name__)

# Without these there is no telling whom to ask.
_ACCOUNT_ATTRIBUTES: Final = frozenset({"profile", "api_endpoint", "access_key_id", "secret_key"})
_PAIR: Final = frozenset({"access_key_id", "secret_key"})
# What Crusoe documents: two keys per user in an organization.
_DEFAULT_KEY_LIMIT: Final = 2
_HIGHEST_KEY_LIMIT: Final = 1000


class CrusoeProvider(Provider):
    """One provider block, in one process.

    Args:
        stop: Set when nothing new is to be started.
        environ: The environment to take settings from.
        home: The home folder, for `.crusoe/config`; `None` when there is none.
        terraform: The Terraform that has started this process.
        now: The clock, aware.

    Attributes:
        account: The caller's account at Crusoe. `None` while the block depends on resources that
            do not exist yet, which happens in plans only.
        credentials: Where the credentials in use come from, in words.
        organization_unknown: Whether the block's organization depends on such a resource.
        activity: The calls under way.
        key_limit: How many keys the caller may have in an organization; 0 for no check.
    """

    def __init__(
        self,
        *,
        stop: threading.Event,
        environ: Mapping[str, str],
        home: "Path | None",
        terraform: TerraformProcess,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stop = stop
        self._environ = environ
        self._home = home
        self.terraform = terraform
        self.now = now
        self.account: Account | None = None
        self.credentials = ""
        self.organization_unknown = False
        self.activity = Activity(stop)
        self.key_limit = _DEFAULT_KEY_LIMIT
        self._slots: dict[str, KeySlots] = {}
        self._topics: set[str] = set()
        self._open_tokens: dict[str, str] = {}
        self._lock = threading.Lock()

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
                        f"`{defaults.ENDPOINT}`. Example: `https://api.cloud.crusoe.ai/v1`."
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
                        "storage tokens that the provider manages. Example: "
                        "`uK5RZPYxQ3yzVwTnmLbNzA`."
                    ),
                ),
                Attribute(
                    "secret_key",
                    String(),
                    optional=True,
                    sensitive=True,
                    description=(
                        "Secret of the Crusoe API key in `access_key_id`. Default: see there. "
                        "Prefer the environment or a profile: a secret written here stands in the "
                        "configuration."
                    ),
                ),
                Attribute(
                    "organization_id",
                    String(),
                    optional=True,
                    description=(
                        "ID (a UUID) of the organization for resources that do not name one. "
                        "Default: `CRUSOE_ORGANIZATION_ID`, then the only organization of the "
                        "user. Example: `ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab`."
                    ),
                ),
                Attribute(
                    "request_timeout",
                    String(),
                    optional=True,
                    description=(
                        "How long one request may take, as a duration from `1s` to `10m`. "
                        "Default: `30s`. Example: `1m`."
                    ),
                ),
                Attribute(
                    "max_retries",
                    Number(),
                    optional=True,
                    description=(
                        "How often a failed reading or deleting request is tried again, from 0 to "
                        "10; a creation never is. Default: `3`. Example: `5`."
                    ),
                ),
                Attribute(
                    "key_limit",
                    Number(),
                    optional=True,
                    description=(
                        "How many storage tokens Crusoe lets a user have in an organization. Plans "
                        "that need more are refused before anything is changed. 0 switches the "
                        "check off. Default: `2`. Example: `4`."
                    ),
                ),
            ],
        )

    def validate_config(self, diags: Diagnostics, config: State) -> None:
        """Check what is known of the provider block, without looking at files or environment."""
        from crusoe_provider.provider.provider_block import block_problems  # noqa: PLC0415 - see above

        _, unknown = _provider_block(config)
        if unknown & _PAIR:
            # The known half is not alone: the other one will be known in time.
            config = config | dict.fromkeys(_PAIR)
        block, _ = _provider_block(config)
        add_problems(diags, block_problems(block))
        limit = config.get("key_limit")
        if isinstance(limit, int | float) and not (
            0 <= limit <= _HIGHEST_KEY_LIMIT and limit == int(limit)
        ):
            diags.add_error(
                "Invalid key limit",
                f"The limit must be a whole number from 0 to {_HIGHEST_KEY_LIMIT}. Crusoe's is "
                f"{_DEFAULT_KEY_LIMIT}; 0 switches the check off.",
                path=["key_limit"],
            )

    def configure_provider(self, diags: Diagnostics, config: State) -> None:
        """Settle the configuration; no request is sent."""
        from crusoe_provider.provider.configuration import resolve  # noqa: PLC0415 - see above

        block, unknown = _provider_block(config)
        self.organization_unknown = "organization_id" in unknown
        limit = config.get("key_limit")
        if limit is not None:
            # An unknown limit is none to refuse a plan for; the apply will know it.
            self.key_limit = 0 if limit is Unknown else int(limit)
        if unknown & _ACCOUNT_ATTRIBUTES:
            return
        try:
            settings = resolve(block, environ=self._environ, home=self._home)
        except ConfigurationError as error:
            add_problems(diags, error.problems)
            return
        self.credentials = settings.credentials_source
        self.terraform = self.terraform.with_label(
            settings.endpoint.url, settings.access_key_id, settings.organization_id
        )
        self.account = _new_account(settings, self._stop, self.now)

    def imported_secret(self) -> str | None:
        """Return the secret that the environment gives for the token that is imported."""
        return self._environ.get(SECRET_VARIABLE, "").strip() or None

    def slots(self, organization_id: object) -> KeySlots | None:
        """Return the caller's slots for keys in an organization; `None` while either is unknown."""
        if self.account is None or not isinstance(organization_id, str):
            return None
        with self._lock:
            if organization_id not in self._slots:
                self._slots[organization_id] = KeySlots(
                    self.account,
                    organization_id,
                    limit=self.key_limit,
                    activity=self.activity,
                    terraform=self.terraform,
                    stop=self._stop,
                )
            return self._slots[organization_id]

    def token_creation(self, organization_id: str) -> TokenCreation:
        """Return what creates tokens in an organization."""
        slots = self.slots(organization_id)
        if self.account is None or slots is None:
            raise AssertionError("Terraform applies with a known configuration only")
        return TokenCreation(self.account, organization_id, slots=slots, stop=self._stop)

    def opened(self, organization_id: str, access_key_id: str) -> None:
        """Take note of an ephemeral token, so that it cannot be forgotten."""
        with self._lock:
            self._open_tokens[access_key_id] = organization_id

    def close_token(self, organization_id: str, access_key_id: str) -> None:
        """Revoke an ephemeral token, even after a stop.

        Raises:
            CrusoeError: It could not be revoked.
        """
        if self.account is None:
            raise AssertionError("An ephemeral token is opened with an account only")
        self.account.delete_key(organization_id, access_key_id, finish=True)
        with self._lock:
            self._open_tokens.pop(access_key_id, None)
        if slots := self.slots(organization_id):
            slots.deleted(access_key_id)

    def finish(self) -> None:
        """Revoke ephemeral tokens that Terraform has not closed: it was killed, or has failed."""
        with self._lock:
            left = list(self._open_tokens.items())
        for access_key_id, organization_id in left:
            try:
                self.close_token(organization_id, access_key_id)
            except CrusoeError as error:
                logger.error("Ephemeral token %s was not revoked: %s", access_key_id, error)  # noqa: TRY400 - the traceback says no more

    def first_time(self, topic: str) -> bool:
        """Say whether nobody has asked about `topic` before; for warnings that come once."""
        with self._lock:
            known = topic in self._topics
            self._topics.add(topic)
            return not known

    def get_resources(self) -> list[type[iface.Resource]]:
        """Return the resource types."""
        return [StorageTokenResource]

    def get_ephemeral_resources(self) -> list[type[EphemeralResource]]:
        """Return the ephemeral resource types."""
        return [EphemeralStorageToken]

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        """Return the data source types."""
        return [StorageTokenDataSource, StorageTokensDataSource]

    def get_functions(self) -> list[type[Function]]:
        """Return the functions."""
        return [CredentialsFileFunction]


def _provider_block(config: dict[str, Any]) -> "tuple[ProviderBlock, frozenset[str]]":
    """Return the block with unknown values left out, and the names of those."""
    from crusoe_provider.provider.provider_block import ProviderBlock  # noqa: PLC0415 - see above

    names = ProviderBlock.__dataclass_fields__
    values = {name: value for name, value in config.items() if name in names}
    unknown = frozenset(name for name, value in values.items() if value is Unknown)
    return ProviderBlock(**{k: v for k, v in values.items() if k not in unknown}), unknown


def _new_account(
    settings: "Settings", stop: threading.Event, now: Callable[[], datetime]
) -> "Account":
    from crusoe_provider.api.account import Account  # noqa: PLC0415
    from crusoe_provider.api.client import CrusoeClient  # noqa: PLC0415

    client = CrusoeClient(settings, stop=stop, now=now)
    return Account(client, organization_id=settings.organization_id)
