"""The data source `crusoe_storage_tokens`: the keys of an organization, and the caller's quota."""

from typing import TYPE_CHECKING

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import Bool, List, Number, String
from tf.utils import Diagnostics

from crusoe_provider.provider.attributes import (
    LISTED_TOKEN,
    ORGANIZATION_ID,
    PROFILE,
    organization_attribute,
    profile_attribute,
)
from crusoe_provider.provider.diagnostics import failing
from crusoe_provider.provider.validators import check_organization_id, check_status, given
from crusoe_provider.providerserver.resource import State
from crusoe_provider.providerserver.types import Object
from crusoe_provider.tokens.errors import OwnerUnknown
from crusoe_provider.tokens.token import in_order, listed_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.tokens.session import Session
    from crusoe_provider.tokens.sessions import Sessions


class StorageTokensDataSource(iface.DataSource):
    """Lists the storage tokens that the caller may see, without their secrets."""

    def __init__(self, sessions: "Sessions") -> None:
        self._sessions = sessions

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
                profile_attribute("list the tokens"),
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
                        "The tokens, oldest first, with what the data source "
                        "`crusoe_storage_token` tells of one. Example: `tokens[0].access_key_id`."
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
                        "How many tokens the caller has there, whatever the filters; null if whose "
                        "they are cannot be told. Example: `1`."
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
        check_status(diags, config)

    def read(self, ctx: iface.ReadDataContext, config: State) -> State | None:
        """Return the tokens as the API lists them now."""
        del ctx
        session = self._sessions.get(given(config[PROFILE]))
        session.account.expect_identity()
        with failing("Storage tokens not listed"):
            organization_id = session.organization_id(config[ORGANIZATION_ID])
            # In an apply something, a provisioner for one, may have just changed what there is.
            fresh = not session.terraform.is_planning()
            keys = session.account.keys(organization_id, fresh=fresh)
            mine = _mine(session, keys, needed=bool(config["mine"]))
        now, limit = session.now(), session.key_limit or None
        candidates = mine or [] if config["mine"] else keys
        used = None if mine is None else len(mine)
        wanted = [key for key in candidates if _is_wanted(key, config)]
        return config | {
            ORGANIZATION_ID: config[ORGANIZATION_ID] or organization_id,
            "tokens": [listed_token(key, now) for key in in_order(wanted)],
            "key_limit": limit,
            "keys_used": used,
            "keys_available": None if limit is None or used is None else max(0, limit - used),
        }


def _is_wanted(key: "StorageKey", config: State) -> bool:
    filters = {"alias": key.alias, "user_id": key.user_id, "status": key.status}
    return all(given(config[name]) in {None, value} for name, value in filters.items())


def _mine(
    session: "Session", keys: "Sequence[StorageKey]", *, needed: bool
) -> "list[StorageKey] | None":
    """Return the caller's keys; `None` if whose they are cannot be told, and need not be."""
    try:
        return session.ownership.mine(keys, session.account.identity())
    except OwnerUnknown:
        if needed:
            raise
        return None
