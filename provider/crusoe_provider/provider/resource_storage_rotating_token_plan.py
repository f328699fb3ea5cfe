"""Planning a rotating token: whether it rotates, what is known of that, and whether there is room.

An apply plans every change once more, and both plans have to agree. So nothing here looks at a
clock: what had come is written into the state when Terraform loads or refreshes it for a plan
(`RotatingToken.as_of`), and the apply finds it there. A duration that this very plan changes is
held against the time of the last refresh, which is kept in the private data.
"""

from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from tf.types import Unknown

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider import quota_plan
from crusoe_provider.provider.attributes import ORGANIZATION_ID, PROFILE
from crusoe_provider.provider.encryption_texts import ENCRYPT_TO
from crusoe_provider.provider.profile_change import changes_user, planned_session
from crusoe_provider.provider.quota_texts import rotation_warning
from crusoe_provider.provider.secrets_plan import SecretsPlan
from crusoe_provider.provider.validators import given, with_values
from crusoe_provider.providerserver.resource import PlanContext, State
from crusoe_provider.tokens import encryption
from crusoe_provider.tokens.errors import OwnerUnknown, PlanExceedsQuota
from crusoe_provider.tokens.rotating_token import KEY_ATTRIBUTES, RotatingToken
from crusoe_provider.tokens.rotation import Aim, Holding, aim_of, surplus
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import is_unknown

if TYPE_CHECKING:
    from crusoe_provider.tokens.quota import Quota
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

_TYPE: Final = "crusoe_storage_rotating_token"
_NEW: Final[dict[str, Any]] = dict.fromkeys(KEY_ATTRIBUTES, Unknown)


class Wanted(Enum):
    """Whether a new key is wanted."""

    NO = auto()
    YES = auto()
    MAYBE = auto()
    """It depends on a value that only the apply knows."""


