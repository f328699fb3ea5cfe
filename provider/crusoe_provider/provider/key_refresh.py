"""The refresh of a rotating token: what has become of its two keys."""

from typing import TYPE_CHECKING, Final

from crusoe_provider.provider.reading import (
    warn_if_disabled,
    warn_of_expiry,
    warn_of_lag,
    warn_of_loss,
    warn_of_no_proof,
)
from crusoe_provider.providerserver.resource import ReadContext
from crusoe_provider.tokens.presence import Gone, NotListedYet, NotProved, Present
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import Token

if TYPE_CHECKING:
    from crusoe_provider.tokens.presence import Presence
    from crusoe_provider.tokens.session import Session

_CURRENT_GONE: Final = (
    "The next plan makes a new one in its place. The previous key stays what it is until then, and "
    "after it."
)
_ONE_LEFT_TO_REVOKE: Final = (
    "The next plan makes a new one in its place, and revokes the one that is still to be revoked."
)
_ALL_GONE: Final = (
    "As long as the rotating token is in the configuration, a plan creates it anew, with a new "
    "secret."
)


class KeyRefresh:
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
        leaving = tuple(key for key in self._memory.leaving if self._is_there(key, rotating))
        if isinstance(current, Gone) and before is not None:
            rest = _ONE_LEFT_TO_REVOKE if leaving else _ALL_GONE
            then = rest if isinstance(previous, Gone | None) else _CURRENT_GONE
            warn_of_loss(diagnostics, before, current, then)
        current = None if isinstance(current, Gone) else current
        previous = None if isinstance(previous, Gone) else previous
        if current is None and previous is None and rotating.holding.keys and not leaving:
            return None
        if current is not None:
            warn_if_disabled(diagnostics, current)
        refreshed = rotating.with_current(current).with_previous(previous)
        if current is not None:
            refreshed = refreshed.but(alias=current.alias, id=rotating.id or current.id)
        owned = current or previous
        refreshed = refreshed.but(
            user_id=owned.user_id if owned else rotating.user_id,
            ready_for_rotation=False,
            ready_for_revocation=bool(leaving),
        )
        self._memory.look(self._session.now())
        self._memory.plans_anew()
        self._memory.keep(refreshed.holding._replace(leaving=leaving), self._ctx.private)
        return refreshed.as_of(self._session.now())

    def _look_for(self, token: Token | None) -> Token | Gone | None:
        if token is None:
            return None
        memory = self._memory.of_key(token.access_key_id)
        match self._presence.of(token, memory):
            case Present(key):
                if memory.made is not None:
                    warn_of_expiry(self._ctx.diagnostics, self._session, token, key)
                if self._session.awaits_secret(token.access_key_id):
                    memory.secret_due = token.access_key_id
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
