"""The action `crusoe_storage_revoke_token`: a key that has leaked, or that blocks a slot, goes."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tf.schema import Attribute, Schema
from tf.types import String, Unknown
from tf.utils import Diagnostics

from crusoe_provider.provider.attributes import (
    ORGANIZATION_ID,
    PROFILE,
    organization_attribute,
    profile_attribute,
)
from crusoe_provider.provider.diagnostics import Refusal, failing, told
from crusoe_provider.provider.key_texts import describe_token
from crusoe_provider.provider.validators import check_organization_id, given
from crusoe_provider.providerserver.action import Action, ActionContext, Progress
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.durations import format_duration
from crusoe_provider.tokens.lifetime import instant_or_none
from crusoe_provider.tokens.token import in_order

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

_KEY: Final = "access_key_id"
_SECOND: Final = timedelta(seconds=1)
_NOT_REVOKED: Final = "Storage token not revoked"


class RevokeTokenAction(Action):
    """Revokes one storage token of the caller, whoever manages it."""

    def __init__(self, sessions: Any) -> None:
        self._sessions: Sessions = sessions

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_revoke_token"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema of the `config` block."""
        return Schema(
            description=(
                "Revokes a storage token of the user whose credentials the provider uses: one that "
                "has leaked, or that takes a slot which nobody needs. Access ends at once, and "
                "cannot be given back. A token that a state manages is better replaced with "
                "`terraform apply -replace`. Needs Terraform 1.14 or newer."
            ),
            attributes=[
                Attribute(
                    _KEY,
                    String(),
                    required=True,
                    description=(
                        "Access key ID of the token. There is no default. Example: "
                        "`CKIA493K6LOVDNNAR4SZ`."
                    ),
                ),
                organization_attribute(" that the token belongs to", computed=False),
                profile_attribute("revoke the token"),
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_organization_id(diags, config)
        if given(config[_KEY]) is None:
            problem = _nothing_named()
            diags.add_error(problem.summary, problem.detail, path=[_KEY])

    def plan(self, ctx: ActionContext, config: State) -> None:
        """Say whose key it is, and how old; refuse what cannot be revoked."""
        if Unknown in (config[_KEY], config[ORGANIZATION_ID], config[PROFILE]):
            return
        session = self._sessions.find(given(config[PROFILE]))
        if session is None:
            return
        with failing(_NOT_REVOKED):
            organization_id = session.organization_id(given(config[ORGANIZATION_ID]))
            key = _find(session, organization_id, config)
        managed = session.quota(organization_id).has_seen(key.access_key_id)
        remark = (
            " It is managed by a resource of this state, which creates a new token at the next "
            "apply."
            if managed
            else ""
        )
        ctx.diagnostics.add_warning(
            "Storage token will be revoked",
            told(
                self._sessions,
                f"{_introduce(key, session.now())}{remark}\n\n"
                "Clients that use it are refused from then on, and it cannot be given back.",
            ),
        )

    def invoke(self, ctx: ActionContext, config: State, progress: Progress) -> None:
        """Revoke the token."""
        del ctx
        session = self._sessions.get(given(config[PROFILE]))
        with failing(_NOT_REVOKED):
            organization_id = session.organization_id(given(config[ORGANIZATION_ID]))
            key = _find(session, organization_id, config)
            progress(f"Revoking {describe_token(key)}")
            there = session.revoke(organization_id, key.access_key_id)
        progress("Revoked" if there else "It was gone already")


def _find(session: "Session", organization_id: str, config: State) -> "StorageKey":
    wanted = given(config[_KEY])
    if wanted is None:
        raise Refusal(_nothing_named())
    session.account.expect_identity()
    keys = session.account.keys(organization_id, fresh=True)
    mine = in_order(session.ownership.mine(keys, session.account.identity()))
    found = next((key for key in keys if key.access_key_id == wanted), None)
    if found in mine and found is not None:
        return found
    if found is not None:
        problem = f"The token {wanted} belongs to user {found.user_id or 'unknown'}, not to you."
    else:
        problem = f"You have no token with access key ID {wanted}; it may be gone already."
    listed = "".join(f"\n  - {describe_token(key)}" for key in mine) or " none"
    raise Refusal(
        Diagnosis(
            _NOT_REVOKED,
            f"{problem} Your tokens are:{listed}\n\n"
            "Name one of them, or use the credentials of the token's owner.",
            [_KEY],
        )
    )


def _nothing_named() -> Diagnosis:
    return Diagnosis(
        _NOT_REVOKED,
        "No token is named: access_key_id is null or empty.\n\n"
        "Set it to the access key ID of the token to revoke.",
        [_KEY],
    )


def _introduce(key: "StorageKey", now: datetime) -> str:
    created = instant_or_none(key.created_at)
    age = ""
    if created is not None and created.moment < now:
        seconds = (now - created.moment) // _SECOND * _SECOND
        age = f" It is {format_duration(seconds)} old."
    owner = f" It belongs to user {key.user_id}." if key.user_id else ""
    return f"The token is: {describe_token(key)}.{owner}{age}"
