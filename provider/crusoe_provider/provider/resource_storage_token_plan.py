"""Planning a storage token: what will be known, what replaces it, and whether there is room.

Terraform asks for a plan per instance, and for a replacement twice: first with the token as it is,
then for its successor. The private data of the first comes with the second, and names the key that
is given up. An apply plans every creation once more; what the plan has decided stays decided.
"""

from typing import TYPE_CHECKING, Any, Final

from tf.types import Unknown

from crusoe_provider.api.errors import CrusoeError, PermissionDenied
from crusoe_provider.provider.attributes import ORGANIZATION_ID, PROFILE
from crusoe_provider.provider.diagnostics import Refusal, failing, owner_unknown, told
from crusoe_provider.provider.quota_texts import GAP, NOT_CHECKED, NOT_CHECKED_BLIND
from crusoe_provider.provider.validators import given
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.resource import PlanContext, State
from crusoe_provider.tokens.errors import NotKnownYet, OwnerUnknown
from crusoe_provider.tokens.lifetime import Standing
from crusoe_provider.tokens.presence import Memory
from crusoe_provider.tokens.token import Token, is_unknown

if TYPE_CHECKING:
    from crusoe_provider.tokens.quota import Quota
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

_LATER_DATE: Final = (
    "Set expires_at to a later date, or use expires_after for a token that is renewed by itself."
)
_DATE_OF_ITS_OWN: Final = (
    "Set expires_at to a later date, or use expires_after instead, which gives every new token a "
    "date of its own."
)
# Arguments whose change replaces the token; of rotate_when_changed and the expiry see below.
_REPLACING: Final = ("alias", ORGANIZATION_ID, "expires_at")


