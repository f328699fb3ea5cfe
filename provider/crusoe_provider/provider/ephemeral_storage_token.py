"""The ephemeral resource `crusoe_storage_token`: a token for the time of one plan or apply."""

from datetime import timedelta
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
from crusoe_provider.provider.diagnostics import failing
from crusoe_provider.provider.key_texts import NEWER_CLI, deletion_command
from crusoe_provider.provider.quota_texts import NOT_OPENED, NOT_OPENED_NULL
from crusoe_provider.provider.validators import (
    check_alias,
    check_duration,
    check_organization_id,
    given,
)
from crusoe_provider.providerserver.ephemeral import CloseContext, EphemeralResource, OpenContext
from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.durations import parse_duration
from crusoe_provider.tokens.errors import AnswerLost
from crusoe_provider.tokens.lifetime import expiry_after

if TYPE_CHECKING:
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions

_DEFAULT_LIFE: Final = "1h"
_WAIT: Final = timedelta(minutes=2)
_NOT_OPENED: Final = "Ephemeral storage token not created"
_ACCESS_KEY_ID: Final = "access_key_id"
# What only the creation tells.
_MADE: Final = ("id", _ACCESS_KEY_ID, "secret_key", "expires_at")


class EphemeralStorageToken(EphemeralResource):
    """A storage token that is created when Terraform begins and revoked when it ends."""

    def __init__(self, sessions: Any) -> None:
        self._sessions: Sessions = sessions

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_token"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            description=(
                "A storage token that exists for the time of one plan or apply: created when "
                "Terraform comes to it, revoked when nothing needs it any more, and stored neither "
                "in the state nor in a plan. Terraform opens it in every plan and again in every "
                "apply, so a free slot is needed both times. It always expires, so that a crash "
                "leaves nothing behind for long."
            ),
            attributes=[
                Attribute(
                    "alias",
                    String(),
                    optional=True,
                    description="Name for the token. Default: none. Example: `upload`.",
                ),
                Attribute(
                    "expires_after",
                    String(),
                    optional=True,
                    computed=True,
                    description=(
                        "When the token expires at the latest, as a duration from its creation. It "
                        f"must be longer than the apply takes. Default: `{_DEFAULT_LIFE}`. "
                        "Example: `15m`."
                    ),
                ),
                organization_attribute(" whose buckets the token opens"),
                profile_attribute("create and revoke the token"),
                Attribute(
                    "id",
                    String(),
                    computed=True,
                    description=(
                        "Token ID, a UUID; null if Crusoe's list does not show the new token yet. "
                        "Example: `f5705300-79f8-4686-9b9f-02496a053bc0`."
                    ),
                ),
                Attribute(
                    _ACCESS_KEY_ID,
                    String(),
                    computed=True,
                    description=(
                        "Access key ID for S3 clients (`AWS_ACCESS_KEY_ID`). Example: "
                        "`CKIA493K6LOVDNNAR4SZ`."
                    ),
                ),
                Attribute(
                    "secret_key",
                    String(),
                    computed=True,
                    sensitive=True,
                    description="Secret for S3 clients (`AWS_SECRET_ACCESS_KEY`).",
                ),
                Attribute(
                    "expires_at",
                    String(),
                    computed=True,
                    description=(
                        "When the token expires, unless it is revoked before, as it usually is. "
                        "Example: `2027-01-31T12:00:00Z`."
                    ),
                ),
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_alias(diags, config)
        check_duration(diags, config, "expires_after")
        check_organization_id(diags, config)

    def open(self, ctx: OpenContext, config: State) -> State | None:
        """Create the token, if there is a free slot."""
        profile = given(config[PROFILE])
        session = self._sessions.get(profile)
        session.account.expect_identity()
        expires_after = given(config["expires_after"]) or _DEFAULT_LIFE
        life = parse_duration(expires_after)
        with failing(_NOT_OPENED):
            organization_id = session.organization_id(config[ORGANIZATION_ID])
            quota = session.quota(organization_id)
            if _may_go_without(session) and quota.is_still_full():
                unknown = session.terraform.takes_unknown_results()
                summary, detail = NOT_OPENED if unknown else NOT_OPENED_NULL
                ctx.diagnostics.add_warning(summary, session.told(detail))
                missing = Unknown if unknown else None
                return _opened(
                    config, expires_after, organization_id, dict.fromkeys(_MADE, missing)
                )
            quota.open()
            creation = session.creation(organization_id)
            try:
                created = creation.create(
                    alias=given(config["alias"]),
                    expire_at=lambda: expiry_after(life, session.now()),
                    seconds=_WAIT.total_seconds(),
                )
            except AnswerLost as lost:
                lost.ephemeral = True
                raise
        access_key_id = created.key.access_key_id
        session.borrow(organization_id, access_key_id)
        token_id = creation.token_id(access_key_id)
        ctx.private |= {
            ORGANIZATION_ID: organization_id,
            _ACCESS_KEY_ID: access_key_id,
            PROFILE: profile,
            "id": token_id,
            "expires_at": created.expire_at,
        }
        made = (token_id, access_key_id, created.key.secret_key, created.expire_at)
        return _opened(config, expires_after, organization_id, dict(zip(_MADE, made, strict=True)))

    def close(self, ctx: CloseContext) -> None:
        """Revoke the token; one that is gone already is fine."""
        if _ACCESS_KEY_ID not in ctx.private:
            return
        access_key_id = ctx.private[_ACCESS_KEY_ID]
        from crusoe_provider.api.models import StorageKey  # noqa: PLC0415 - hardly ever needed

        command = deletion_command(StorageKey(access_key_id, ctx.private.get("id")))
        then = (
            "The provider tries once more when this run ends, and the token expires by itself at "
            f"{ctx.private.get('expires_at')}. To be certain that it is gone, run `{command}` "
            f"{NEWER_CLI} after this run."
        )
        with failing(f"Ephemeral storage token {access_key_id} not revoked", then):
            session = self._sessions.get(ctx.private.get(PROFILE))
            session.revoke(ctx.private[ORGANIZATION_ID], access_key_id, finish=True)


def _may_go_without(session: "Session") -> bool:
    """Say whether this is a refresh or the plan of a destruction, which nothing may stand in."""
    terraform = session.terraform
    return terraform.only_refreshes() or (terraform.creates_nothing() and terraform.is_planning())


def _opened(config: State, expires_after: str, organization_id: str, made: State) -> State:
    """Return the values of a token; what is written, if empty, stays so."""
    defaults = {"expires_after": expires_after, ORGANIZATION_ID: organization_id}
    return {
        "alias": config["alias"],
        PROFILE: config[PROFILE],
        **{n: default if config[n] is None else config[n] for n, default in defaults.items()},
        **made,
    }
