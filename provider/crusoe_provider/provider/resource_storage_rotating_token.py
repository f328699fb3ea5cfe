"""The resource `crusoe_storage_rotating_token`: two API keys that take turns.

What a plan decides is in `resource_storage_rotating_token_plan.py`, which steps that takes in
`tokens/rotation.py`.
"""

from typing import TYPE_CHECKING, Final

from tf import iface
from tf.schema import Schema
from tf.utils import Diagnostics

from crusoe_provider.provider import quota_plan, token_creation, token_moves
from crusoe_provider.provider.attributes import PROFILE
from crusoe_provider.provider.diagnostics import failing
from crusoe_provider.provider.key_refresh import KeyRefresh
from crusoe_provider.provider.key_rotation import KeyRotation
from crusoe_provider.provider.reading import NOT_REFRESHED
from crusoe_provider.provider.resource_storage_rotating_token_plan import RotatingTokenPlan
from crusoe_provider.provider.resource_storage_rotating_token_schema import rotating_token_schema
from crusoe_provider.provider.token_import import find_keys, split_id, with_secret
from crusoe_provider.provider.validators import (
    check_alias,
    check_organization_id,
    check_recipients,
    check_rotation,
    check_timeouts,
    given,
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
from crusoe_provider.tokens.encryption import Recipients
from crusoe_provider.tokens.errors import AnswerLost
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.rotation import Holding
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import Token, is_unknown

if TYPE_CHECKING:
    from crusoe_provider.tokens.sessions import Sessions

_NOT_CREATED: Final = "Storage token not created"


class StorageRotatingTokenResource(Resource):
    """A storage token that is rotated in place: its current key, and the one before it."""

    def __init__(self, sessions: "Sessions") -> None:
        self._sessions = sessions
        # Where the update that this object was made for has found the keys.
        self._organization_id: str | None = None

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
        check_recipients(diags, config)
        check_timeouts(diags, config)

    def observe(self, state: State) -> None:
        """Count the keys among those of this state, and see for a plan what has come meanwhile.

        An apply goes by what its plan has seen.
        """
        token = RotatingToken.of_plan(state)
        for key in token.holding.keys:
            self._sessions.tallies.observe(key)
        session = self._sessions.quietly(token.profile)
        if session is not None and session.terraform.is_planning():
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
        token, memory = RotatingToken.of_state(current), RotationMemory.of(ctx.private)
        session = self._sessions.quietly(token.profile)
        stored = token.organization_id
        if session and (organization_id := quota_plan.home(session, stored, memory.home)):
            quota = session.quota(organization_id)
            for key in _held(token, memory).keys:
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
        home = organization_id if given_id == "" else None
        # Before anything exists: a key whose secret could not be encrypted would be lost.
        recipients = Recipients(given(plan.encrypt_to) or ())
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
                RotationMemory(home=home).keep(Holding(None), ctx.private)
                ctx.save(plan.begun_with(Token.of_key(lost.left)).to_state())
            raise
        memory = RotationMemory(
            keys={token.access_key_id: key_memory},
            home=home,
        )
        memory.look(session.now())
        secret, token = token.secret_key, token.but(secret_key=None, encrypted_secret_key=None)
        plan = plan.begun_with(token)
        memory.keep(plan.holding, ctx.private)
        # The key first, so that it cannot be lost over its secret.
        ctx.save(plan.to_state())
        token = token.but(**recipients.kept(secret))
        ctx.save(plan.begun_with(token).to_state())
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
            organization_id = session.organization_id(rotating.organization_id or memory.home)
            memory.home = organization_id if rotating.organization_id == "" else None
            presence = session.presence(organization_id)
            refreshed = KeyRefresh(ctx, session, presence, memory).of(rotating)
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
        self._organization_id = rotation.organization_id
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
            known = token.organization_id or memory.home
            for key in _held(token, memory).keys:
                held = Token(access_key_id=key, user_id=token.user_id)
                session.revoke_own(session.whereabouts(known, key), held)

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:  # noqa: A002 - tf's name
        """Find the current key, and the previous one behind a comma, by token or access key ID."""
        given_id, names, profile = split_id(id)
        session = self._sessions.get(profile)
        wanted = [name.strip() for name in names.split(",", 1)]
        organization_id, keys = find_keys(session, given_id, wanted)
        tokens = [Token.of_key(key) for key in keys]
        current = with_secret(ctx.diagnostics, session, wanted[0], tokens[0])
        rotating = RotatingToken(
            id=tokens[0].id,
            alias=tokens[0].alias,
            organization_id=organization_id,
            profile=profile or None,
            user_id=tokens[0].user_id,
        ).with_current(current)
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
        token = RotatingToken.of_plan(state).current
        if token is not None and token.access_key_id != prior["access_key_id"]:
            session = self._sessions.get(token.profile)
            token_creation.undo(session, token, self._organization_id)


def _held(token: RotatingToken, memory: RotationMemory) -> Holding:
    return token.holding._replace(leaving=memory.leaving)