class RotatingTokenPlan:
    """The plan for one rotating token.

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
        self._memory = RotationMemory.of(ctx.private)

    # -- A token that is to be created ---------------------------------------------------------

    def creation(self, planned: RotatingToken) -> RotatingToken:
        """Return the plan for a new token, which may be the successor of another."""
        config, session = self._ctx.config, self._session
        planned = planned.with_previous(None).but(
            generation=1,
            ready_for_rotation=False,
            ready_for_revocation=False,
            **encryption.planned(given(planned.encrypt_to)),
        )
        if given(config["expires_after"]) is None:
            planned = planned.but(expires_at=None)
        if session is None:
            return planned
        organization_id = quota_plan.organization(session, config, planned.organization_id)
        if organization_id is None:
            return planned
        if is_unknown(planned.organization_id):
            planned = planned.but(organization_id=organization_id)
        quota = session.quota(organization_id)
        self._release_predecessor(quota)
        if quota_plan.count_creation(session, quota, self._ctx.diagnostics):
            shortage = quota.shortage_of_another()
            if shortage is not None:
                warning = rotation_warning(shortage)
                self._ctx.diagnostics.add_warning(warning.summary, session.told(warning.detail))
        return planned

    def _release_predecessor(self, quota: "Quota") -> None:
        memory, session = self._memory, self._session
        for key in {*memory.keys, *memory.leaving}:
            quota.plan_release(key)
        # Of a token that holds no key only what was counted for its first half is remembered.
        if (memory.keys or memory.counted or memory.excused) and session is not None:
            replaced = session.terraform.replaces(_TYPE)
            quota.plan_successor(replaced, counted=memory.counted, excused=memory.excused)

    # -- A token that is there -----------------------------------------------------------------

    def update(self, current: RotatingToken, proposed: State) -> RotatingToken:
        """Return the plan for an existing token; the context takes what forces a replacement."""
        ctx = self._ctx
        planned = RotatingToken.of_plan(proposed).but(
            ready_for_rotation=False, ready_for_revocation=False
        )
        holding = current.holding._replace(leaving=self._memory.leaving)
        wanted = self._wanted(current, planned)
        revokes = self._revokes_previous(current, planned)
        aims = {
            rotate: aim_of(
                holding, rotate=rotate, revoke_previous=revokes, useless=current.useless()
            )
            for rotate in (True, False)
        }
        aim = aims[wanted is Wanted.YES]
        stored, moved = current.organization_id, planned.organization_id
        if quota_plan.moves(self._session, stored, moved, remembered=self._memory.home):
            ctx.requires_replace.add(ORGANIZATION_ID)
        if changes_user(
            self._sessions,
            current.profile,
            planned.profile,
            owner=next(
                (m.caller for m in self._memory.keys.values() if m.caller),
                None if holding.keys else current.user_id,
            ),
            organization_id=current.organization_id or self._memory.home,
            keys=holding.keys,
        ):
            ctx.requires_replace.add(PROFILE)
        if planned.organization_id == "":
            self._memory.home = current.organization_id or self._memory.home
        self._memory.plans_anew()
        self._count(current, holding, aim)
        found = SecretsPlan(self._session, ctx, self._memory).of(current, planned.encrypt_to)
        self._memory.keep(holding, ctx.private)
        if wanted is Wanted.MAYBE:
            rotated, kept = (_outcome(found, planned, aims[rotate]) for rotate in (True, False))
            return rotated.either(kept)
        return _outcome(found, planned, aim)

    def _wanted(self, current: RotatingToken, planned: RotatingToken) -> Wanted:
        found = [
            _change(current.alias, planned.alias),
            self._of_map(current, planned),
            self._of_life(current, planned),
            self._of_recipients(current, planned),
            self._of_age(current, planned),
        ]
        return next((w for w in (Wanted.YES, Wanted.MAYBE) if w in found), Wanted.NO)

    def _of_map(self, current: RotatingToken, planned: RotatingToken) -> Wanted:
        before, after = given(current.rotate_when_changed), planned.rotate_when_changed
        # A token that had none takes up the argument without a rotation.
        if before is None or "rotate_when_changed" not in self._ctx.changed_fields:
            return Wanted.NO
        if is_unknown(after):
            return Wanted.MAYBE
        before, after = with_values(before), with_values(after)
        known = {name: value for name, value in after.items() if not is_unknown(value)}
        if known == before:
            # What is not known yet may turn out to be null, which is no entry.
            return Wanted.NO if known == after else Wanted.MAYBE
        may_be = set(before) <= set(after) and known.items() <= before.items()
        return Wanted.MAYBE if may_be else Wanted.YES

    def _of_life(self, current: RotatingToken, planned: RotatingToken) -> Wanted:
        if "expires_after" not in self._ctx.changed_fields:
            return Wanted.NO
        # A key that has an expiry takes up the argument without a rotation.
        if given(current.expires_after) is None and current.expires_at is not None:
            return Wanted.NO
        return _change(current.expires_after, planned.expires_after)

    def _of_recipients(self, current: RotatingToken, planned: RotatingToken) -> Wanted:
        before, after = given(current.encrypt_to), given(planned.encrypt_to)
        # A token that had none takes up the argument without a rotation, and so does one whose
        # secret nobody has. A secret that is encrypted cannot be encrypted to others.
        taken_up = before is None or current.encrypted_secret_key is None
        if ENCRYPT_TO not in self._ctx.changed_fields or taken_up:
            return Wanted.NO
        open_ = is_unknown(after) or any(map(is_unknown, after or ()))
        return Wanted.MAYBE if open_ and encryption.may_be_same(before, after) else Wanted.YES

    def _of_age(self, current: RotatingToken, planned: RotatingToken) -> Wanted:
        if "rotate_after" not in self._ctx.changed_fields:
            return Wanted.YES if current.ready_for_rotation else Wanted.NO
        if is_unknown(planned.rotate_after):
            return Wanted.MAYBE
        looked = self._memory.looked_at
        due = current.but(rotate_after=planned.rotate_after)
        gone = current.current is None
        return Wanted.YES if gone or (looked and due.due_for_rotation(looked)) else Wanted.NO

    def _revokes_previous(self, current: RotatingToken, planned: RotatingToken) -> bool:
        changed = "revoke_previous_after" in self._ctx.changed_fields
        # With a key that leaves, that the state says "ready" need not be said of the previous one.
        if not changed and not self._memory.leaving:
            return bool(current.ready_for_revocation)
        looked = self._memory.looked_at
        due = current.but(revoke_previous_after=planned.revoke_previous_after)
        return looked is not None and due.due_for_revocation(looked)

    def _count(self, current: RotatingToken, holding: Holding, aim: Aim) -> None:
        session = self._session
        stored, remembered = current.organization_id, self._memory.home
        organization_id = quota_plan.home(session, stored, remembered) if session else None
        if session is None or organization_id is None:
            return
        self._memory.teach(session.ownership)
        quota = session.quota(organization_id)
        if self._ctx.requires_replace:
            for key in holding.keys:
                quota.plan_release(key)
            # A slot of the new user is no business of the old one's.
            if PROFILE not in self._ctx.requires_replace:
                quota_plan.warn_of_gap(session, quota, self._ctx.diagnostics)
            return
        going = surplus(holding, aim)
        for key in going:
            quota.plan_release(key)
        for key in holding.keys:
            if key in going:
                continue
            if key == holding.previous and holding.current:
                quota.plan_keep_second(key, session.terraform.replaces(_TYPE))
            else:
                quota.plan_keep(key)
        if aim.rotate:
            self._count_rotation(session, quota)

    def _count_rotation(self, session: "Session", quota: "Quota") -> None:
        memory = self._memory
        with suppress(CrusoeError, OwnerUnknown):  # the count meets it too, and reports it
            memory.excused = quota.excuse(session.terraform.replaces(_TYPE))
        memory.counted = not memory.excused
        if memory.counted:
            try:
                quota_plan.count_creation(session, quota, self._ctx.diagnostics)
            except PlanExceedsQuota as error:
                error.rotating = True
                raise


def _outcome(found: RotatingToken, planned: RotatingToken, aim: Aim) -> RotatingToken:
    """Return the plan for what is aimed at.

    Args:
        found: The keys as they will be if they stay.
        planned: The arguments.
        aim: Whether there is a new key, and which one is the previous one then.
    """
    if aim.rotate:
        secrets = encryption.planned(given(planned.encrypt_to))
        planned = planned.but(**{**_NEW, **secrets}, generation=found.generation + 1)
        if given(planned.expires_after) is None:
            planned = planned.but(expires_at=None)
    else:
        planned = planned.with_current(found.current)
    if aim.kept is None:
        return planned.with_previous(None)
    if aim.kept != found.previous_access_key_id:
        return planned.with_previous(found.current)
    planned = planned.with_previous(found.previous)
    if is_unknown(planned.revoke_previous_after) and not aim.rotate:
        return planned.either(planned.with_previous(None))
    return planned


def _change(before: Any, after: Any) -> Wanted:
    if is_unknown(after):
        return Wanted.MAYBE
    return Wanted.NO if given(before) == given(after) else Wanted.YES
