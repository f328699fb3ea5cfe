"""The resource `crusoe_storage_token`: one API key of Object Storage."""

import logging
from typing import TYPE_CHECKING, Final

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.elements.diagnostics import add_api_error
from crusoe_provider.elements.lost_answer import settle as settle_lost_answer
from crusoe_provider.elements.token_attributes import (
    ORGANIZATION_ID,
    Timestamp,
    check_alias,
    check_expires_at,
    check_organization_id,
)
from crusoe_provider.elements.token_creation import Ambiguous, TokenCreation
from crusoe_provider.elements.token_import import SECRET_VARIABLE, add_not_importable
from crusoe_provider.host.resource import CreateContext, PlanContext, Resource, State

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account
    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.elements.provider import CrusoeProvider

logger = logging.getLogger(__name__)

_SECRET_UNKNOWN: Final = (
    "Secret of the imported storage token is unknown",
    (
        "Crusoe shows a secret only once, when the token is created, so secret_key is null. "
        "Nothing is replaced because of it; where you have the secret, remove the token from the "
        f"state and import it again with {SECRET_VARIABLE} set to it."
    ),
)


class StorageTokenResource(Resource):
    """A storage token: an access key ID and a secret for the S3 interface."""

    def __init__(self, provider: "CrusoeProvider") -> None:
        self._provider = provider

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_token"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            version=0,
            description=(
                "A storage token (API key) of Crusoe Cloud Object Storage: an access key ID and a "
                "secret key for S3 clients. It belongs to the user whose credentials the provider "
                "uses; a user has at most two. Crusoe shows the secret once, at creation: from "
                "then on it exists in the Terraform state only, so protect the state. Destroying "
                "the token revokes access at once."
            ),
            attributes=[
                Attribute(
                    "alias",
                    String(),
                    optional=True,
                    requires_replace=True,
                    description=(
                        "Name for the token; it need not be unique. Changing it replaces the "
                        "token. Default: none. Example: `ci-uploads`."
                    ),
                ),
                Attribute(
                    "expires_at",
                    Timestamp(),
                    optional=True,
                    requires_replace=True,
                    description=(
                        "When the token stops working, as an RFC 3339 date and time with a zone. "
                        "Changing it replaces the token; another spelling of the same instant "
                        "does not. Default: never. Example: `2027-01-31T12:00:00Z`."
                    ),
                ),
                Attribute(
                    ORGANIZATION_ID,
                    String(),
                    optional=True,
                    computed=True,
                    requires_replace=True,
                    description=(
                        "ID (a UUID) of the organization whose buckets the token opens. Changing "
                        "it replaces the token. Default: the provider's `organization_id`, then "
                        "the only organization of the user."
                    ),
                ),
                Attribute(
                    "id",
                    String(),
                    computed=True,
                    description="Token ID, a UUID, as `crusoe storage tokens list` shows it.",
                ),
                Attribute(
                    "access_key_id",
                    String(),
                    computed=True,
                    description=(
                        "Access key ID for S3 clients (`AWS_ACCESS_KEY_ID`). "
                        "Example: `CKIA493K6LOVDNNAR4SZ`."
                    ),
                ),
                Attribute(
                    "secret_key",
                    String(),
                    computed=True,
                    sensitive=True,
                    description=(
                        "Secret for S3 clients (`AWS_SECRET_ACCESS_KEY`). Known only from the "
                        "creation, and kept in the state; it cannot be read again."
                    ),
                ),
                Attribute(
                    "status",
                    String(),
                    computed=True,
                    description="`enabled`, or `disabled` if Crusoe has switched the token off.",
                ),
                Attribute(
                    "created_at",
                    String(),
                    computed=True,
                    description="When the token was created (RFC 3339).",
                ),
                Attribute(
                    "user_id",
                    String(),
                    computed=True,
                    description="ID (a UUID) of the user to whom the token belongs.",
                ),
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_alias(diags, config)
        check_expires_at(diags, config)
        check_organization_id(diags, config)

    def plan(  # type: ignore[override]  # see Resource
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        """Plan what is known; see `Resource.plan`."""
        if current is None:
            return self._plan_creation(ctx, planned)
        # A different spelling of the same instant is no change: the state keeps its own.
        return {
            name: current[name] if name not in ctx.changed_fields else value
            for name, value in planned.items()
        }

    def _plan_creation(self, ctx: PlanContext, planned: State) -> State:
        account = self._provider.account
        if planned[ORGANIZATION_ID] is Unknown and account and ctx.config[ORGANIZATION_ID] is None:
            if self._provider.organization_unknown:
                return planned
            try:
                planned[ORGANIZATION_ID] = account.organization_id()
            except CrusoeError as error:
                self._add_error(ctx.diagnostics, "Organization not determined", error)
        return planned

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        """Create the token; its secret is saved before anything else can fail."""
        account = self._account()
        organization_id = planned[ORGANIZATION_ID]
        try:
            if organization_id is Unknown:
                organization_id = account.organization_id()
            creation = self._provider.token_creation(organization_id)
            outcome = creation.create(alias=planned["alias"], expire_at=planned["expires_at"])
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, "Storage token not created", error)
            return None
        state = planned | {ORGANIZATION_ID: organization_id}
        if isinstance(outcome, Ambiguous):
            credentials = self._provider.credentials
            return settle_lost_answer(ctx.diagnostics, outcome, state, credentials=credentials)
        state |= {
            "access_key_id": outcome.key.access_key_id,
            "secret_key": outcome.key.secret_key,
            "user_id": outcome.user_id,
        }
        ctx.save(state)
        return self._complete(ctx.diagnostics, creation, state)

    def read(self, ctx: iface.ReadContext, current: State) -> State | None:
        """Refresh the state from the list of keys; the secret stays what it was."""
        account = self._provider.account
        if account is None:
            ctx.diagnostics.add_warning(
                "Storage token not refreshed",
                "The provider block takes its settings from a resource that does not exist yet, "
                "so this plan works with the token's last known state.",
            )
            return current
        organization_id = current[ORGANIZATION_ID]
        try:
            keys = account.keys(organization_id)
            key = next((key for key in keys if _is_token(key, current)), None)
            if key is None:
                return self._absent(ctx.diagnostics, account, current)
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, "Storage token not read", error)
            return current
        return current | _listed_attributes(key) | _configurable_attributes(key)

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State | None:
        """Return the planned state: whatever the API stores can only be replaced."""
        del ctx, current
        return planned

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        """Revoke the token; one that is gone already is success."""
        account = self._account()
        try:
            deleted = account.delete_key(current[ORGANIZATION_ID], current["access_key_id"])
            if not deleted and self._belongs_to_somebody_else(account, current):
                self._add_foreign(ctx.diagnostics, "Storage token not deleted", account, current)
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, "Storage token not deleted", error)

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        """Find a token by its token ID or access key ID, `<organization>/` before it or not."""
        account = self._account()
        organization_id, _, wanted = id.strip().rpartition("/")
        try:
            organization_id = organization_id or account.organization_id()
            keys = account.keys(organization_id)
            caller = account.identity()
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, "Storage token not imported", error)
            return None
        key = next((k for k in keys if wanted in {k.key_uuid, k.access_key_id}), None)
        mine = sorted((k for k in keys if k.user_id == caller.id), key=lambda k: k.created_at)
        if key is None or key not in mine:
            add_not_importable(ctx.diagnostics, wanted, key, mine, caller)
            return None
        secret_key = self._provider.imported_secret()
        if secret_key is None:
            ctx.diagnostics.add_warning(*_SECRET_UNKNOWN)
        return (
            {ORGANIZATION_ID: organization_id, "secret_key": secret_key}
            | _listed_attributes(key)
            | _configurable_attributes(key)
        )

    def undo_create(self, state: State) -> None:
        """Revoke a token that Terraform, killed in between, cannot take into its state."""
        access_key_id = state["access_key_id"]
        try:
            self._account().delete_key(state[ORGANIZATION_ID], access_key_id, finish=True)
            logger.warning("Revoked %s: Terraform ended before it could store it", access_key_id)
        except CrusoeError as error:
            logger.error("Storage token %s is in no state: %s", access_key_id, error)  # noqa: TRY400 - the traceback says no more

    def _account(self) -> "Account":
        account = self._provider.account
        if account is None:
            raise AssertionError("Terraform applies with a known configuration only")
        return account

    def _add_error(self, diags: Diagnostics, summary: str, error: CrusoeError) -> None:
        add_api_error(diags, summary, error, credentials=self._provider.credentials)

    def _complete(self, diags: Diagnostics, creation: TokenCreation, state: State) -> State:
        """Return the state of a new token with what only the list tells."""
        try:
            listed = creation.listed(lambda key: _is_token(key, state))
        except CrusoeError as error:
            problem = f"Crusoe's list of tokens could not be read: {error}"
        else:
            if listed:
                return state | _listed_attributes(listed[0])
            problem = "Crusoe's list of tokens does not show it yet."
        diags.add_warning(
            "Storage token created, but not yet listed",
            f"Access key {state['access_key_id']} was created and its secret is in the state. "
            f"{problem}\n\n"
            "Nothing needs to be done: its ID, status and creation time are filled in at the next "
            "refresh, for example by the next terraform plan.",
        )
        return state

    def _absent(self, diags: Diagnostics, account: "Account", current: State) -> State | None:
        """Return the state of a token that the list does not show."""
        if self._belongs_to_somebody_else(account, current):
            self._add_foreign(diags, "Storage token belongs to another user", account, current)
            return current
        diags.add_warning(
            "Storage token no longer exists",
            f"Token {_name(current)} is not in Crusoe's list any more: it was deleted outside of "
            "this configuration. Unless it is removed from the configuration, the plan creates a "
            "new one with a new secret.",
        )
        return None

    def _belongs_to_somebody_else(self, account: "Account", current: State) -> bool:
        owner = current["user_id"]
        return owner is not None and owner != account.identity().id

    def _add_foreign(
        self, diags: Diagnostics, summary: str, account: "Account", current: State
    ) -> None:
        identity = account.identity()
        diags.add_error(
            summary,
            f"Token {_name(current)} belongs to user {current['user_id']}, and the credentials in "
            f"use ({self._provider.credentials}) are those of user {identity.id} "
            f"({identity.email}). A user sees and deletes only tokens of their own, so nothing "
            "can be said about this one.\n\n"
            "Run Terraform with the owner's credentials. If the owner is gone for good, remove "
            "the token from the state (terraform state rm) and have it deleted by an "
            "administrator.",
        )


def _is_token(key: "StorageKey", state: State) -> bool:
    # A token that was not listed yet when it was created has no ID in the state.
    return bool(key.access_key_id == state["access_key_id"])


def _listed_attributes(key: "StorageKey") -> State:
    """Return what only the list tells, not the answer to the creation."""
    return {
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "status": key.status,
        "created_at": key.created_at,
        "user_id": key.user_id,
    }


def _configurable_attributes(key: "StorageKey") -> State:
    return {"alias": key.alias, "expires_at": key.expire_at}


def _name(state: State) -> str:
    alias = f' with alias "{state["alias"]}"' if state["alias"] else ""
    return f"{state['id']} (access key ID {state['access_key_id']}){alias}"
