"""The schema of `crusoe_storage_token`."""

from tf.schema import Attribute, Block, Schema
from tf.types import Bool, Map, String

from crusoe_provider.provider.attributes import (
    Duration,
    Timestamp,
    encrypt_to_attribute,
    encrypted_secret_key_attribute,
    organization_attribute,
    profile_attribute,
)
from crusoe_provider.providerserver.blocks import SingleNestedBlock


def token_schema() -> Schema:
    """Return the schema."""
    return Schema(
        version=0,
        description=(
            "A storage token (API key) of Crusoe Cloud Object Storage: an access key ID and a "
            "secret key for S3 clients. It belongs to the user whose credentials the provider "
            "uses; a user has at most two. Crusoe shows the secret once, at creation: from "
            "then on it exists in the Terraform state only, so protect the state, or have it "
            "encrypted with `encrypt_to`. Destroying the token revokes access at once."
        ),
        attributes=[
            Attribute(
                "alias",
                String(),
                optional=True,
                description=(
                    "Name for the token; it need not be unique. Changing it replaces the "
                    "token. Default: none. Example: `ci-uploads`."
                ),
            ),
            Attribute(
                "expires_at",
                Timestamp(),
                optional=True,
                computed=True,
                description=(
                    "When the token stops working, as an RFC 3339 date and time with a zone. "
                    "Changing, adding or removing it replaces the token; another spelling of "
                    "the same instant does not. With `expires_after` it is computed. Default: "
                    "never. Example: `2027-01-31T12:00:00Z`."
                ),
            ),
            Attribute(
                "expires_after",
                Duration(),
                optional=True,
                description=(
                    "How long the token lives from its creation, as a duration with the units "
                    "`w`, `d`, `h`, `m` and `s`; conflicts with `expires_at`. Changing it "
                    "replaces the token; setting it on one that has an expiry already does "
                    "not. A token that has expired is replaced by the next plan. Default: "
                    "it never expires. Example: `90d`."
                ),
            ),
            Attribute(
                "renew_before",
                Duration(),
                optional=True,
                description=(
                    "How long before its expiry a plan replaces the token, as a duration; it "
                    "needs `expires_after` and must be shorter. Changing it changes nothing "
                    "at Crusoe and replaces nothing by itself. Default: the token is replaced "
                    "once it has expired. Example: `14d`."
                ),
            ),
            Attribute(
                "rotate_when_changed",
                Map(String()),
                optional=True,
                description=(
                    "Any values whose change replaces the token; setting them on a token that "
                    'had none does not. Default: none. Example: `{ rotation = "2027-q1" }`.'
                ),
            ),
            encrypt_to_attribute(
                "Any other change of the keys replaces the token, because its secret cannot "
                "be encrypted anew."
            ),
            organization_attribute(" whose buckets the token opens", replaces=True),
            profile_attribute(
                "create, read and revoke the token",
                change=(
                    "Changing it replaces the token, unless both profiles are of the same user."
                ),
            ),
            Attribute(
                "id",
                String(),
                computed=True,
                description=(
                    "Token ID, a UUID, as `crusoe storage tokens list` shows it. Example: "
                    "`f5705300-79f8-4686-9b9f-02496a053bc0`."
                ),
            ),
            Attribute(
                "access_key_id",
                String(),
                computed=True,
                description=(
                    "Access key ID for S3 clients (`AWS_ACCESS_KEY_ID`). "
                    "Example: `CKIA493K6LOVDNNAR4SZ`."
                ),
            ),
            Attribute(
                "secret_key",
                String(),
                computed=True,
                sensitive=True,
                description=(
                    "Secret for S3 clients (`AWS_SECRET_ACCESS_KEY`). Known only from the "
                    "creation, and kept in the state; it cannot be read again. Null for an "
                    "imported token, unless the import was given it, and with `encrypt_to`."
                ),
            ),
            encrypted_secret_key_attribute(),
            Attribute(
                "status",
                String(),
                computed=True,
                description=(
                    "`enabled`, or `disabled` if Crusoe has switched the token off. Example: "
                    "`enabled`."
                ),
            ),
            Attribute(
                "created_at",
                String(),
                computed=True,
                description="When the token was created. Example: `2026-11-02T09:30:00Z`.",
            ),
            Attribute(
                "user_id",
                String(),
                computed=True,
                description=(
                    "ID (a UUID) of the user to whom the token belongs. Example: "
                    "`3c1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f10`."
                ),
            ),
            Attribute(
                "ready_for_renewal",
                Bool(),
                computed=True,
                description=(
                    "Whether the moment that `renew_before` names had come at the last "
                    "refresh. Example: `false`."
                ),
            ),
        ],
        block_types=[
            SingleNestedBlock(
                "timeouts",
                Block(
                    attributes=[
                        Attribute(
                            "create",
                            String(),
                            optional=True,
                            description=(
                                "How long a creation waits for a free slot when the user has "
                                "the most tokens already, as a duration. Changing it changes "
                                "nothing at Crusoe. Default: `2m`, and less once nothing in "
                                "this apply can free a slot any more. Example: `10m`."
                            ),
                        )
                    ],
                    description="How long operations may take.",
                ),
            )
        ],
    )
