"""The resource `crusoe_storage_rotating_token`: two API keys that take turns.

What a plan decides is in `resource_storage_rotating_token_plan.py`, which steps that takes in
`tokens/rotation.py`.
"""

from typing import TYPE_CHECKING, Final

from tf import iface
from tf.schema import Schema
from tf.utils import Diagnostics

from crusoe_provider.provider import token_creation, token_moves
from crusoe_provider.provider.attributes import PROFILE
from crusoe_provider.provider.diagnostics import failing
from crusoe_provider.provider.key_rotation import KeyRotation
from crusoe_provider.provider.reading import (
    NOT_REFRESHED,
    warn_if_disabled,
    warn_of_lag,
    warn_of_loss,
    warn_of_no_proof,
)
from crusoe_provider.provider.resource_storage_rotating_token_plan import RotatingTokenPlan
from crusoe_provider.provider.resource_storage_rotating_token_schema import rotating_token_schema
from crusoe_provider.provider.token_import import claim_secret, find_keys, split_id
from crusoe_provider.provider.validators import (
    check_alias,
    check_organization_id,
    check_rotation,
    check_timeouts,
)
from crusoe_provider.providerserver.resource import (
    CreateContext,
    DeleteContext,
    MoveSource,
    PlanContext,
    PlanDestroyContext,
    ReadContext,
    Resource,
    State,
    UpdateContext,
)
from crusoe_provider.tokens.errors import AnswerLost
from crusoe_provider.tokens.presence import Gone, NotListedYet, NotProved, Present
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.rotation import Holding
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import Token, is_unknown

if TYPE_CHECKING:
    from crusoe_provider.tokens.presence import Presence
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

_NOT_CREATED: Final = "Storage token not created"
_CURRENT_GONE: Final = (
    "The next plan makes a new one in its place. The previous key stays what it is until then, and "
    "after it."
)
_BOTH_GONE: Final = (
    "As long as the rotating token is in the configuration, a plan creates it anew, with a new "
    "secret."
)


class StorageRotatingTokenResource(Resource):
    """A storage token that is rotated in place: its current key, and the one before it."""

    def __init__(self, sessions: "Sessions") -> None:
        self._sessions = sessions

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_rotating_token"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return rotating_token_schema()

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_alias(diags, config)
        check_rotation(diags, config)
        check_organization_id(diags, config)
        check_timeouts(diags, config)

    def observe(self, state: State) -> None:
        """Count the keys among those of this state, and see for a plan what has come meanwhile.

        An apply goes by what its plan has seen.
        """
        token = RotatingToken.of_plan(state)
        for key in token.holding.keys:
            self._sessions.tallies.observe(key)
        session = self._sessions.quietly(token.profile)
        if session is not None and token.holding.keys and session.terraform.is_planning():
            state |= token.as_of(session.now()).to_state()

    def plan(  # type: ignore[override]  # see Resource
        self, ctx: PlanContext, current: State | None, planned: State
    ) -> State:
        """Plan what is known, and check that there is room; see `Resource.plan`."""
        plan = RotatingTokenPlan(self._sessions, planned[PROFILE], ctx)
        if current is None:
            return plan.creation(RotatingToken.of_plan(planned)).to_state()
        return plan.update(RotatingToken.of_state(current), planned).to_state()

    def plan_destroy(self, ctx: PlanDestroyContext, current: State) -> None:
        """Count the slots that come free."""
        token = RotatingToken.of_state(current)
        session = self._sessions.quietly(token.profile)
        if session is not None and token.organization_id:
            quota = session.quota(token.organization_id)
            for key in _held(token, RotationMemory.of(ctx.private)).keys:
                quota.plan_release(key)

    def create(  # type: ignore[override]  # see Resource
        self, ctx: CreateContext, planned: State
    ) -> State | None:
        """Create the first key; its secret is saved before anything else can fail."""
        plan = RotatingToken.of_plan(planned)
        session = self._sessions.get(plan.profile)
        given_id = None if is_unknown(plan.organization_id) else plan.organization_id
        with failing():
            organization_id = session.organization_id(given_id)
        plan = plan.but(organization_id=given_id if given_id is not None else organization_id)
        try:
            with failing(_NOT_CREATED):
                token, key_memory = token_creation.make(
                    session,
                    organization_id,
                    plan.next_token(),
                    time_limit=token_creation.time_limit_of(plan.timeouts, "create"),
                )
        except AnswerLost as lost:
            if lost.left is not None:
                # Beside an error Terraform keeps a state as tainted: the next apply replaces it.
                ctx.private.clear()
                ctx.save(plan.begun_with(Token.of_key(lost.left)).to_state())
            raise
        memory = RotationMemory(keys={token.access_key_id: key_memory})
        memory.look(session.now())
        plan = plan.begun_with(token)
        memory.keep(plan.holding, ctx.private)
        ctx.save(plan.to_state())
        token = token_creation.complete(
            ctx.diagnostics, session, organization_id, token, key_memory
        )
        memory.keep(plan.holding, ctx.private)
        return plan.begun_with(token).to_state()

    def read(  # type: ignore[override]  # see Resource
        self, ctx: ReadContext, current: State
    ) -> State | None:
        """Refresh the state from the list of keys; the secrets stay what they were."""
        rotating, memory = RotatingToken.of_state(current), RotationMemory.of(ctx.private)
        session = self._sessions.find(rotating.profile)
        if session is None:
            if self._sessions.warn_once("not refreshed"):
                ctx.diagnostics.add_warning(*NOT_REFRESHED)
            return current
        with failing("Storage token not read"):
            # A token moved from elsewhere may not say where it is.
            organization_id = session.organization_id(rotating.organization_id)
            presence = session.presence(organization_id)
            refreshed = _Refresh(ctx, session, presence, memory).of(rotating)
        if refreshed is None:
            return None
        if refreshed.organization_id is None:
            refreshed = refreshed.but(organization_id=organization_id)
        return refreshed.to_state()

    def update(  # type: ignore[override]  # see Resource
        self, ctx: UpdateContext, current: State, planned: State
    ) -> State | None:
        """Take the steps that the plan shows; each is saved as it is done."""
        plan = RotatingToken.of_plan(planned)
        session = self._sessions.get(plan.profile)
        rotation = KeyRotation(session, ctx, RotatingToken.of_state(current), plan)
        return rotation.carry_out()

    def delete(  # type: ignore[override]  # see Resource
        self, ctx: DeleteContext, current: State
    ) -> None:
        """Revoke all keys, the current one last; those that are gone already are success."""
        token = RotatingToken.of_state(current)
        session = self._sessions.get(token.profile)
        memory = RotationMemory.of(ctx.private)
        memory.teach(session.ownership)
        with failing("Storage token not deleted"):
            organization_id = session.organization_id(token.organization_id)
            for key in _held(token, memory).keys:
                if not session.revoke(organization_id, key):
                    # For another user than the owner every token is absent.
                    session.presence(organization_id).check_owner(
                        Token(access_key_id=key, user_id=token.user_id)
                    )

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        """Find the current key, and the previous one behind a comma, by token or access key ID."""
        given_id, names, profile = split_id(id)
        session = self._sessions.get(profile)
        wanted = [name.strip() for name in names.split(",", 1)]
        organization_id, keys = find_keys(session, given_id, wanted)
        secret_key = claim_secret(ctx.diagnostics, session, wanted[0])
        tokens = [Token.of_key(key) for key in keys]
        rotating = RotatingToken(
            id=tokens[0].id,
            alias=tokens[0].alias,
            organization_id=organization_id,
            profile=profile or None,
            user_id=tokens[0].user_id,
        ).with_current(tokens[0].but(secret_key=secret_key))
        return rotating.with_previous(tokens[1] if tokens[1:] else None).to_state()

    def move(self, diagnostics: Diagnostics, source: MoveSource) -> State | None:
        """Take over a storage token, or a key of Crusoe's own provider, secret included."""
        del diagnostics
        return token_moves.to_rotating_token(source)

    def undo_create(self, state: State) -> None:
        """Revoke a key that Terraform, killed in between, cannot take into its state."""
        token = RotatingToken.of_state(state).current
        if token is not None:
            token_creation.undo(self._sessions.get(token.profile), token)

    def undo_update(self, state: State, prior: State) -> None:
        """Revoke the new key of a rotation; the one before it still works."""
        token = RotatingToken.of_state(state).current
        if token is not None and token.access_key_id != prior["access_key_id"]:
            token_creation.undo(self._sessions.get(token.profile), token)


