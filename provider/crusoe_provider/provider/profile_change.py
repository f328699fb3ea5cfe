"""What a change of `profile` means for an object that exists."""

from typing import TYPE_CHECKING, Any

from crusoe_provider.provider.diagnostics import Failure, failing
from crusoe_provider.provider.validators import given
from crusoe_provider.tokens.errors import NotKnownYet, OwnerUnknown
from crusoe_provider.tokens.token import is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions


def planned_session(sessions: "Sessions", profile: Any) -> "Session | None":
    """Return the session of a planned profile; `None` while that is not known yet.

    See also `Sessions.planned`.
    """
    return None if is_unknown(profile) else sessions.planned(profile)


def changes_user(
    sessions: "Sessions",
    before: str | None,
    after: Any,
    *,
    owner: str | None,
    organization_id: str | None,
    keys: "Iterable[str]",
) -> bool:
    """Say whether a planned profile is not certainly one of the user whose keys they are.

    The former profile need not exist any more: it may have got another name.

    Args:
        sessions: The sessions.
        before: The profile of the state.
        after: The planned profile, which may be unknown.
        owner: ID of the user who made the keys, if that is remembered.
        organization_id: Where the keys are.
        keys: Their access key IDs.
    """
    if not is_unknown(after) and given(before) == given(after):
        return False
    former = sessions.quietly(before)
    session = planned_session(sessions, after)
    if session is None or (former is not None and former.origin != session.origin):
        return True
    if former is session:
        return False
    try:
        with failing():
            caller = session.account.identity()
            if owner is not None:
                return caller.id != owner
            listed = session.account.keys(session.organization_id(organization_id))
        mine = {key.access_key_id for key in session.ownership.mine(listed, caller)}
    except (Failure, NotKnownYet, OwnerUnknown):
        if session.terraform.creates_nothing():
            return True  # nobody needs to know
        raise
    return mine.isdisjoint(keys)
