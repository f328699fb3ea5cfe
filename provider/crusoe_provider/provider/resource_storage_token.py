"""The resource `crusoe_storage_token`: one API key of Object Storage.

Its attributes are in `resource_storage_token_schema.py`, what a plan decides in
`resource_storage_token_plan.py`.
"""

from typing import TYPE_CHECKING, Final

from tf.schema import Schema
from tf.utils import Diagnostics

from crusoe_provider.provider import quota_plan, token_creation, token_moves
from crusoe_provider.provider.attributes import (
    ORGANIZATION_ID,
    PROFILE,
    TOKEN_IDENTITY,
    token_identity,
)
from crusoe_provider.provider.diagnostics import failing
from crusoe_provider.provider.reading import (
    NOT_REFRESHED,
    warn_if_disabled,
    warn_of_expiry,
    warn_of_lag,
    warn_of_loss,
    warn_of_no_proof,
)
from crusoe_provider.provider.resource_storage_token_plan import TokenPlan
from crusoe_provider.provider.resource_storage_token_schema import token_schema
from crusoe_provider.provider.token_creation import time_limit_of
from crusoe_provider.provider.token_import import find_keys, split_id, with_secret
from crusoe_provider.provider.validators import (
    check_alias,
    check_lifetime,
    check_organization_id,
    check_recipients,
    check_timeouts,
    given,
)
from crusoe_provider.providerserver.identity import IdentitySchema
from crusoe_provider.providerserver.resource import (
    CreateContext,
    DeleteContext,
    ImportContext,
    MoveSource,
    PlanContext,
    PlanDestroyContext,
    ReadContext,
    Resource,
    State,
    UpdateContext,
)
from crusoe_provider.tokens.encryption import Recipients
from crusoe_provider.tokens.errors import AnswerLost
from crusoe_provider.tokens.presence import Gone, Memory, NotListedYet, NotProved, Present
from crusoe_provider.tokens.token import Token, is_unknown

if TYPE_CHECKING:
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