class TokenPlan:
    """The plan for one token.

    Args:
        sessions: The sessions.
        profile: The planned profile, which may be unknown.
        ctx: The context of the call.
    """

    def __init__(self, sessions: "Sessions", profile: Any, ctx: PlanContext) -> None:
        self._sessions = sessions
        # None while the profile or the provider block is not known yet.
        self._session = None if is_unknown(profile) else sessions.find(profile)
        self._ctx = ctx

    # -- A token that is to be created ---------------------------------------------------------

    def creation(self, planned: Token) -> Token:
        """Return the plan for a new token, which may be the successor of another."""
        config, session = self._ctx.config, self._session
        planned = planned.but(ready_for_renewal=False)
        if config["expires_at"] is None and given(config["expires_after"]) is None:
            planned = planned.but(expires_at=None)
        if session is None:
            return planned
        self._check_future(planned, session)
        organization_id = self._organization(planned, session)
        if organization_id is None:
            return planned
        if is_unknown(planned.organization_id):
            planned = planned.but(organization_id=organization_id)
        self._check_quota(session, session.quota(organization_id))
        return planned

    def _check_future(self, planned: Token, session: "Session") -> None:
        """Refuse a token that would be born expired, or due for renewal by the same date."""
        standing = planned.lifetime.standing(session.now())
        if session.terraform.creates_nothing():
            return
        if standing is Standing.EXPIRED:
            raise Refusal(
                Diagnosis(
                    "Expiry is in the past",
                    f"A token that expires at {planned.expires_at} could never be used.\n\n"
                    f"{_LATER_DATE}",
                    ["expires_at"],
                )
            )
        # Once it is decided, a late approval does not turn it round.
        if standing is Standing.READY_FOR_RENEWAL and not session.terraform.is_applying():
            raise Refusal(
                Diagnosis(
                    "Expiry is too near for the renewal",
                    f"A token that expires at {planned.expires_at} would be ready for renewal at "
                    f"once, with renew_before = {planned.renew_before}.\n\n{_LATER_DATE}",
                    ["expires_at"],
                )
            )

    def _organization(self, planned: Token, session: "Session") -> str | None:
        """Return the organization of a new token, if it can be known already."""
        wanted = planned.organization_id
        if is_unknown(wanted):
            if is_unknown(self._ctx.config[ORGANIZATION_ID]):
                return None
            wanted = None
        if session.key_limit:
            session.account.expect_identity()
        try:
            with failing():
                return session.organization_id(wanted)
        except NotKnownYet:
            return None

    def _check_quota(self, session: "Session", quota: "Quota") -> None:
        predecessor = Memory.of(self._ctx.private).key
        if predecessor is not None:
            quota.plan_release(predecessor)
        try:
            checked = quota.plan_creation()
        except (PermissionDenied, OwnerUnknown) as error:
            self._warn_not_checked(session, error)
        except CrusoeError:
            with failing(NOT_CHECKED):
                raise
        else:
            if not checked and session.warn_once("limit blind"):
                self._warn(NOT_CHECKED, NOT_CHECKED_BLIND)

    def _warn_not_checked(self, session: "Session", error: PermissionDenied | OwnerUnknown) -> None:
        reason = owner_unknown(error) if isinstance(error, OwnerUnknown) else str(error)
        if session.warn_once("limit not checked"):
            self._warn(
                NOT_CHECKED,
                f"{reason}\n\nThe plan goes on without knowing whether there is a free slot for "
                "the tokens that it creates.",
            )

    def _warn(self, summary: str, detail: str) -> None:
        self._ctx.diagnostics.add_warning(summary, told(self._sessions, detail))

    # -- A token that is there -----------------------------------------------------------------

    def update(self, current: Token, proposed: State) -> Token:
        """Return the plan for an existing token; the context takes what forces a replacement."""
        ctx = self._ctx
        # What means the same is no change: the state keeps its own spelling.
        stored = current.to_state()
        planned = Token.of_plan(
            {n: v if n in ctx.changed_fields else stored[n] for n, v in proposed.items()}
        ).but(ready_for_renewal=current.ready_for_renewal)
        memory = Memory.of(ctx.private)
        memory.key = current.access_key_id
        memory.keep(ctx.private)
        planned = self._with_expiry(current, planned)
        self._mark_replacing(current, planned)
        if self._changes_user(current, planned, memory.caller):
            ctx.requires_replace.add(PROFILE)
        if not ctx.requires_replace and self._session is not None:
            self._look_at_life(current, planned, self._session)
        self._count(current)
        return planned

    def _with_expiry(self, current: Token, planned: Token) -> Token:
        config, changed = self._ctx.config, self._ctx.changed_fields
        if given(config["expires_at"]) is not None:
            return planned
        expires_after = given(config["expires_after"])
        if expires_after is None:
            return planned.but(expires_at=config["expires_at"])
        taken_up = given(current.expires_after) is None and not is_unknown(expires_after)
        if (
            given(current.expires_at) is None
            # A token that has an expiry takes up the argument without a replacement.
            or ("expires_after" in changed and not taken_up)
            or self._is_due(planned)
        ):
            return planned.but(expires_at=Unknown)
        return planned

    def _is_due(self, planned: Token) -> bool:
        session = self._session
        # The plan says what is due; the moment must not come between it and its apply.
        if session is None or session.terraform.is_applying():
            return False
        standing = planned.lifetime.standing(session.now())
        return standing in {Standing.READY_FOR_RENEWAL, Standing.EXPIRED}

    def _mark_replacing(self, current: Token, planned: Token) -> None:
        before, after, replace = current.to_state(), planned.to_state(), self._ctx.requires_replace
        replace.update(name for name in _REPLACING if _differs(before[name], after[name]))
        # A token that is imported or moved takes up the argument without a replacement.
        name = "rotate_when_changed"
        if name in self._ctx.changed_fields and given(before[name]) is not None:
            replace.add(name)

    def _changes_user(self, current: Token, planned: Token, owner: str | None) -> bool:
        """Say whether a changed profile is certainly not known to be of the token's owner.

        Args:
            current: The token.
            planned: What is planned of it.
            owner: ID of the user who made the token, if that is remembered.
        """
        if not _differs(current.profile, planned.profile):
            return False
        session = self._session
        if session is None or session.origin != self._former_origin(current, session.origin):
            return True
        with failing():
            caller = session.account.identity()
            if owner is not None:
                return caller.id != owner
            organization_id = session.organization_id(current.organization_id)
            keys = session.account.keys(organization_id)
        mine = session.ownership.mine(keys, caller)
        return all(key.access_key_id != current.access_key_id for key in mine)

    def _former_origin(self, current: Token, default: str) -> str:
        try:
            former = self._sessions.find(current.profile)
        except Refusal:
            former = None  # the profile is gone: it may have got another name
        self._sessions.find(given(self._ctx.config[PROFILE]))
        return former.origin if former is not None else default

    def _count(self, current: Token) -> None:
        session = self._session
        if session is None or not current.organization_id:
            return
        quota = session.quota(current.organization_id)
        if not self._ctx.requires_replace:
            quota.plan_keep(current.access_key_id)
            return
        quota.plan_release(current.access_key_id)
        # Here, because Terraform drops the warnings of the second half of a replacement. A slot of
        # the new user is no business of the old one's.
        if PROFILE in self._ctx.requires_replace:
            return
        if self._is_full(quota) and session.warn_once("gap"):
            self._warn(*GAP)

    def _is_full(self, quota: "Quota") -> bool:
        try:
            return quota.is_full()
        except (CrusoeError, OwnerUnknown):
            return False  # the creation meets it too, and reports it

    def _look_at_life(self, current: Token, planned: Token, session: "Session") -> None:
        """Tell what a user should hear of the expiry of a token that stays."""
        terraform = session.terraform
        if _differs(current.expires_at, planned.expires_at) or terraform.is_applying():
            return
        token, expires_at = current.name, planned.expires_at
        standing = planned.lifetime.standing(session.now())
        if not session.warn_once(f"life of {current.access_key_id}"):
            return
        if standing is Standing.EXPIRED and given(planned.renew_before) is not None:
            if terraform.creates_nothing():
                return
            raise Refusal(
                Diagnosis(
                    "Storage token has expired",
                    f"{token} has expired at {expires_at}. It should have been renewed, but a new "
                    "token with the same expires_at would have expired as well.\n\n"
                    f"{_DATE_OF_ITS_OWN}",
                    ["expires_at"],
                )
            )
        if standing is Standing.EXPIRED:
            self._ctx.diagnostics.add_warning(
                "Storage token has expired",
                f"{token} has expired at {expires_at}, and S3 clients are refused. It still takes "
                "a slot.\n\n"
                "Set expires_at to a later date to replace it, or remove the token.",
            )
        elif standing is Standing.READY_FOR_RENEWAL:
            self._ctx.diagnostics.add_warning(
                "Storage token is ready for renewal",
                f"{token} expires at {expires_at}. With a fixed expires_at it cannot be renewed by "
                f"itself.\n\n{_DATE_OF_ITS_OWN}",
            )
        elif standing is Standing.ENDS_SOON:
            self._ctx.diagnostics.add_warning(
                "Storage token expires soon",
                f"{token} expires at {expires_at}, and nothing renews it before.\n\n"
                "Set expires_at to a later date, or let expires_after and renew_before renew it in "
                "time.",
            )


def _differs(before: Any, after: Any) -> bool:
    """Say whether a planned value is another one; what is empty counts as not set."""
    return is_unknown(after) or given(before) != given(after)
