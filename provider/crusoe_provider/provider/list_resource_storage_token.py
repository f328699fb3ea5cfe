"""The list resource `crusoe_storage_token`: the caller's tokens, for `terraform query`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tf.schema import Attribute, Schema
from tf.types import String
from tf.utils import Diagnostics

from crusoe_provider.provider.attributes import (
    ORGANIZATION_ID,
    PROFILE,
    organization_attribute,
    profile_attribute,
    token_identity,
)
from crusoe_provider.provider.diagnostics import failing
from crusoe_provider.provider.validators import check_organization_id, check_status, given
from crusoe_provider.providerserver.list_resource import ListContext, ListResource, ListResult
from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.token import Token, in_order

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.tokens.sessions import Sessions


class StorageTokenListResource(ListResource):
    """Finds the storage tokens of the caller, whoever manages them."""

    def __init__(self, sessions: Any) -> None:
        self._sessions: Sessions = sessions

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_token"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema of the `config` block."""
        return Schema(
            description=(
                "Finds the storage tokens of the user whose credentials the provider uses, for "
                "`terraform query`, which writes the configuration that imports them. Tokens of "
                "other users are left out: they cannot be managed. Needs Terraform 1.14 or newer."
            ),
            attributes=[
                organization_attribute(" to look in", computed=False),
                profile_attribute("list the tokens"),
                Attribute(
                    "alias",
                    String(),
                    optional=True,
                    description="Only tokens with this alias. Default: all. Example: `ci-uploads`.",
                ),
                Attribute(
                    "status",
                    String(),
                    optional=True,
                    description=(
                        "Only tokens that are `enabled` or `disabled`. Default: all. Example: "
                        "`enabled`."
                    ),
                ),
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_organization_id(diags, config)
        check_status(diags, config)

    def list(
        self, ctx: ListContext, config: State, *, include_resource: bool, limit: int
    ) -> Iterable[ListResult]:
        """Return the caller's tokens, oldest first."""
        del ctx
        profile = given(config[PROFILE])
        session = self._sessions.get(profile)
        session.account.expect_identity()
        with failing("Storage tokens not listed"):
            organization_id = session.organization_id(given(config[ORGANIZATION_ID]))
            keys = session.account.keys(organization_id)
            mine = session.ownership.mine(keys, session.account.identity())
        wanted = [key for key in in_order(mine) if _is_wanted(key, config)]
        tokens = [
            Token.of_key(key, organization_id=organization_id, profile=profile)
            for key in wanted[:limit]
        ]
        return [_result(token, whole=include_resource) for token in tokens]


def _is_wanted(key: "StorageKey", config: State) -> bool:
    filters = {"alias": key.alias, "status": key.status}
    return all(given(config[name]) in {None, value} for name, value in filters.items())


def _result(token: Token, *, whole: bool) -> ListResult:
    state = token.to_state()
    return ListResult(
        identity=token_identity(state) or {},
        display_name=_display_name(token),
        state=state if whole else None,
    )


def _display_name(token: Token) -> str:
    alias = token.alias or "no alias"
    expiry = f"expires {token.expires_at}" if token.expires_at else "never expires"
    return f"{alias} ({token.access_key_id}, {expiry})"
