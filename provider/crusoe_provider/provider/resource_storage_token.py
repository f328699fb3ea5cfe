"""The resource `crusoe_storage_token`: one API key of Object Storage.

What a plan decides is in `resource_storage_token_plan.py`.
"""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tf import iface
from tf.schema import Attribute, Block, Schema
from tf.types import Bool, Map, String
from tf.utils import Diagnostics

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider import token_moves
from crusoe_provider.provider.attributes import (
    ORGANIZATION_ID,
    PROFILE,
    TOKEN_IDENTITY,
    Duration,
    Timestamp,
    organization_attribute,
    profile_attribute,
    token_identity,
)
from crusoe_provider.provider.diagnostics import SECRET_VARIABLE, Refusal, failing, told
from crusoe_provider.provider.key_texts import describe_token
from crusoe_provider.provider.resource_storage_token_plan import TokenPlan
from crusoe_provider.provider.validators import (
    check_alias,
    check_lifetime,
    check_organization_id,
    check_timeouts,
    given,
)
from crusoe_provider.providerserver.blocks import SingleNestedBlock
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.identity import IdentitySchema
from crusoe_provider.providerserver.resource import (
    CreateContext,
    ImportContext,
    MoveSource,
    PlanContext,
    PlanDestroyContext,
    ReadContext,
    Resource,
    State,
)
from crusoe_provider.tokens.durations import parse_duration
from crusoe_provider.tokens.errors import AnswerLost
from crusoe_provider.tokens.lifetime import expiry_after
from crusoe_provider.tokens.presence import Gone, Memory, NotListedYet, NotProved, Present
from crusoe_provider.tokens.token import Token, in_order, is_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crusoe_provider.api.models import Identity, StorageKey
    from crusoe_provider.tokens.creation import Creation
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

logger = logging.getLogger(__name__)

