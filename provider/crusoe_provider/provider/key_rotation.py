"""Carrying out the update of a rotating token: the hands of `tokens.rotation`.

Where the secrets are to be encrypted, those that the state has are so before the first step, and
that of a new key before it is saved. So no state on the way has one in the clear.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from crusoe_provider.provider import token_creation
from crusoe_provider.provider.diagnostics import failing
from crusoe_provider.provider.validators import given
from crusoe_provider.providerserver.resource import State, UpdateContext
from crusoe_provider.tokens.encryption import Recipients
from crusoe_provider.tokens.errors import AnswerLost
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.rotation import Aim, Holding, carry_out
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import Token, is_unknown

if TYPE_CHECKING:
    from crusoe_provider.tokens.session import Session

_NOT_ROTATED: Final = "Storage token not rotated"
_NOT_REVOKED: Final = "Previous key of the storage token not revoked"


class KeyRotation:
    """The update of one rotating token.

    Args:
        session: The session.
        ctx: The context of the call.
        prior: The token as it is.
        planned: The token as it is to be.

    Attributes:
        organization_id: Where its keys are.
    """

    def __init__(
        self,
        session: "Session",
        ctx: UpdateContext,
        prior: RotatingToken,
        planned: RotatingToken,
    ) -> None:
        self._session = session
        self._ctx = ctx
        self._prior = prior
        self._planned = planned
        self._memory = RotationMemory.of(ctx.private)
        self._memory.plans_anew()
        self._memory.teach(session.ownership)
        # Before anything exists: a key whose secret could not be encrypted would be lost.
        self._recipients = Recipients(given(planned.encrypt_to) or ())
        with failing(_NOT_ROTATED):
            self.organization_id = session.organization_id(
                prior.organization_id or self._memory.home
            )
        before = [token for token in (prior.current, prior.previous) if token is not None]
        kept = [self._kept(token) for token in before]
        self._tokens = {token.access_key_id: token for token in kept}
        self._took_up = kept != before
        if given(prior.encrypt_to) is None:
            # It is taken up at once, with whatever else the plan says still to be done.
            self._prior = prior.but(encrypt_to=planned.encrypt_to)

    def carry_out(self) -> State:
        """Take the steps, and return the state at the end."""
        holding = self._prior.holding._replace(leaving=self._memory.leaving)
        aim = Aim(
            rotate=is_unknown(self._planned.access_key_id),
            kept=self._planned.previous_access_key_id,
        )
        if aim.rotate:
            with failing(_NOT_ROTATED):
                self._check_owner()
        if self._took_up:
            self.save(holding, rotated=False)
        holding = carry_out(holding, aim, self)
        if aim.rotate:
            self._complete(holding)
        self._memory.keep(holding, self._ctx.private)
        return self._state(holding, rotated=True)

    # -- The hands -----------------------------------------------------------------------------

    def revoke(self, key: str) -> None:
        """Revoke a key; one that is gone already is success."""
        with failing(_NOT_REVOKED):
            self._session.revoke_own(self.organization_id, self._token_of(key))

    def create(self, make_room: Callable[[], bool]) -> str:
        """Create a key, and return it."""
        try:
            with failing(_NOT_ROTATED):
                token, memory = token_creation.make(
                    self._session,
                    self.organization_id,
                    self._planned.next_token(),
                    time_limit=token_creation.time_limit_of(self._planned.timeouts, "update"),
                    make_room=make_room,
                )
        except AnswerLost as lost:
            lost.rotating = True
            raise
        try:
            token = token.but(**self._recipients.kept(token.secret_key))
        except BaseException:
            token_creation.undo(self._session, token, self.organization_id)
            raise
        self._tokens[token.access_key_id] = token
        self._memory.keys[token.access_key_id] = memory
        return token.access_key_id

    def save(self, holding: Holding, *, rotated: bool) -> None:
        """Store what is held now: as planned with the new key, as it was before without."""
        self._memory.keep(holding, self._ctx.private)
        self._ctx.save(self._state(holding, rotated=rotated))

    # -- Helpers -------------------------------------------------------------------------------

    def _state(self, holding: Holding, *, rotated: bool) -> State:
        """Return the state with these keys.

        Until the new key is there what asks for it stays as it was, so that the next plan still
        does.
        """
        token = self._planned if rotated else self._prior
        token = token.with_current(self._tokens.get(holding.current or ""))
        token = token.with_previous(self._tokens.get(holding.previous or ""))
        waiting = not rotated and holding.previous is not None
        ready = bool(holding.leaving) or (waiting and self._prior.ready_for_revocation)
        return token.but(ready_for_revocation=ready).to_state()

    def _kept(self, token: Token) -> Token:
        """Return a key that is there as the plan keeps it: with its secret encrypted, or as it is.

        An imported key gets the secret that the environment has for it.
        """
        secret = token.secret_key
        if secret is None and self._is_awaited(token.access_key_id):
            secret = self._session.import_secret
            self._memory.of_key(token.access_key_id).secret_due = None
        return token if secret is None else token.but(**self._recipients.kept(secret))

    def _is_awaited(self, access_key_id: str) -> bool:
        """Say whether the plan has a secret to come for a key that is there."""
        for planned in (self._planned.current, self._planned.previous):
            if planned is not None and planned.access_key_id == access_key_id:
                return is_unknown(planned.secret_key) or is_unknown(planned.encrypted_secret_key)
        return False

    def _complete(self, holding: Holding) -> None:
        key = holding.current or ""
        self._tokens[key] = token_creation.complete(
            self._ctx.diagnostics,
            self._session,
            self.organization_id,
            self._tokens[key],
            self._memory.of_key(key),
        )

    def _check_owner(self) -> None:
        token = self._token_of(next(iter(self._prior.holding.keys), ""))
        self._session.presence(self.organization_id).check_owner(token)

    def _token_of(self, key: str) -> Token:
        return self._tokens.get(key) or Token(access_key_id=key, user_id=self._prior.user_id)
