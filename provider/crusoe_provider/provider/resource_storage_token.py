"""The resource `crusoe_storage_token`: one API key of Object Storage."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tf import iface
from tf.schema import Attribute, Block, Schema
from tf.types import Bool, Map, String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.api.deletion import Deletion
from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.diagnostics import add_api_error
from crusoe_provider.provider.lost_answer import settle as settle_lost_answer
from crusoe_provider.provider.shortage import add_apply_shortage
from crusoe_provider.provider.token_attributes import (
    ORGANIZATION_ID,
    Duration,
    Timestamp,
    check_alias,
    check_lifetime,
    check_organization_id,
    check_timeouts,
    organization_attribute,
)
from crusoe_provider.provider.token_import import SECRET_VARIABLE, add_not_importable
from crusoe_provider.provider.token_move import moved_state
from crusoe_provider.provider.token_plan import TokenPlan
from crusoe_provider.provider.token_refresh import TokenRefresh
from crusoe_provider.providerserver.blocks import SingleNestedBlock
from crusoe_provider.providerserver.resource import (
    CreateContext,
    MoveSource,
    PlanContext,
    PlanDestroyContext,
    ReadContext,
    Resource,
    State,
)
from crusoe_provider.tokens.creation import Ambiguous
from crusoe_provider.tokens.durations import parse_duration
from crusoe_provider.tokens.lifetime import expiry_after
from crusoe_provider.tokens.quota import NoFreeSlotError
from crusoe_provider.tokens.token import listed_attributes

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account
    from crusoe_provider.provider.provider import CrusoeProvider

logger = logging.getLogger(__name__)

# How long a creation waits for a slot unless its timeouts block says otherwise.
_DEFAULT_CREATE_TIMEOUT: Final = timedelta(minutes=2)
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
                    computed=True,
                    requires_replace=True,
                    description=(
                        "When the token stops working, as an RFC 3339 date and time with a zone. "
                        "Changing, adding or removing it replaces the token; another spelling of "
                        "the same instant does not. With `expires_after` it is computed. Default: "
                        "never. Example: `2027-01-31T12:00:00Z`."
                    ),
                ),
                Attribute(
                    "expires_after",
                    Duration(),
                    optional=True,
                    description=(
                        "How long the token lives from its creation, as a duration with the units "
                        "`w`, `d`, `h`, `m` and `s`; conflicts with `expires_at`. Changing it "
                        "replaces the token; setting it on one that has an expiry already does "
                        "not. A token that has expired is replaced by the next plan. Default: "
                        "it never expires. Example: `90d`."
                    ),
                ),
                Attribute(
                    "renew_before",
                    Duration(),
                    optional=True,
                    description=(
                        "How long before its expiry a plan replaces the token, as a duration; it "
                        "needs `expires_after` and must be shorter. Changing it changes nothing "
                        "at Crusoe and replaces nothing by itself. Default: the token is replaced "
                        "once it has expired. Example: `14d`."
                    ),
                ),
                Attribute(
                    "rotate_when_changed",
                    Map(String()),
                    optional=True,
                    description=(
                        "Any values whose change replaces the token; setting them on a token that "
                        'had none does not. Default: none. Example: `{ rotation = "2027-q1" }`.'
                    ),
                ),
                organization_attribute(" whose buckets the token opens", requires_replace=True),
                Attribute(
                    "id",
                    String(),
                    computed=True,
                    description=(
                        "Token ID, a UUID, as `crusoe storage tokens list` shows it. Example: "
                        "`f5705300-79f8-4686-9b9f-02496a053bc0`."
                    ),
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
                        "creation, and kept in the state; it cannot be read again. Null for an "
                        "imported token, unless the import was given it."
                    ),
                ),
                Attribute(
                    "status",
                    String(),
                    computed=True,
                    description=(
                        "`enabled`, or `disabled` if Crusoe has switched the token off. Example: "
                        "`enabled`."
                    ),
                ),
                Attribute(
                    "created_at",
                    String(),
                    computed=True,
                    description="When the token was created. Example: `2026-11-02T09:30:00Z`.",
                ),
                Attribute(
                    "user_id",
                    String(),
                    computed=True,
                    description=(
                        "ID (a UUID) of the user to whom the token belongs. Example: "
                        "`3c1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f10`."
                    ),
                ),
                Attribute(
                    "ready_for_renewal",
                    Bool(),
                    computed=True,
                    description=(
                        "Whether the moment that `renew_before` names had come at the last "
                        "refresh. Example: `false`."
                    ),
                ),
            ],
            block_types=[
                SingleNestedBlock(
                    "timeouts",
                    Block(
                        attributes=[
                            Attribute(
                                "create",
                                String(),
                                optional=True,
                                description=(
                                    "How long a creation waits for a free slot when the user has "
                                    "the most tokens already, as a duration. Changing it changes "
                                    "nothing at Crusoe. Default: `2m`. Example: `10m`."
                                ),
                            )
                        ],
                        description="How long operations may take.",
                    ),
                )
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_alias(diags, config)
        check_lifetime(diags, config)
        check_organization_id(diags, config)
        check_timeouts(diags, config)

    def plan(  # type: ignore[override]  # see Resource
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        """Plan what is known, and check that there is room; see `Resource.plan`."""
        with self._provider.activity.call():
            plan = TokenPlan(self._provider, ctx)
            return plan.creation(planned) if current is None else plan.update(current, planned)

    def plan_destroy(self, ctx: PlanDestroyContext, current: State) -> None:
        """Count the slot that comes free."""
        del ctx
        if slots := self._provider.slots(current[ORGANIZATION_ID]):
            slots.freed(current["access_key_id"])

    def observe(self, state: State) -> None:
        """Count the token among those of this state."""
        with self._provider.activity.call():
            if slots := self._provider.slots(state[ORGANIZATION_ID]):
                slots.seen(state["access_key_id"])

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        """Create the token; its secret is saved before anything else can fail."""
        self._provider.terraform.forget_reliance()
        state = dict(planned)
        try:
            if state[ORGANIZATION_ID] is Unknown:
                state[ORGANIZATION_ID] = self._account().organization_id()
            if state["expires_at"] is Unknown:
                state["expires_at"] = self._resolved_expiry(state["expires_after"])
            creation = self._provider.token_creation(state[ORGANIZATION_ID])
            outcome = creation.create(
                alias=state["alias"],
                expire_at=state["expires_at"],
                seconds=_create_timeout(state["timeouts"]).total_seconds(),
            )
        except NoFreeSlotError as error:
            add_apply_shortage(ctx.diagnostics, error.shortage)
            return None
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, "Storage token not created", error)
            return None
        if isinstance(outcome, Ambiguous):
            credentials = self._provider.credentials
            return settle_lost_answer(ctx.diagnostics, outcome, state, credentials=credentials)
        state |= {
            "access_key_id": outcome.key.access_key_id,
            "secret_key": outcome.key.secret_key,
            "user_id": outcome.user_id,
        }
        refresh = TokenRefresh(self._provider, ctx.diagnostics)
        refresh.begin(state, ctx.private)
        ctx.save(state)
        return refresh.complete(creation, state, ctx.private)

    def read(  # type: ignore[override]  # see Resource
        self, ctx: ReadContext, current: State
    ) -> State | None:
        """Refresh the state from the list of keys; the secret stays what it was."""
        with self._provider.activity.call():
            return TokenRefresh(self._provider, ctx.diagnostics).read(ctx, current)

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State | None:
        """Return the planned state: whatever the API stores can only be replaced."""
        del ctx, current
        return planned

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        """Revoke the token; one that is gone already is success."""
        account = self._account()
        self._provider.terraform.forget_reliance()
        refresh = TokenRefresh(self._provider, ctx.diagnostics)
        summary = "Storage token not deleted"
        try:
            organization_id = current[ORGANIZATION_ID] or account.organization_id()
            deletion = account.delete_key(organization_id, current["access_key_id"])
            gone = deletion is Deletion.ALREADY_GONE
            if gone and refresh.belongs_to_somebody_else(account, current):
                refresh.add_foreign(summary, account, current)
                return
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, summary, error)
            return
        if slots := self._provider.slots(organization_id):
            slots.deleted(current["access_key_id"])

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        """Find a token by its token ID or access key ID, `<organization>/` before it or not."""
        account = self._account()
        account.expect_identity()
        organization_id, _, wanted = id.strip().rpartition("/")
        try:
            organization_id = organization_id or account.organization_id()
            keys = account.keys(organization_id)
            caller = account.identity()
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, "Storage token not imported", error)
            return None
        key = next((k for k in keys if wanted in {k.key_uuid, k.access_key_id}), None)
        mine = sorted((k for k in keys if k.user_id == caller.id), key=lambda k: k.created_at or "")
        if key is None or key not in mine:
            add_not_importable(ctx.diagnostics, wanted, key, mine, caller)
            return None
        secret_key = self._provider.imported_secret()
        if secret_key is None:
            ctx.diagnostics.add_warning(*_SECRET_UNKNOWN)
        return listed_attributes(key) | {
            ORGANIZATION_ID: organization_id,
            "secret_key": secret_key,
            "alias": key.alias,
            "expires_at": key.expire_at,
            "ready_for_renewal": False,
        }

    def move(self, diagnostics: Diagnostics, source: MoveSource) -> State | None:
        """Take over a key of Crusoe's own provider, secret included."""
        del diagnostics
        return moved_state(source)

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

    def _resolved_expiry(self, expires_after: Any) -> str | None:
        if expires_after is None:  # it was unknown in the plan, and turned out to be null
            return None
        return expiry_after(parse_duration(expires_after), self._provider.now())


def _create_timeout(timeouts: State | None) -> timedelta:
    given = timeouts["create"] if timeouts else None
    return parse_duration(given) if given else _DEFAULT_CREATE_TIMEOUT
