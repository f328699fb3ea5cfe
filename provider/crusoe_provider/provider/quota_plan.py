"""Plans and the quota: what every resource does that plans to create a key."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crusoe_provider.api.errors import CrusoeError, PermissionDenied
from crusoe_provider.provider.attributes import ORGANIZATION_ID
from crusoe_provider.provider.diagnostics import failing, owner_unknown
from crusoe_provider.provider.quota_texts import (
    GAP,
    GAP_REPLACE,
    NOT_CHECKED,
    NOT_CHECKED_BLIND,
    not_free_yet,
)
from crusoe_provider.tokens.errors import NotKnownYet, OwnerUnknown
from crusoe_provider.tokens.token import is_unknown

if TYPE_CHECKING:
    from tf.utils import Diagnostics

    from crusoe_provider.tokens.quota import Quota
    from crusoe_provider.tokens.session import Session


def organization(session: "Session", config: Mapping[str, Any], wanted: Any) -> str | None:
    """Return the organization of a new token, if it can be known already.

    Args:
        session: The session.
        config: The configuration of the resource.
        wanted: Its planned organization.
    """
    if is_unknown(wanted):
        if is_unknown(config[ORGANIZATION_ID]):
            return None
        wanted = None
    # Where it cannot be told what Terraform does, a plan is not checked, and nobody asks.
    if session.key_limit and (session.terraform.is_planning() or session.terraform.is_applying()):
        session.account.expect_identity()
    with failing():
        try:
            return session.organization_id(wanted)
        except NotKnownYet:
            return None
        except CrusoeError:
            if session.terraform.creates_nothing():
                return None  # nobody needs it
            raise


def home(session: "Session", stored: str | None, remembered: str | None = None) -> str | None:
    """Return the organization of an existing token, if it can be told.

    Args:
        session: The session.
        stored: What the state has; an empty text where a module has handed one on, and nothing
            where the token was moved from elsewhere. Both stand for the default one.
        remembered: Which one that was when the token was made, if it was that one.
    """
    if stored or remembered:
        return stored or remembered
    if stored is None:
        return None
    try:
        return session.organization_id(None)
    except (CrusoeError, NotKnownYet):
        return None  # the refresh meets it too, and reports it


def moves(
    session: "Session | None", before: str | None, after: Any, *, remembered: str | None
) -> bool:
    """Say whether a token gets another organization.

    Args:
        session: The session; `None` while it is not known yet.
        before: What the state has.
        after: What is planned, which may be unknown. Nothing and an empty text stand for the
            default one.
        remembered: Which one that was when the token was made, if it was that one.
    """
    if is_unknown(after):
        return True
    if not before and not after:
        return False  # it stays where it is, whatever has become the default one since
    default = home(session, "") if session is not None and not (before and after) else None
    one, other = before or remembered or default, after or default
    if one and other:
        return bool(one != other)
    return bool(before) != bool(after)  # nobody knows which one is the default


def count_creation(session: "Session", quota: "Quota", diagnostics: "Diagnostics") -> bool:
    """Count a planned creation; return whether there certainly is, or comes free, a slot for it.

    Raises:
        PlanExceedsQuota: The plan cannot be carried out.
        Failure: The keys could not be read.
    """
    try:
        checked = quota.plan_creation()
    except (PermissionDenied, OwnerUnknown) as error:
        if session.warn_once("limit not checked"):
            reason = owner_unknown(error) if isinstance(error, OwnerUnknown) else str(error)
            diagnostics.add_warning(
                NOT_CHECKED,
                session.told(
                    f"{reason}\n\nThe plan goes on without knowing whether there is a free slot "
                    "for the tokens that it creates."
                ),
            )
        return False
    except CrusoeError:
        with failing(NOT_CHECKED):
            raise
    if not checked and session.warn_once("limit blind"):
        diagnostics.add_warning(NOT_CHECKED, session.told(NOT_CHECKED_BLIND))
    leans_on = quota.leans_on()
    if leans_on and session.warn_once("gap"):
        found = not_free_yet(leans_on)
        diagnostics.add_warning(found.summary, session.told(found.detail))
    return checked


def warn_of_gap(session: "Session", quota: "Quota", diagnostics: "Diagnostics") -> None:
    """Warn of a replacement while no slot is free.

    In the first half of its planning, because Terraform drops the warnings of the second.
    """
    _warn_if_full(session, quota, diagnostics, GAP)


def warn_of_gap_by_command(
    session: "Session", quota: "Quota", resource_type: str, diagnostics: "Diagnostics"
) -> None:
    """Warn while no slot is free if the command is told to replace one of the tokens, once.

    Which one is not to be seen: the first half of its planning is that of an ordinary update. So
    this says nothing where it may be somebody else's, or none that Terraform looks at.
    """
    terraform = session.terraform
    if (
        session.warn_once("command")
        and terraform.replaces(resource_type) > 0
        and terraform.loads_whole_state()
    ):
        _warn_if_full(session, quota, diagnostics, GAP_REPLACE)


def _warn_if_full(
    session: "Session", quota: "Quota", diagnostics: "Diagnostics", text: tuple[str, str]
) -> None:
    try:
        full = quota.is_full()
    except (CrusoeError, OwnerUnknown):
        return  # the creation meets it too, and reports it
    if full and session.warn_once("gap"):
        summary, detail = text
        diagnostics.add_warning(summary, session.told(detail))
