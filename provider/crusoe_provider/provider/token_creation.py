"""A new key, from the request to the state: what every resource does that makes one."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.reading import warn_of_expiry
from crusoe_provider.provider.validators import given
from crusoe_provider.tokens.durations import parse_duration
from crusoe_provider.tokens.lifetime import expiry_after
from crusoe_provider.tokens.presence import Memory
from crusoe_provider.tokens.token import Token, is_unknown

if TYPE_CHECKING:
    from tf.utils import Diagnostics

    from crusoe_provider.tokens.session import Session

logger = logging.getLogger(__name__)

# How long a creation waits for a slot unless a timeouts block says otherwise.
_DEFAULT_TIMEOUT: Final = timedelta(minutes=2)


def make(
    session: "Session",
    organization_id: str,
    plan: Token,
    *,
    time_limit: timedelta | None,
    make_room: Callable[[], bool] | None = None,
) -> tuple[Token, Memory]:
    """Create the token that is planned, and return it with what is to be remembered of it.

    Args:
        session: The session.
        organization_id: Where to create it.
        plan: The token, in which only the creation makes some values known.
        time_limit: How long to wait for a slot; `None` for two minutes, or less once nothing in
            this apply can free one.
        make_room: Frees a slot where none is; see `Quota.reserve`.

    Raises:
        TokenError: See `Creation.create`.
        CrusoeError: Nothing was created.
    """
    created = session.creation(organization_id).create(
        alias=given(plan.alias),
        expire_at=lambda: _expiry(session, plan),
        seconds=(time_limit or _DEFAULT_TIMEOUT).total_seconds(),
        patient=time_limit is not None,
        make_room=make_room,
    )
    # Where it is encrypted no attribute carries it, from which the log would learn of it.
    session.hide(created.key.secret_key)
    token = plan.but(
        access_key_id=created.key.access_key_id,
        secret_key=created.key.secret_key,
        expires_at=created.expire_at if is_unknown(plan.expires_at) else plan.expires_at,
        user_id=created.creator.id,
    )
    memory = Memory()
    memory.created(token, created.creator, session.now())
    return token, memory


def complete(
    diagnostics: "Diagnostics",
    session: "Session",
    organization_id: str,
    token: Token,
    memory: Memory,
) -> Token:
    """Return a token just created with what only the list tells; warn where it does not."""
    problem = "Crusoe's list of tokens does not show it yet."
    try:
        key = session.creation(organization_id).listed(token.access_key_id)
    except CrusoeError as error:
        key, problem = None, f"Crusoe's list of tokens could not be read: {error}"
    if key is not None:
        warn_of_expiry(diagnostics, session, token, key)
        return memory.first_seen(token, key, session.now())
    diagnostics.add_warning(
        "Storage token created, but not yet listed",
        session.told(
            f"Access key {token.access_key_id} was created and its secret is in the state. "
            f"{problem}\n\n"
            "Nothing needs to be done: its ID, status and creation time are filled in at the next "
            "refresh, for example by the next terraform plan."
        ),
    )
    return token


def undo(session: "Session", token: Token, organization_id: str | None = None) -> None:
    """Revoke a token that Terraform, killed in between, cannot take into its state.

    Args:
        session: The session.
        token: The token.
        organization_id: Where it was made, if that is another organization than it says.
    """
    try:
        organization_id = session.organization_id(organization_id or token.organization_id)
        session.revoke(organization_id, token.access_key_id, finish=True)
        logger.warning("Revoked %s: Terraform ended before it could store it", token.name)
    except CrusoeError as error:
        logger.error("%s is in no state: %s", token.name, error)  # noqa: TRY400 - the traceback says no more


def time_limit_of(timeouts: Mapping[str, str | None] | None, operation: str) -> timedelta | None:
    """Return how long an operation may wait for a slot, if a timeouts block says so."""
    value = given((timeouts or {}).get(operation))
    return parse_duration(value) if value else None


def _expiry(session: "Session", plan: Token) -> str | None:
    """Return the expiry of a token that is created now."""
    if not is_unknown(plan.expires_at):
        return given(plan.expires_at)  # type: ignore[no-any-return]  # a text or nothing
    after = given(plan.expires_after)  # unknown in the plan, it may turn out to be null
    return None if after is None else expiry_after(parse_duration(after), session.now())
