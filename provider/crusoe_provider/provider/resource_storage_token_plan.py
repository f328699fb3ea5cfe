"""Planning a storage token: what will be known, what replaces it, and whether there is room.

Terraform asks for a plan per instance, and for a replacement twice: first with the token as it is,
then for its successor. The private data of the first comes with the second, and names the key that
is given up. An apply plans every creation once more; what the plan has decided stays decided.
"""

from typing import TYPE_CHECKING, Any, Final

from tf.types import Unknown

from crusoe_provider.provider import quota_plan
from crusoe_provider.provider.attributes import ORGANIZATION_ID, PROFILE
from crusoe_provider.provider.diagnostics import Refusal
from crusoe_provider.provider.encryption_texts import EARLIER_STATES, ENCRYPT_TO, SECRET_NEEDED
from crusoe_provider.provider.profile_change import changes_user, planned_session
from crusoe_provider.provider.validators import given, with_values
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.resource import PlanContext, State
from crusoe_provider.tokens import encryption
from crusoe_provider.tokens.lifetime import Standing
from crusoe_provider.tokens.presence import Memory
from crusoe_provider.tokens.token import Token, is_unknown

if TYPE_CHECKING:
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

_LATER_DATE: Final = (
    "Set expires_at to a later date, or use expires_after for a token that is renewed by itself."
)
_DATE_OF_ITS_OWN: Final = (
    "Set expires_at to a later date, or use expires_after instead, which gives every new token a "
    "date of its own."
)
_TYPE: Final = "crusoe_storage_token"
# Arguments whose change replaces the token; of the rest see below.
_REPLACING: Final = ("alias", "expires_at")


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
        self._session = planned_session(sessions, profile)
        self._ctx = ctx
        self._home = Memory.of(ctx.private).home

    # -- A token that is to be created ---------------------------------------------------------

    def creation(self, planned: Token) -> Token:
        """Return the plan for a new token, which may be the successor of another."""
        config, session = self._ctx.config, self._session
        planned = planned.but(
            ready_for_renewal=False, **encryption.planned(given(planned.encrypt_to))
        )
        if config["expires_at"] is None and given(config["expires_after"]) is None:
            planned = planned.but(expires_at=None)
        if session is None:
            return planned
        self._check_future(planned, session)
        organization_id = quota_plan.organization(session, config, planned.organization_id)
        if organization_id is None:
            return planned
        if is_unknown(planned.organization_id):
            planned = planned.but(organization_id=organization_id)
        quota = session.quota(organization_id)
        predecessor = Memory.of(self._ctx.private).key
        if predecessor is not None:
            quota.plan_release(predecessor)
        quota_plan.count_creation(session, quota, self._ctx.diagnostics)
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

    # -- A token that is there -----------------------------------------------------------------

    def update(self, current: Token, proposed: State) -> Token:
        """Return the plan for an existing token; the context takes what forces a replacement."""
        ctx = self._ctx
        planned = Token.of_plan(proposed).but(ready_for_renewal=current.ready_for_renewal)
        memory = Memory.of(ctx.private)
        memory.key = current.access_key_id
        if planned.organization_id == "":
            memory.home = current.organization_id or memory.home
        planned = self._with_expiry(current, planned)
        planned = self._with_secret(current, planned, memory)
        memory.keep(ctx.private)
        self._mark_replacing(current, planned)
        if changes_user(
            self._sessions,
            current.profile,
            planned.profile,
            owner=memory.caller,
            organization_id=current.organization_id or self._home,
            keys=[current.access_key_id],
        ):
            ctx.requires_replace.add(PROFILE)
        if not ctx.requires_replace and self._session is not None:
            self._look_at_life(current, planned, self._session)
        self._count(current)
        return planned

    def _with_expiry(self, current: Token, planned: Token) -> Token:
        config, changed = self._ctx.config, self._ctx.changed_fields
        expires_after = given(config["expires_after"])
        if given(config["expires_at"]) is not None:
            # Nobody can write both: this is the state's, in the place of what ignore_changes names.
            # It has to be planned as it is, so something else says why the token is replaced.
            if isinstance(expires_after, str) and self._is_due(planned):
                self._ctx.requires_replace.add("ready_for_renewal")
                return planned.but(ready_for_renewal=Unknown)
            return planned
        if expires_after is None or config["expires_at"] == "":
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

    def _with_secret(self, current: Token, planned: Token, memory: Memory) -> Token:
        """Plan what becomes of the secret of a token that is there.

        Named recipients take up a secret that the state, or for an import the environment, has in
        the clear. One that is encrypted already cannot be encrypted to others.
        """
        if memory.secret_due and current.secret_key is None:
            return self._with_imported_secret(planned, memory)
        if ENCRYPT_TO not in self._ctx.changed_fields:
            return planned
        if current.secret_key is not None:
            if given(planned.encrypt_to) is None:
                return planned
            self._warn_of_earlier_states()
            return planned.but(**encryption.planned(planned.encrypt_to))
        # A token that is imported with its secret encrypted takes up the argument as well.
        if current.encrypted_secret_key is not None and given(current.encrypt_to) is not None:
            self._ctx.requires_replace.add(ENCRYPT_TO)
        return planned

    def _with_imported_secret(self, planned: Token, memory: Memory) -> Token:
        session = self._session
        if session is None:
            return planned
        # An import that was not finished may still wait when the variable holds another's secret.
        secret = session.claim_import_secret(planned.access_key_id)
        if secret is not None:
            memory.secret_due = None
            return planned.but(**encryption.planned_import(secret, given(planned.encrypt_to)))
        if session.terraform.is_applying():
            raise Refusal(SECRET_NEEDED)
        return planned

    def _warn_of_earlier_states(self) -> None:
        session = self._session
        if session is not None and not session.terraform.is_applying():
            self._ctx.diagnostics.add_warning(*EARLIER_STATES)

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
        stored, wanted = current.organization_id, planned.organization_id
        if quota_plan.moves(self._session, stored, wanted, remembered=self._home):
            replace.add(ORGANIZATION_ID)
        # A token that is imported or moved takes up the argument without a replacement.
        name = "rotate_when_changed"
        if given(before[name]) is not None and with_values(before[name]) != with_values(
            after[name]
        ):
            replace.add(name)

    def _count(self, current: Token) -> None:
        session = self._session
        stored = current.organization_id
        organization_id = quota_plan.home(session, stored, self._home) if session else None
        if session is None or organization_id is None:
            return
        quota = session.quota(organization_id)
        if not self._ctx.requires_replace:
            quota.plan_keep(current.access_key_id)
            if not self._sessions.several():
                quota_plan.warn_of_gap_by_command(session, quota, _TYPE, self._ctx.diagnostics)
            return
        quota.plan_release(current.access_key_id)
        # A slot of the new user is no business of the old one's.
        if PROFILE not in self._ctx.requires_replace:
            quota_plan.warn_of_gap(session, quota, self._ctx.diagnostics)

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