_NOT_CREATED: Final = "Storage token not created"
_GONE: Final = "As long as it is in the configuration, a plan creates a new one with a new secret."


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
        return token_schema()

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
        check_recipients(diags, config)
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
        token, memory = Token.of_state(current), Memory.of(ctx.private)
        session = self._sessions.quietly(token.profile)
        stored = token.organization_id
        if session and (organization_id := quota_plan.home(session, stored, memory.home)):
            session.quota(organization_id).plan_release(token.access_key_id)

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        """Create the token; its secret is saved before anything else can fail."""
        plan = Token.of_plan(planned)
        session = self._sessions.get(plan.profile)
        given_id = None if is_unknown(plan.organization_id) else plan.organization_id
        with failing():
            organization_id = session.organization_id(given_id)
        plan = plan.but(organization_id=given_id if given_id is not None else organization_id)
        home = organization_id if given_id == "" else None
        # Before anything exists: a token whose secret could not be encrypted would be lost.
        recipients = Recipients(given(plan.encrypt_to) or ())
        try:
            with failing(_NOT_CREATED):
                token, memory = token_creation.make(
                    session,
                    organization_id,
                    plan,
                    time_limit=time_limit_of(plan.timeouts, "create"),
                )
        except AnswerLost as lost:
            if lost.left is not None:
                # Beside an error Terraform keeps a state as tainted: the next apply replaces it.
                Memory(home=home).keep(ctx.private)
                ctx.save(plan.but(expires_at=lost.expire_at).as_listed(lost.left).to_state())
            raise
        secret, token = token.secret_key, token.but(secret_key=None, encrypted_secret_key=None)
        memory.home = home
        memory.keep(ctx.private)
        # The token first, so that it cannot be lost over its secret.
        ctx.save(token.to_state())
        token = token.but(**recipients.kept(secret))
        ctx.save(token.to_state())
        token = token_creation.complete(ctx.diagnostics, session, organization_id, token, memory)
        memory.keep(ctx.private)
        return token.to_state()

    def read(  # type: ignore[override]  # see Resource
        self, ctx: ReadContext, current: State
    ) -> State | None:
        """Refresh the state from the list of keys; the secret stays what it was."""
        token, memory = Token.of_state(current), Memory.of(ctx.private)
        session = self._sessions.find(token.profile)
        if session is None:
            if self._sessions.warn_once("not refreshed"):
                ctx.diagnostics.add_warning(*NOT_REFRESHED)
            return current
        with failing("Storage token not read"):
            # A token moved from elsewhere may not say where it is.
            organization_id = session.organization_id(token.organization_id or memory.home)
            found = session.presence(organization_id).of(token, memory)
        match found:
            case Present():
                if memory.made is not None:
                    warn_of_expiry(ctx.diagnostics, session, token, found.key)
                token = memory.seen_again(token, found.key, session.now())
                memory.home = organization_id if token.organization_id == "" else None
                if session.awaits_secret(token.access_key_id):
                    memory.secret_due = token.access_key_id
                memory.keep(ctx.private)
                return self._refreshed(ctx, token, organization_id, session).to_state()
            case NotListedYet():
                warn_of_lag(ctx.diagnostics, token, found)
                return current
            case NotProved():
                warn_of_no_proof(ctx.diagnostics, token)
                return current
            case Gone():
                warn_of_loss(ctx.diagnostics, token, found, _GONE)
        return None

    def _refreshed(
        self, ctx: ReadContext, token: Token, organization_id: str, session: "Session"
    ) -> Token:
        warn_if_disabled(ctx.diagnostics, token)
        return token.but(
            organization_id=organization_id
            if token.organization_id is None
            else token.organization_id,
            ready_for_renewal=token.lifetime.ready_for_renewal(session.now()),
        )

    def update(  # type: ignore[override]  # see Resource
        self, ctx: UpdateContext, current: State, planned: State
    ) -> State | None:
        """Return the planned state, with the secret encrypted if the plan says so.

        Whatever the API stores can only be replaced.
        """
        del ctx
        plan, secret = Token.of_plan(planned), Token.of_state(current).secret_key
        if not (is_unknown(plan.secret_key) or is_unknown(plan.encrypted_secret_key)):
            return planned
        if secret is None:
            secret = self._sessions.get(plan.profile).import_secret
        recipients = Recipients(given(plan.encrypt_to) or ())
        return plan.but(**recipients.kept(secret)).to_state()

    def delete(  # type: ignore[override]  # see Resource
        self, ctx: DeleteContext, current: State
    ) -> None:
        """Revoke the token; one that is gone already is success."""
        token, memory = Token.of_state(current), Memory.of(ctx.private)
        session = self._sessions.get(token.profile)
        with failing("Storage token not deleted"):
            known = token.organization_id or memory.home
            organization_id = session.whereabouts(known, token.access_key_id)
            session.revoke_own(organization_id, token, memory)

    def import_(  # type: ignore[override]  # see Resource
        self,
        ctx: ImportContext,
        id: str,  # noqa: A002 - tf's name
    ) -> State | None:
        """Find a token by its token ID or access key ID, or by its identity.

        `<organization>/` may stand before an ID, and `@<profile>` behind it.
        """
        given_id, wanted, profile = split_id(id)
        if ctx.identity is not None:
            given_id = ctx.identity[ORGANIZATION_ID] or ""
            wanted = ctx.identity["access_key_id"] or ""
            profile = ctx.identity[PROFILE] or ""
        session = self._sessions.get(profile)
        organization_id, (key,) = find_keys(session, given_id, [wanted])
        token = Token.of_key(key, organization_id=organization_id, profile=profile or None)
        return with_secret(ctx.diagnostics, session, wanted, token).to_state()

    def move(self, diagnostics: Diagnostics, source: MoveSource) -> State | None:
        """Take over a key of Crusoe's own provider, or the only one of a rotating token."""
        del diagnostics
        return token_moves.to_token(source)

    def undo_create(self, state: State) -> None:
        """Revoke a token that Terraform, killed in between, cannot take into its state."""
        token = Token.of_state(state)
        token_creation.undo(self._sessions.get(token.profile), token)
