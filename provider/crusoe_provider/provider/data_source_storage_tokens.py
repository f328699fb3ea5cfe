"""The data source `crusoe_storage_tokens`: the keys of an organization, and the caller's quota."""

from typing import TYPE_CHECKING, Any

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import Bool, List, Number, String
from tf.utils import Diagnostics

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.diagnostics import add_api_error, add_unknown_credentials
from crusoe_provider.provider.listed_token import LISTED_TOKEN, in_order, listed_token
from crusoe_provider.provider.token_attributes import (
    ORGANIZATION_ID,
    check_organization_id,
    organization_attribute,
)
from crusoe_provider.providerserver.resource import State
from crusoe_provider.providerserver.types import Object

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.provider.provider import CrusoeProvider


class StorageTokensDataSource(iface.DataSource):
    """Lists the storage tokens that the caller may see, without their secrets."""

    def __init__(self, provider: "CrusoeProvider") -> None:
        self._provider = provider

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_tokens"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            description=(
                "Lists the storage tokens (Object Storage API keys) of an organization, oldest "
                "first, and says how many the caller has and may have. Secrets are never part of "
                "it: Crusoe shows a secret only once, when the token is created."
            ),
            attributes=[
                organization_attribute(""),
                Attribute(
                    "alias",
                    String(),
                    optional=True,
                    description="Only tokens with this alias. Default: all. Example: `ci-uploads`.",
                ),
                Attribute(
                    "user_id",
                    String(),
                    optional=True,
                    description=(
                        "Only tokens of the user with this ID (a UUID). Default: all. Example: "
                        "`3c1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f10`."
                    ),
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
                Attribute(
                    "mine",
                    Bool(),
                    optional=True,
                    description=(
                        "`true` for only the tokens of the user whose credentials the provider "
                        "uses. Default: `false`. Example: `true`."
                    ),
                ),
                Attribute(
                    "tokens",
                    List(Object(LISTED_TOKEN)),
                    computed=True,
                    description=(
                        "The tokens, each with `id` (the token ID, a UUID), `access_key_id`, "
                        "`alias` (null if there is none), `status` (`enabled` or `disabled`), "
                        "`created_at`, `expires_at` (null if it never expires), `expired` and "
                        "`user_id` (the owner). Example: `tokens[0].access_key_id`."
                    ),
                ),
                Attribute(
                    "key_limit",
                    Number(),
                    computed=True,
                    description=(
                        "How many tokens the caller may have in the organization; null if the "
                        "provider's `key_limit` is 0. Example: `2`."
                    ),
                ),
                Attribute(
                    "keys_used",
                    Number(),
                    computed=True,
                    description=(
                        "How many tokens the caller has there, whatever the filters. Example: `1`."
                    ),
                ),
                Attribute(
                    "keys_available",
                    Number(),
                    computed=True,
                    description=(
                        "How many more the caller may have; null without a limit. Example: `1`."
                    ),
                ),
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_organization_id(diags, config)

    def read(self, ctx: iface.ReadDataContext, config: State) -> State | None:
        """Return the tokens as the API lists them now."""
        with self._provider.activity.call():
            return self._read(ctx, config)

    def _read(self, ctx: iface.ReadDataContext, config: State) -> State | None:
        account = self._provider.account
        if account is None:
            add_unknown_credentials(ctx.diagnostics, "the tokens cannot be listed")
            return None
        account.expect_identity()
        try:
            organization_id = config[ORGANIZATION_ID] or account.organization_id()
            keys = account.keys(organization_id)
            caller = account.identity().id
        except CrusoeError as error:
            add_api_error(
                ctx.diagnostics,
                "Storage tokens not listed",
                error,
                credentials=self._provider.credentials,
            )
            return None
        now = self._provider.now()
        wanted = [key for key in keys if _is_wanted(key, config, caller)]
        used = sum(key.user_id == caller for key in keys)
        limit = self._provider.key_limit or None
        return config | {
            ORGANIZATION_ID: organization_id,
            "tokens": [listed_token(key, now) for key in in_order(wanted)],
            "key_limit": limit,
            "keys_used": used,
            "keys_available": None if limit is None else max(0, limit - used),
        }


def _is_wanted(key: "StorageKey", config: dict[str, Any], caller: str) -> bool:
    filters = {"alias": key.alias, "user_id": key.user_id, "status": key.status}
    matches = all(config[name] in {None, value} for name, value in filters.items())
    return matches and (not config["mine"] or key.user_id == caller)
