"""The data source `crusoe_storage_tokens`: the keys of an organization."""

from typing import TYPE_CHECKING, Any

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import List, String
from tf.utils import Diagnostics

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.elements.diagnostics import add_api_error
from crusoe_provider.elements.token_attributes import ORGANIZATION_ID, check_organization_id
from crusoe_provider.host.resource import State
from crusoe_provider.host.types import Object

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.elements.provider import CrusoeProvider

_TOKEN = Object(
    {
        "id": String(),
        "access_key_id": String(),
        "alias": String(),
        "status": String(),
        "created_at": String(),
        "expires_at": String(),
        "user_id": String(),
    }
)


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
                "first. Secrets are never part of it: Crusoe shows a secret only once, when the "
                "token is created."
            ),
            attributes=[
                Attribute(
                    ORGANIZATION_ID,
                    String(),
                    optional=True,
                    computed=True,
                    description=(
                        "ID (a UUID) of the organization. Default: the provider's "
                        "`organization_id`, then the only organization of the user."
                    ),
                ),
                Attribute(
                    "tokens",
                    List(_TOKEN),
                    computed=True,
                    description=(
                        "The tokens: `id` (the token ID, a UUID), `access_key_id`, `alias` (null "
                        "if there is none), `status` (`enabled` or `disabled`), `created_at`, "
                        "`expires_at` (null if it never expires) and `user_id` (the owner)."
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
            ctx.diagnostics.add_error(
                "Credentials not known yet",
                "The provider block takes its settings from a resource that does not exist yet, "
                "so the tokens cannot be listed during this plan.\n\n"
                "Create that resource first, with terraform apply -target=…",
            )
            return None
        try:
            organization_id = config[ORGANIZATION_ID] or account.organization_id()
            keys = account.keys(organization_id)
        except CrusoeError as error:
            add_api_error(
                ctx.diagnostics,
                "Storage tokens not listed",
                error,
                credentials=self._provider.credentials,
            )
            return None
        ordered = sorted(keys, key=lambda key: (key.created_at, key.key_uuid))
        return {ORGANIZATION_ID: organization_id, "tokens": [_token(key) for key in ordered]}


def _token(key: "StorageKey") -> dict[str, Any]:
    return {
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "alias": key.alias,
        "status": key.status,
        "created_at": key.created_at,
        "expires_at": key.expire_at,
        "user_id": key.user_id,
    }
