"""Planning a rotating token: what becomes of the secrets of the keys that are there."""

from typing import TYPE_CHECKING, Any

from crusoe_provider.provider.diagnostics import Refusal
from crusoe_provider.provider.encryption_texts import EARLIER_STATES_OF_TWO, SECRET_NEEDED
from crusoe_provider.provider.validators import given
from crusoe_provider.providerserver.resource import PlanContext
from crusoe_provider.tokens import encryption
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import Token

if TYPE_CHECKING:
    from crusoe_provider.tokens.session import Session


class SecretsPlan:
    """The plan for the secrets of one rotating token.

    Args:
        session: The session; `None` while it is not known yet.
        ctx: The context of the call.
        memory: What is remembered of the keys.
    """

    def __init__(self, session: "Session | None", ctx: PlanContext, memory: RotationMemory) -> None:
        self._session = session
        self._ctx = ctx
        self._memory = memory

    def of(self, current: RotatingToken, encrypt_to: Any) -> RotatingToken:
        """Return the keys that are there with what becomes of their secrets.

        Named recipients take up every secret that the state, or for an import the environment, has
        in the clear.

        Args:
            current: The token as it is.
            encrypt_to: The planned recipients; they may be unknown, all or some.
        """
        encrypt_to = given(encrypt_to)
        tokens = [current.current, current.previous]
        clear = [token is not None and token.secret_key is not None for token in tokens]
        if encrypt_to is not None:
            tokens = [
                token.but(**encryption.planned(encrypt_to)) if token and is_clear else token
                for token, is_clear in zip(tokens, clear, strict=True)
            ]
            if any(clear):
                self._warn()
        secrets = (current.secret_key, current.encrypted_secret_key)
        if tokens[0] is not None and secrets == (None, None):
            tokens[0] = self._with_imported_secret(tokens[0], encrypt_to)
        return current.with_current(tokens[0]).with_previous(tokens[1])

    def _with_imported_secret(self, token: Token, encrypt_to: Any) -> Token:
        session, memory = self._session, self._memory.of_key(token.access_key_id)
        if not memory.secret_due or session is None:
            return token
        # An import that was not finished may still wait when the variable holds another's secret.
        secret = session.claim_import_secret(token.access_key_id)
        if secret is not None:
            return token.but(**encryption.planned_import(secret, encrypt_to))
        if session.terraform.is_applying():
            raise Refusal(SECRET_NEEDED)
        return token

    def _warn(self) -> None:
        session = self._session
        # A replacement revokes the keys, which makes their secrets worthless.
        if session is None or session.terraform.is_applying() or self._ctx.requires_replace:
            return
        self._ctx.diagnostics.add_warning(*EARLIER_STATES_OF_TWO)
