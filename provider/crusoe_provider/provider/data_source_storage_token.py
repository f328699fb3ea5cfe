"""The data source `crusoe_storage_token`: one key, looked up."""

from typing import TYPE_CHECKING, Final

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import Bool, String
from tf.utils import Diagnostics

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.diagnostics import (
    add_api_error,
    add_unknown_credentials,
    describe_token,
)
from crusoe_provider.provider.listed_token import in_order, listed_token
from crusoe_provider.provider.token_attributes import (
    ORGANIZATION_ID,
    check_organization_id,
    organization_attribute,
)
from crusoe_provider.providerserver.resource import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.provider.provider import CrusoeProvider

_NAMES: Final = ("id", "access_key_id", "alias")
# More than these are no help to somebody who looks for one.
_MOST_CANDIDATES: Final = 20


class StorageTokenDataSource(iface.DataSource):
    """Looks one storage token up, without its secret."""

    def __init__(self, provider: "CrusoeProvider") -> None:
        self._provider = provider

    @classmethod
    def get_name(cls) -> str:
        """Return the type name without the provider's prefix."""
        return "storage_token"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            description=(
                "Looks up one storage token by its token ID, its access key ID or its alias; "
                "exactly one has to match. Its secret is never part of it: Crusoe shows it only "
                "once, when the token is created."
            ),
            attributes=[
                Attribute(
                    "id",
                    String(),
                    optional=True,
                    computed=True,
                    description=(
                        "Token ID, a UUID. Set exactly one of `id`, `access_key_id` and `alias`; "
                        "there is no default. Example: "
                        "`f5705300-79f8-4686-9b9f-02496a053bc0`."
                    ),
                ),
                Attribute(
                    "access_key_id",
                    String(),
                    optional=True,
                    computed=True,
                    description=(
                        "Access key ID, instead of `id`. Example: `CKIA493K6LOVDNNAR4SZ`."
                    ),
                ),
                Attribute(
                    "alias",
                    String(),
                    optional=True,
                    computed=True,
                    description=(
                        "Alias, instead of `id`; null if there is none. Example: `ci-uploads`."
                    ),
                ),
                organization_attribute(""),
                Attribute(
                    "status",
                    String(),
                    computed=True,
                    description="`enabled` or `disabled`. Example: `enabled`.",
                ),
                Attribute(
                    "created_at",
                    String(),
                    computed=True,
                    description="When it was created. Example: `2026-11-02T09:30:00Z`.",
                ),
                Attribute(
                    "expires_at",
                    String(),
                    computed=True,
                    description=(
                        "When it expires; null if it never does. Example: `2027-01-31T12:00:00Z`."
                    ),
                ),
                Attribute(
                    "expired",
                    Bool(),
                    computed=True,
                    description="Whether it has expired. Example: `false`.",
                ),
                Attribute(
                    "user_id",
                    String(),
                    computed=True,
                    description=(
                        "ID (a UUID) of the user to whom it belongs. Example: "
                        "`3c1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f10`."
                    ),
                ),
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: State) -> None:
        """Check the block; values may be unknown."""
        del type_name
        check_organization_id(diags, config)
        given = [name for name in _NAMES if config[name] is not None]
        if len(given) != 1:
            diags.add_error(
                "Not one way to find the token",
                f"Set exactly one of id, access_key_id and alias; {len(given)} are set.",
                path=[given[-1]] if given else None,
            )

    def read(self, ctx: iface.ReadDataContext, config: State) -> State | None:
        """Return the one token that matches."""
        with self._provider.activity.call():
            return self._read(ctx, config)

    def _read(self, ctx: iface.ReadDataContext, config: State) -> State | None:
        account = self._provider.account
        if account is None:
            add_unknown_credentials(ctx.diagnostics, "the token cannot be looked up")
            return None
        try:
            organization_id = config[ORGANIZATION_ID] or account.organization_id()
            keys = in_order(account.keys(organization_id))
        except CrusoeError as error:
            add_api_error(
                ctx.diagnostics,
                "Storage token not looked up",
                error,
                credentials=self._provider.credentials,
            )
            return None
        matching = [key for key in keys if _matches(key, config)]
        if len(matching) == 1:
            found = listed_token(matching[0], self._provider.now())
            return {ORGANIZATION_ID: organization_id} | found
        _add_not_one(ctx.diagnostics, config, matching, keys)
        return None


def _matches(key: "StorageKey", config: State) -> bool:
    values = {"id": key.key_uuid, "access_key_id": key.access_key_id, "alias": key.alias}
    return all(config[name] in {None, value} for name, value in values.items())


def _add_not_one(
    diags: Diagnostics,
    config: State,
    matching: "Sequence[StorageKey]",
    keys: "Sequence[StorageKey]",
) -> None:
    name = next((name for name in _NAMES if config[name] is not None), None)
    wanted = f'with {name} "{config[name]}"' if name else "without anything to find it by"
    candidates = matching or keys
    listed = "".join(f"\n  - {describe_token(key)}" for key in candidates[:_MOST_CANDIDATES])
    if len(candidates) > _MOST_CANDIDATES:
        listed += f"\n  - and {len(candidates) - _MOST_CANDIDATES} more"
    if matching:
        diags.add_error(
            "Several storage tokens match",
            f"There are {len(matching)} tokens {wanted}:{listed}\n\n"
            "Look it up by its id or access_key_id, which are unique.",
            path=[name] if name else None,
        )
        return
    diags.add_error(
        "Storage token not found",
        f"There is no token {wanted}. Those that are shown to this user are:{listed or ' none'}\n\n"
        "Correct the value, or check organization_id.",
        path=[name] if name else None,
    )