class _Refresh:
    """Brings the two keys of a state up to date.

    Args:
        ctx: The context of the call.
        session: The session.
        presence: Looks for keys.
        memory: What is remembered of them.
    """

    def __init__(
        self, ctx: ReadContext, session: "Session", presence: "Presence", memory: RotationMemory
    ) -> None:
        self._ctx = ctx
        self._session = session
        self._presence = presence
        self._memory = memory

    def of(self, rotating: RotatingToken) -> RotatingToken | None:
        """Return the state as it is now; `None` if all is gone."""
        diagnostics, before = self._ctx.diagnostics, rotating.current
        current, previous = self._look_for(before), self._look_for(rotating.previous)
        if isinstance(current, Gone) and before is not None:
            then = _BOTH_GONE if isinstance(previous, Gone | None) else _CURRENT_GONE
            warn_of_loss(diagnostics, before, current, then)
        current = None if isinstance(current, Gone) else current
        previous = None if isinstance(previous, Gone) else previous
        if current is None and previous is None:
            return None
        if current is not None:
            warn_if_disabled(diagnostics, current)
        leaving = tuple(key for key in self._memory.leaving if self._is_there(key, rotating))
        refreshed = rotating.with_current(current).with_previous(previous)
        if current is not None:
            refreshed = refreshed.but(alias=current.alias, id=rotating.id or current.id)
        owned = current or previous
        refreshed = refreshed.but(
            user_id=owned.user_id if owned else None,
            ready_for_rotation=False,
            ready_for_revocation=bool(leaving),
        )
        self._memory.look(self._session.now())
        self._memory.counted = False
        self._memory.keep(refreshed.holding._replace(leaving=leaving), self._ctx.private)
        return refreshed.as_of(self._session.now())

    def _look_for(self, token: Token | None) -> Token | Gone | None:
        if token is None:
            return None
        memory = self._memory.of_key(token.access_key_id)
        match self._presence.of(token, memory):
            case Present(key):
                return memory.seen_again(token, key, self._session.now())
            case NotListedYet() as found:
                warn_of_lag(self._ctx.diagnostics, token, found)
                return token
            case NotProved():
                warn_of_no_proof(self._ctx.diagnostics, token)
                return token
            case gone:
                return gone

    def _is_there(self, key: str, rotating: RotatingToken) -> bool:
        token = Token(access_key_id=key, user_id=rotating.user_id)
        return not isinstance(self._presence.of(token, self._memory.of_key(key)), Gone)


def _held(token: RotatingToken, memory: RotationMemory) -> Holding:
    return token.holding._replace(leaving=memory.leaving)
