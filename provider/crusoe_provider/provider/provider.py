"""The provider `crusoe`: its block, and what its resources and data sources share.

Longer than other files by its schema, which is the reference that users read.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tf import iface
from tf.function import Function
from tf.schema import Attribute, Schema
from tf.types import Map, Number, String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.api.settings import ENDPOINT
from crusoe_provider.provider.action_storage_revoke_token import RevokeTokenAction
from crusoe_provider.provider.data_source_storage_token import StorageTokenDataSource
from crusoe_provider.provider.data_source_storage_tokens import StorageTokensDataSource
from crusoe_provider.provider.diagnostics import (
    SECRET_VARIABLE,
    add_problems,
    diagnose,
    told,
)
from crusoe_provider.provider.ephemeral_storage_token import EphemeralStorageToken
from crusoe_provider.provider.function_credentials_file import CredentialsFileFunction
from crusoe_provider.provider.function_decrypt import DecryptFunction
from crusoe_provider.provider.list_resource_storage_token import StorageTokenListResource
from crusoe_provider.provider.problems import ConfigurationError
from crusoe_provider.provider.resource_storage_rotating_token import StorageRotatingTokenResource
from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.providerserver.action import Action
from crusoe_provider.providerserver.ephemeral import EphemeralResource
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.list_resource import ListResource
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import State
from crusoe_provider.providerserver.types import Object
from crusoe_provider.tokens.in_flight import InFlightCalls
from crusoe_provider.tokens.ownership import Ownership
from crusoe_provider.tokens.session import Importer, Session
from crusoe_provider.tokens.sessions import Sessions

if TYPE_CHECKING:
    from pathlib import Path

    from crusoe_provider.api.account import Account
    from crusoe_provider.api.settings import Settings
    from crusoe_provider.provider.provider_block import ProfileEntry, ProviderBlock
    from crusoe_provider.tokens.terraform import Terraform

# Terraform starts a plugin for its schema, again to validate, and again to plan. So what only a
# later step needs is imported by that step: the configuration, and above all httpx.

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Without these there is no telling whom to ask, whatever the credentials.
_PLACE: Final = frozenset({"profile", "api_endpoint"})
_PAIR: Final = frozenset({"access_key_id", "secret_key"})
# What Crusoe documents: two keys per user in an organization.
DEFAULT_KEY_LIMIT: Final = 2
_HIGHEST_KEY_LIMIT: Final = 1000


class CrusoeProvider(Provider):
    """One provider block, in one process.

    Args:
        stop: Set when nothing new is to be started.
        environ: The environment to take settings from.
        home: The home folder, for `.crusoe/config`; `None` when there is none.
        terraform: The Terraform that has started this process.
        now: The clock, aware.
    """

    def __init__(
        self,
        *,
        stop: threading.Event,
        environ: Mapping[str, str],
        home: "Path | None",
        terraform: "Terraform",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.hide: Callable[[str], None] = lambda _secret: None
        self._stop = stop
        self._environ = environ
        self._home = home
        self._terraform = terraform
        self._now = now
        self._calls = InFlightCalls(stop)
        self._sessions = Sessions()
        self._key_limit = 0
        self._organization_known = True
        self._import_secret: str | None = None
        self._ownership = Ownership()
        self._importer = Importer()

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
                "`~/.crusoe/config` that the Crusoe CLI uses. An empty text counts as not set, as "
                "modules hand it on, but not for credentials: there it is refused."
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
                        "Base URL of the API; HTTPS, except on loopback. Where it is another one "
                        "than that of the credentials' source, set the credentials here too, or "
                        "name it in the environment variable `CRUSOE_ALLOW_ENDPOINT`. Default: "
                        "`CRUSOE_API_ENDPOINT`, then the profile's `api_endpoint`, then "
                        f"`{ENDPOINT}`. Example: `https://api.cloud.crusoe.ai/v1`."
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
                        "Secret of the Crusoe API key in `access_key_id`. Default: "
                        "`CRUSOE_SECRET_KEY` with `CRUSOE_ACCESS_KEY_ID`, then the profile. "
                        "Prefer the environment or a profile: a secret written here stands in the "
                        "configuration."
                    ),
                ),
                Attribute(
                    "profiles",
                    Map(Object({"access_key_id": String(), "secret_key": String()})),
                    optional=True,
                    sensitive=True,
                    description=(
                        "Credentials of further users by the name that `profile` of a resource, "
                        "data source or ephemeral resource gives, each an object with "
                        "`access_key_id` and `secret_key`; for pipelines that have no "
                        "`~/.crusoe/config`. A name that the file has too is taken from here. May "
                        "come from an ephemeral variable. Default: only the file's profiles. "
                        "Example: `var.crusoe_profiles`."
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
                f"{DEFAULT_KEY_LIMIT}; 0 switches the check off.",
                path=["key_limit"],
            )

    def configure_provider(self, diags: Diagnostics, config: State) -> None:
        """Settle the configuration, and begin the sessions that the elements share.

        No request is sent.
        """
        from crusoe_provider.provider.configuration import settle  # noqa: PLC0415 - see above
        from crusoe_provider.provider.profiles import Profiles  # noqa: PLC0415 - see above

        block, unknown = _provider_block(config)
        if unknown & _PLACE:
            return
        pair_known = not unknown & _PAIR
        if not pair_known:
            # The known half is not alone: the other one will be known in time.
            block, _ = _provider_block(config | dict.fromkeys(_PAIR))
        try:
            configuration = settle(block, environ=self._environ, home=self._home)
        except ConfigurationError as error:
            # What is wrong without the pair need not be wrong with it: the apply will know.
            if pair_known:
                add_problems(diags, error.problems)
            return
        import_secret = self._environ.get(SECRET_VARIABLE, "").strip() or None
        if import_secret is not None:
            self.hide(import_secret)
        add_problems(diags, configuration.warnings, warnings=True)
        for secret in configuration.secrets:
            self.hide(secret)
        profiles = Profiles(
            configuration,
            credentials_known=pair_known,
            profiles_known="profiles" not in unknown,
        )
        self._key_limit = _key_limit(config.get("key_limit"))
        self._organization_known = "organization_id" not in unknown
        self._import_secret = import_secret
        self._sessions.begin(profiles.settings_of, self._new_session)

    def _new_session(self, settings: "Settings") -> Session:
        return Session(
            account=_new_account(settings, self._stop, self._now),
            credentials=settings.credentials_source,
            origin=settings.endpoint.origin,
            key_limit=self._key_limit,
            now=self._now,
            stop=self._stop,
            calls=self._calls,
            terraform=self._terraform,
            hide=self.hide,
            told=lambda detail: told(self._sessions, detail),
            organization_known=self._organization_known,
            import_secret=self._import_secret,
            ownership=self._ownership,
            tallies=self._sessions.tallies,
            importer=self._importer,
        )

    def hide_with(self, hide: Callable[[str], None]) -> None:
        """Take what keeps secrets that no attribute carries out of the log."""
        self.hide = hide

    def diagnose(self, error: Exception) -> Diagnosis | None:
        """Return what to tell the user of an error of the elements."""
        whom = self._sessions.here()
        found = diagnose(error, credentials=whom.credentials if whom else "")
        return found and found._replace(detail=told(self._sessions, found.detail))

    def in_flight(self) -> AbstractContextManager[None]:
        """Count a call, for those that wait for what others bring."""
        self._sessions.forget_here()
        return self._calls.call()

    def finish(self) -> None:
        """Revoke ephemeral tokens that Terraform has not closed: it was killed, or has failed."""
        for session in self._sessions.all():
            for access_key_id, organization_id in session.borrowed().items():
                try:
                    session.revoke(organization_id, access_key_id, finish=True)
                except Exception as error:  # noqa: BLE001 - the others are to be revoked all the same
                    logger.error(  # noqa: TRY400 - the traceback says no more
                        "Ephemeral token %s was not revoked: %s", access_key_id, error
                    )

    def new_resource(self, klass: Any) -> iface.Resource:
        """Return a resource for one call."""
        return klass(self._sessions)  # type: ignore[no-any-return]  # tf says no more

    def new_data_source(self, klass: Any) -> iface.DataSource:
        """Return a data source for one call."""
        return klass(self._sessions)  # type: ignore[no-any-return]  # tf says no more

    def new_element(self, klass: Callable[[Any], T]) -> T:
        """Return an ephemeral resource, a list resource or an action for one call."""
        return klass(self._sessions)

    def get_resources(self) -> list[type[iface.Resource]]:
        """Return the resource types."""
        return [StorageTokenResource, StorageRotatingTokenResource]

    def get_ephemeral_resources(self) -> list[type[EphemeralResource]]:
        """Return the ephemeral resource types."""
        return [EphemeralStorageToken]

    def get_list_resources(self) -> list[type[ListResource]]:
        """Return the list resource types."""
        return [StorageTokenListResource]

    def get_actions(self) -> list[type[Action]]:
        """Return the action types."""
        return [RevokeTokenAction]

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        """Return the data source types."""
        return [StorageTokenDataSource, StorageTokensDataSource]

    def get_functions(self) -> list[type[Function]]:
        """Return the functions."""
        return [CredentialsFileFunction, DecryptFunction]


def _provider_block(config: dict[str, Any]) -> "tuple[ProviderBlock, frozenset[str]]":
    """Return the block with unknown values left out, and the names of those."""
    from crusoe_provider.provider.provider_block import ProviderBlock  # noqa: PLC0415 - see above

    names = ProviderBlock.__dataclass_fields__
    values = {name: _value(name, value) for name, value in config.items() if name in names}
    unknown = frozenset(name for name, value in values.items() if value is Unknown)
    known = {name: value for name, value in values.items() if name not in unknown}
    if known.get("profiles") is not None:
        known["profiles"] = {name: _entry(value) for name, value in known["profiles"].items()}
    return ProviderBlock(**known), unknown


def _value(name: str, value: Any) -> Any:
    # An empty credential is a mistake more often than no value: whoever's credentials come next
    # must not be taken in its place.
    return None if value == "" and name not in _PAIR else value


def _entry(value: Any) -> "ProfileEntry":
    """Return an entry of `profiles`; null is one without credentials."""
    from crusoe_provider.provider.provider_block import ProfileEntry  # noqa: PLC0415 - see above

    pair = dict.fromkeys(sorted(_PAIR), Unknown) if value is Unknown else value or {}
    if Unknown in pair.values():
        return ProfileEntry(known=False)
    return ProfileEntry(**pair)


def _key_limit(configured: Any) -> int:
    if configured is Unknown:
        return 0  # none to refuse a plan for; the apply will know it
    return DEFAULT_KEY_LIMIT if configured is None else int(configured)


def _new_account(
    settings: "Settings", stop: threading.Event, now: Callable[[], datetime]
) -> "Account":
    from crusoe_provider.api.account import Account  # noqa: PLC0415
    from crusoe_provider.api.client import CrusoeClient  # noqa: PLC0415

    client = CrusoeClient(settings, stop=stop, now=now)
    return Account(client, organization_id=settings.organization_id)
