"""The ephemeral resource `crusoe_storage_token`: a token for the time of one plan or apply."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tf.schema import Attribute, Schema
from tf.types import String
from tf.utils import Diagnostics

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.diagnostics import add_api_error, add_unknown_credentials
from crusoe_provider.provider.lost_answer import revoke_unopened
from crusoe_provider.provider.shortage import add_open_shortage, add_plan_shortage
from crusoe_provider.provider.token_attributes import (
    ORGANIZATION_ID,
    check_alias,
    check_duration,
    check_organization_id,
    organization_attribute,
)
from crusoe_provider.providerserver.ephemeral import CloseContext, EphemeralResource, OpenContext
from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.creation import Ambiguous
from crusoe_provider.tokens.durations import parse_duration
from crusoe_provider.tokens.lifetime import expiry_after
from crusoe_provider.tokens.quota import KeySlots, NoFreeSlotError

if TYPE_CHECKING:
    from crusoe_provider.provider.provider import CrusoeProvider

_DEFAULT_LIFE: Final = "1h"
_WAIT: Final = timedelta(minutes=2)
_NOT_OPENED: Final = "Ephemeral storage token not created"
_ACCESS_KEY_ID: Final = "access_key_id"


class EphemeralStorageToken(EphemeralResource):
    """A storage token that is created when Terraform begins and revoked when it ends."""

    def __init__(self, provider: Any) -> None:
        self._provider: CrusoeProvider = provider

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
        account = self._provider.account
        if account is None:
            add_unknown_credentials(ctx.diagnostics, "no token can be created")
            return None
        account.expect_identity()
        expires_after = config["expires_after"] or _DEFAULT_LIFE
        expires_at = expiry_after(parse_duration(expires_after), self._provider.now())
        try:
            organization_id = config[ORGANIZATION_ID] or account.organization_id()
            slots = self._provider.slots(organization_id)
            if slots is None or not self._has_slot(ctx.diagnostics, slots):
                return None
            creation = self._provider.token_creation(organization_id)
            with slots.planned_creation():
                outcome = creation.create(
                    alias=config["alias"], expire_at=expires_at, seconds=_WAIT.total_seconds()
                )
            if isinstance(outcome, Ambiguous):
                revoke_unopened(ctx.diagnostics, outcome, account, organization_id, expires_at)
                return None
        except NoFreeSlotError as error:
            add_open_shortage(ctx.diagnostics, error.shortage)
            return None
        except CrusoeError as error:
            self._add_error(ctx.diagnostics, _NOT_OPENED, error)
            return None
        access_key_id = outcome.key.access_key_id
        self._provider.opened(organization_id, access_key_id)
        ctx.private |= {ORGANIZATION_ID: organization_id, _ACCESS_KEY_ID: access_key_id}
        return {
            "alias": config["alias"],
            "expires_after": expires_after,
            ORGANIZATION_ID: organization_id,
            "id": creation.token_id(access_key_id),
            _ACCESS_KEY_ID: access_key_id,
            "secret_key": outcome.key.secret_key,
            "expires_at": expires_at,
        }

    def close(self, ctx: CloseContext) -> None:
        """Revoke the token; one that is gone already is fine."""
        if _ACCESS_KEY_ID not in ctx.private:
            return
        access_key_id = ctx.private[_ACCESS_KEY_ID]
        try:
            self._provider.close_token(ctx.private[ORGANIZATION_ID], access_key_id)
        except CrusoeError as error:
            self._add_error(
                ctx.diagnostics, f"Ephemeral storage token {access_key_id} not revoked", error
            )

    def _has_slot(self, diags: Diagnostics, slots: KeySlots) -> bool:
        """Say whether there is room; in a plan nothing comes free that could be waited for."""
        if not self._provider.terraform.may_be_applying() and slots.full():
            add_open_shortage(diags, slots.shortage())
            return False
        if shortage := slots.plan_creation():
            slots.creation_dropped()
            add_plan_shortage(diags, shortage)
            return False
        return True

    def _add_error(self, diags: Diagnostics, summary: str, error: CrusoeError) -> None:
        add_api_error(diags, summary, error, credentials=self._provider.credentials)
