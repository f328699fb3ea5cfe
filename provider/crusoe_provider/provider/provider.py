"""The provider `crusoe`: its block, and what its resources and data sources share.

The arguments of the block are in `provider_schema.py`.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tf import iface
from tf.function import Function
from tf.schema import Schema
from tf.types import Unknown
from tf.utils import Diagnostics

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
from crusoe_provider.provider.provider_schema import provider_schema
from crusoe_provider.provider.resource_storage_rotating_token import StorageRotatingTokenResource
from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.providerserver.action import Action
from crusoe_provider.providerserver.ephemeral import EphemeralResource
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.list_resource import ListResource
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.resource import State
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
        return provider_schema()

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
        self._sessions.begin(profiles.settings_of, self._new_session, self._terraform)

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

    def diagnose(self, error: BaseException) -> Diagnosis | None:
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