# How long a creation waits for a slot unless its timeouts block says otherwise.
_DEFAULT_CREATE_TIMEOUT: Final = timedelta(minutes=2)
_DISABLED: Final = "disabled"
_NOT_CREATED: Final = "Storage token not created"
_NOT_REFRESHED: Final = (
    "Storage tokens not refreshed",
    (
        "The provider block takes its settings from a resource that does not exist yet, so this "
        "plan works with the last known state."
    ),
)
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

    def __init__(self, sessions: "Sessions") -> None:
        self._sessions = sessions

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
                organization_attribute(" whose buckets the token opens", replaces=True),
                profile_attribute(
                    "create, read and revoke the token",
                    change=(
                        "Changing it replaces the token, unless both profiles are of the same user."
                    ),
                ),
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

    @classmethod
    def identity_schema(cls) -> IdentitySchema:
        """Return what tells a token from all others."""
        return TOKEN_IDENTITY

    def identity(self, state: State) -> State | None:
        """Return the identity of the token that has a state."""
        return token_identity(state)

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_alias(diags, config)
        check_lifetime(diags, config)
        check_organization_id(diags, config)
        check_timeouts(diags, config)

    def observe(self, state: State) -> None:
        """Count the token among those of this state."""
        if state["access_key_id"]:
            self._sessions.tallies.observe(state["access_key_id"])

    def plan(  # type: ignore[override]  # see Resource
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        """Plan what is known, and check that there is room; see `Resource.plan`."""
        plan = TokenPlan(self._sessions, planned[PROFILE], ctx)
        if current is None:
            return plan.creation(Token.of_plan(planned)).to_state()
        return plan.update(Token.of_state(current), planned).to_state()

    def plan_destroy(self, ctx: PlanDestroyContext, current: State) -> None:
        """Count the slot that comes free."""
        del ctx
        token = Token.of_state(current)
        session = self._sessions.find(token.profile)
        if session is not None and token.organization_id:
            session.quota(token.organization_id).plan_release(token.access_key_id)

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        """Create the token; its secret is saved before anything else can fail."""
        plan, memory = Token.of_plan(planned), Memory.of(ctx.private)
        session = self._sessions.get(plan.profile)
        given_id = None if is_unknown(plan.organization_id) else plan.organization_id
        with failing():
            organization_id = session.organization_id(given_id)
        plan = plan.but(organization_id=given_id if given_id is not None else organization_id)
        creation = session.creation(organization_id)
        try:
            with failing(_NOT_CREATED):
                created = creation.create(
                    alias=plan.alias,
                    expire_at=lambda: _expiry(session, plan),
                    seconds=_create_timeout(plan).total_seconds(),
                    predecessor=memory.key,
                )
        except AnswerLost as lost:
            if lost.left is not None:
                # Beside an error Terraform keeps a state as tainted: the next apply replaces it.
                ctx.private.clear()
                ctx.save(plan.but(expires_at=lost.expire_at).as_listed(lost.left).to_state())
            raise
        key = created.key
        token = plan.but(
            access_key_id=key.access_key_id,
            secret_key=key.secret_key,
            expires_at=created.expire_at if is_unknown(plan.expires_at) else plan.expires_at,
            user_id=created.creator.id,
        )
        memory = Memory()
        memory.created(token, created.creator, session.now())
        memory.keep(ctx.private)
        ctx.save(token.to_state())
        token = self._completed(ctx, creation, token, memory, session)
        memory.keep(ctx.private)
        return token.to_state()

    def _completed(
        self,
        ctx: CreateContext,
        creation: "Creation",
        token: Token,
        memory: Memory,
        session: "Session",
    ) -> Token:
        """Return a token just created with what only the list tells."""
        problem = "Crusoe's list of tokens does not show it yet."
        try:
            key = creation.listed(token.access_key_id)
        except CrusoeError as error:
            key, problem = None, f"Crusoe's list of tokens could not be read: {error}"
        if key is not None:
            return memory.first_seen(token, key, session.now())
        ctx.diagnostics.add_warning(
            "Storage token created, but not yet listed",
            told(
                self._sessions,
                f"Access key {token.access_key_id} was created and its secret is in the state. "
                f"{problem}\n\n"
                "Nothing needs to be done: its ID, status and creation time are filled in at the "
                "next refresh, for example by the next terraform plan.",
            ),
        )
        return token

    def read(  # type: ignore[override]  # see Resource
        self, ctx: ReadContext, current: State
    ) -> State | None:
        """Refresh the state from the list of keys; the secret stays what it was."""
        token, memory = Token.of_state(current), Memory.of(ctx.private)
        session = self._sessions.find(token.profile)
        if session is None:
            if self._sessions.warn_once("not refreshed"):
                ctx.diagnostics.add_warning(*_NOT_REFRESHED)
            return current
        with failing("Storage token not read"):
            # A token moved from elsewhere may not say where it is.
            organization_id = session.organization_id(token.organization_id)
            found = session.presence(organization_id).of(token, memory)
        match found:
            case Present():
                token = memory.seen_again(token, found.key, session.now())
                memory.keep(ctx.private)
                return self._refreshed(ctx, token, organization_id, session).to_state()
            case NotListedYet():
                ctx.diagnostics.add_warning(
                    "Storage token not yet listed",
                    f"{token.name} was created at {found.made}, and Crusoe's list of tokens does "
                    "not show it yet. It stays in the state.\n\n"
                    "Nothing needs to be done: what is missing is filled in at a later refresh.",
                )
                return current
            case NotProved():
                ctx.diagnostics.add_warning(
                    "Storage token not in the list",
                    f"Crusoe's list of tokens does not show {token.name}, but the answer does not "
                    "prove either that it is gone: it is empty without saying so, or holds entries "
                    "that cannot be read. The token stays in the state.\n\n"
                    "If you know that it is gone, remove it with terraform state rm.",
                )
                return current
            case Gone():
                last = f" It was last seen there on {found.seen:%Y-%m-%d}." if found.seen else ""
                ctx.diagnostics.add_warning(
                    "Storage token no longer exists",
                    f"{token.name} is not in Crusoe's list any more: it was deleted outside of "
                    f"Terraform.{last}\n\n"
                    "As long as it is in the configuration, a plan creates a new one with a new "
                    "secret.",
                )
        return None

    def _refreshed(
        self, ctx: ReadContext, token: Token, organization_id: str, session: "Session"
    ) -> Token:
        if token.status == _DISABLED:
            ctx.diagnostics.add_warning(
                "Storage token is disabled",
                f"{token.name} was disabled at Crusoe, so S3 clients are refused. It still takes a "
                "slot.\n\n"
                "Ask an administrator to enable it, or replace it with terraform apply -replace.",
            )
        return token.but(
            organization_id=organization_id
            if token.organization_id is None
            else token.organization_id,
            ready_for_renewal=token.lifetime.ready_for_renewal(session.now()),
        )

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State | None:
        """Return the planned state: whatever the API stores can only be replaced."""
        del ctx, current
        return planned

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        """Revoke the token; one that is gone already is success."""
        del ctx
        token = Token.of_state(current)
        session = self._sessions.get(token.profile)
        with failing("Storage token not deleted"):
            organization_id = session.organization_id(token.organization_id)
            if not session.revoke(organization_id, token.access_key_id):
                # For another user than the owner every token is absent.
                session.presence(organization_id).check_owner(token)

    def import_(  # type: ignore[override]  # see Resource
        self,
        ctx: ImportContext,
        id: str,  # noqa: A002 - tf's name
    ) -> State | None:
        """Find a token by its token ID or access key ID, or by its identity.

        `<organization>/` may stand before an ID, and `@<profile>` behind it. IDs have no "@", names
        of profiles may.
        """
        where, _, profile = id.strip().partition("@")
        given_id, _, wanted = where.rpartition("/")
        if ctx.identity is not None:
            given_id = ctx.identity[ORGANIZATION_ID] or ""
            wanted = ctx.identity["access_key_id"] or ""
            profile = ctx.identity[PROFILE] or ""
        session = self._sessions.get(profile)
        session.account.expect_identity()
        with failing("Storage token not imported"):
            organization_id = session.organization_id(given_id)
            keys = session.account.keys(organization_id)
            caller = session.account.identity()
        mine = in_order(session.ownership.mine(keys, caller))
        key = next((k for k in keys if _is_named(k, wanted)), None)
        if key is None or key not in mine:
            raise _not_importable(wanted, key, mine, caller)
        secret_key = session.claim_import_secret(wanted)
        if secret_key is None:
            ctx.diagnostics.add_warning(*_SECRET_UNKNOWN)
        return Token.of_key(
            key,
            organization_id=organization_id,
            profile=profile or None,
            secret_key=secret_key,
        ).to_state()

    def move(self, diagnostics: Diagnostics, source: MoveSource) -> State | None:
        """Take over a key of Crusoe's own provider, secret included."""
        del diagnostics
        return token_moves.from_vendor(source)

    def undo_create(self, state: State) -> None:
        """Revoke a token that Terraform, killed in between, cannot take into its state."""
        token = Token.of_state(state)
        session = self._sessions.get(token.profile)
        try:
            organization_id = session.organization_id(token.organization_id)
            session.revoke(organization_id, token.access_key_id, finish=True)
            logger.warning("Revoked %s: Terraform ended before it could store it", token.name)
        except CrusoeError as error:
            logger.error("%s is in no state: %s", token.name, error)  # noqa: TRY400 - the traceback says no more


def _expiry(session: "Session", plan: Token) -> str | None:
    """Return the expiry of a token that is created now."""
    if not is_unknown(plan.expires_at):
        return given(plan.expires_at)  # type: ignore[no-any-return]  # a text or nothing
    after = given(plan.expires_after)  # unknown in the plan, it may turn out to be null
    return None if after is None else expiry_after(parse_duration(after), session.now())


def _create_timeout(plan: Token) -> timedelta:
    value = given((plan.timeouts or {}).get("create"))
    return parse_duration(value) if value else _DEFAULT_CREATE_TIMEOUT


def _is_named(key: "StorageKey", wanted: str) -> bool:
    """Say whether a key has this token ID, in any case, or this access key ID."""
    return key.access_key_id == wanted or (key.key_uuid or "").casefold() == wanted.casefold()


def _not_importable(
    wanted: str,
    found: "StorageKey | None",
    mine: "Sequence[StorageKey]",
    caller: "Identity",
) -> Refusal:
    """Return the error for a token that is not there, or is somebody else's.

    Args:
        wanted: The ID that the user gave.
        found: The token with that ID, if it exists and belongs to another user.
        mine: The caller's tokens.
        caller: Who the caller is.
    """
    who = caller.email or caller.id
    if found is None:
        problem = f'The user {who} has no token with token ID or access key ID "{wanted}".'
    else:
        problem = (
            f'Token "{wanted}" belongs to user {found.user_id}; the credentials in use are those '
            f"of user {caller.id} ({who}), who cannot manage it."
        )
    tokens = "".join(f"\n  - {describe_token(key)}" for key in mine) or " none"
    return Refusal(
        Diagnosis(
            "Storage token not found",
            f"{problem} The tokens of this user are:{tokens}\n\n"
            "Import one of them by its token ID or access key ID, or by its identity "
            "(access_key_id). For a token of another organization write <organization ID>/<token "
            "ID>, or organization_id in the identity; for one of another user, whose credentials "
            "are in a profile, <token ID>@<profile>, or profile in the identity.",
        )
    )
