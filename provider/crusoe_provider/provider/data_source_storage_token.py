"""The data source `crusoe_storage_token`: one key, looked up."""

from typing import TYPE_CHECKING, Final

from tf import iface
from tf.schema import Attribute, Schema
from tf.types import Bool, String
from tf.utils import Diagnostics

from crusoe_provider.provider.attributes import (
    ORGANIZATION_ID,
    PROFILE,
    organization_attribute,
    profile_attribute,
)
from crusoe_provider.provider.diagnostics import Refusal, failing
from crusoe_provider.provider.key_texts import describe_token
from crusoe_provider.provider.validators import check_organization_id, given
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.token import in_order, listed_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crusoe_provider.api.models import StorageKey
    from crusoe_provider.tokens.sessions import Sessions

_NAMES: Final = ("id", "access_key_id", "alias")
# More than these are no help to somebody who looks for one.
_MOST_CANDIDATES: Final = 20


class StorageTokenDataSource(iface.DataSource):
    """Looks one storage token up, without its secret."""

    def __init__(self, sessions: "Sessions") -> None:
        self._sessions = sessions

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
                profile_attribute("look it up"),
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
        names = [name for name in _NAMES if given(config[name]) is not None]
        if len(names) != 1:
            diags.add_error(
                "Not one way to find the token",
                f"Set exactly one of id, access_key_id and alias; {len(names)} are set.",
                path=[names[-1]] if names else None,
            )

    def read(self, ctx: iface.ReadDataContext, config: State) -> State | None:
        """Return the one token that matches."""
        del ctx
        session = self._sessions.get(given(config[PROFILE]))
        with failing("Storage token not looked up"):
            organization_id = session.organization_id(config[ORGANIZATION_ID])
            # In an apply something, a provisioner for one, may have just changed what there is.
            fresh = not session.terraform.is_planning()
            keys = in_order(session.account.keys(organization_id, fresh=fresh))
            matching = [key for key in keys if _matches(key, config)]
            if len(matching) != 1 and not fresh:
                keys = in_order(session.account.keys(organization_id, fresh=True))
                matching = [key for key in keys if _matches(key, config)]
        if len(matching) != 1:
            raise _not_one(config, matching, keys)
        found = listed_token(matching[0], session.now())
        # What was asked for stays as it was written.
        asked = {name: config[name] for name in _NAMES if given(config[name]) is not None}
        asked[PROFILE] = config[PROFILE]
        return {ORGANIZATION_ID: config[ORGANIZATION_ID] or organization_id} | found | asked


def _matches(key: "StorageKey", config: State) -> bool:
    wanted = given(config["id"])
    if wanted is not None and wanted.casefold() != (key.key_uuid or "").casefold():
        return False
    values = {"access_key_id": key.access_key_id, "alias": key.alias}
    return all(given(config[name]) in {None, value} for name, value in values.items())


def _not_one(
    config: State, matching: "Sequence[StorageKey]", keys: "Sequence[StorageKey]"
) -> Refusal:
    name = next((name for name in _NAMES if given(config[name]) is not None), None)
    path = [name] if name else None
    wanted = f'with {name} "{config[name]}"' if name else "without anything to find it by"
    candidates = matching or keys
    listed = "".join(f"\n  - {describe_token(key)}" for key in candidates[:_MOST_CANDIDATES])
    if len(candidates) > _MOST_CANDIDATES:
        listed += f"\n  - and {len(candidates) - _MOST_CANDIDATES} more"
    if matching:
        return Refusal(
            Diagnosis(
                "Several storage tokens match",
                f"There are {len(matching)} tokens {wanted}:{listed}\n\n"
                "Look it up by its id or access_key_id, which are unique.",
                path,
            )
        )
    return Refusal(
        Diagnosis(
            "Storage token not found",
            f"There is no token {wanted}. Those that are shown to this user are:"
            f"{listed or ' none'}\n\n"
            "Correct the value, or check organization_id.",
            path,
        )
    )
