"""The schema of `crusoe_storage_rotating_token`."""

from tf.schema import Attribute, Block, Schema
from tf.types import Bool, Map, Number, String

from crusoe_provider.provider.attributes import (
    Duration,
    encrypt_to_attribute,
    encrypted_secret_key_attribute,
    organization_attribute,
    profile_attribute,
)
from crusoe_provider.providerserver.blocks import SingleNestedBlock


def rotating_token_schema() -> Schema:
    """Return the schema."""
    return Schema(
        version=0,
        description=(
            "A storage token (API key) of Crusoe Cloud Object Storage that is rotated in place and "
            "without a gap: a rotation makes a new key while the one before it stays valid as the "
            "previous one until the next rotation. Whatever uses the current key is updated by the "
            "apply that rotates; whoever is slower has a whole period. A user has at most two "
            "keys, and a rotating token uses both, so nothing else of this user can have one. All "
            "secrets exist in the Terraform state only, so protect the state, or have them "
            "encrypted with `encrypt_to`. Destroying the token, or replacing it with "
            "`-replace`, revokes both keys."
        ),
        attributes=[*_arguments(), *_current(), *_previous(), *_others()],
        block_types=[
            SingleNestedBlock(
                "timeouts",
                Block(
                    attributes=[_timeout("create", "a creation"), _timeout("update", "a rotation")],
                    description="How long operations may take.",
                ),
            )
        ],
    )


def _arguments() -> list[Attribute]:
    return [
        Attribute(
            "alias",
            String(),
            optional=True,
            description=(
                "Name for the keys; it need not be unique. Changing it rotates, which replaces "
                "nothing else. Default: none. Example: `ci-uploads`."
            ),
        ),
        Attribute(
            "rotate_after",
            Duration(),
            optional=True,
            description=(
                "Age of the current key from which on a plan rotates, as a duration with the units "
                "`w`, `d`, `h`, `m` and `s`. It is set, changed and removed without replacing a "
                "key. Default: age never rotates. Example: `30d`."
            ),
        ),
        Attribute(
            "rotate_when_changed",
            Map(String()),
            optional=True,
            description=(
                "Any values whose change rotates, which replaces the current key; setting them on "
                'a token that had none does not. Default: none. Example: `{ rotation = "2027-q1" '
                "}`."
            ),
        ),
        Attribute(
            "revoke_previous_after",
            Duration(),
            optional=True,
            description=(
                "How long after a rotation a plan revokes the previous key, as a duration. It "
                "never replaces the current one. Default: the previous key stays until the next "
                "rotation. Example: `7d`."
            ),
        ),
        Attribute(
            "expires_after",
            Duration(),
            optional=True,
            description=(
                "How long each key lives from its creation, as a duration; it must be longer than "
                "`rotate_after`. The safety net for when nobody applies. Changing it rotates, "
                "which replaces the current key; setting it on a key that has an expiry already "
                "does not. Default: keys never expire. Example: `90d`."
            ),
        ),
        encrypt_to_attribute(
            "Any other change of the recipients rotates, which replaces the current key: a secret "
            "cannot be encrypted anew, so the previous key keeps its secret for those who could "
            "read it before."
        ),
        organization_attribute(" whose buckets the token opens", replaces=True),
        profile_attribute(
            "create, read and revoke the keys",
            change="Changing it replaces the token, unless both profiles are of the same user.",
        ),
    ]


def _current() -> list[Attribute]:
    return [
        Attribute(
            "access_key_id",
            String(),
            computed=True,
            description=(
                "Access key ID of the current key, for S3 clients (`AWS_ACCESS_KEY_ID`). Null "
                "while the current key is gone; the next apply makes a new one. Example: "
                "`CKIA493K6LOVDNNAR4SZ`."
            ),
        ),
        Attribute(
            "secret_key",
            String(),
            computed=True,
            sensitive=True,
            description=(
                "Secret of the current key, for S3 clients (`AWS_SECRET_ACCESS_KEY`). Known only "
                "from the creation, and kept in the state; it cannot be read again. Null for an "
                "imported key, unless the import was given it, and with `encrypt_to`."
            ),
        ),
        encrypted_secret_key_attribute(),
        Attribute(
            "token_id",
            String(),
            computed=True,
            description=(
                "Token ID of the current key, a UUID, as `crusoe storage tokens list` shows it. "
                "Example: `f5705300-79f8-4686-9b9f-02496a053bc0`."
            ),
        ),
        Attribute(
            "created_at",
            String(),
            computed=True,
            description=(
                "When the current key was created, which is when it was rotated last. Example: "
                "`2026-11-02T09:30:00Z`."
            ),
        ),
        Attribute(
            "expires_at",
            String(),
            computed=True,
            description=(
                "When the current key stops working; null for never. Example: "
                "`2027-01-31T09:30:00Z`."
            ),
        ),
        Attribute(
            "status",
            String(),
            computed=True,
            description=(
                "Status of the current key: `enabled`; `disabled` if Crusoe has switched it off; "
                "`expired` if its expiry had passed at the last refresh. Example: `enabled`."
            ),
        ),
    ]


def _previous() -> list[Attribute]:
    return [
        Attribute(
            "previous_access_key_id",
            String(),
            computed=True,
            description=(
                "Access key ID of the key before the current one, which stays valid until the next "
                "rotation; null if there is none. Example: `CKIAXGFV74Z2FFURA9UA`."
            ),
        ),
        Attribute(
            "previous_secret_key",
            String(),
            computed=True,
            sensitive=True,
            description="Secret of the previous key; null where it is encrypted.",
        ),
        Attribute(
            "previous_encrypted_secret_key",
            String(),
            computed=True,
            description=(
                "Secret of the previous key, encrypted to those who could read it when it was the "
                "current one. Null where it is in the clear. Example: "
                "`-----BEGIN AGE ENCRYPTED FILE-----…`."
            ),
        ),
        Attribute(
            "previous_token_id",
            String(),
            computed=True,
            description=(
                "Token ID of the previous key. Example: `4442dcd5-8a9c-4a60-9f6f-1f3f2a7c9d01`."
            ),
        ),
        Attribute(
            "previous_created_at",
            String(),
            computed=True,
            description="When the previous key was created. Example: `2026-10-03T09:30:00Z`.",
        ),
        Attribute(
            "previous_expires_at",
            String(),
            computed=True,
            description=(
                "When the previous key stops working by itself; null for never. Example: "
                "`2027-01-01T09:30:00Z`."
            ),
        ),
        Attribute(
            "previous_status",
            String(),
            computed=True,
            description="Status of the previous key; see `status`. Example: `enabled`.",
        ),
    ]


def _others() -> list[Attribute]:
    return [
        Attribute(
            "id",
            String(),
            computed=True,
            description=(
                "Token ID of the first key; it stays through all rotations. Example: "
                "`f5705300-79f8-4686-9b9f-02496a053bc0`."
            ),
        ),
        Attribute(
            "generation",
            Number(),
            computed=True,
            description=(
                "1 at the creation, one more with each rotation: what the `…_wo_version` and "
                "`…_wo_revision` arguments of other providers want. Example: `3`."
            ),
        ),
        Attribute(
            "user_id",
            String(),
            computed=True,
            description=(
                "ID (a UUID) of the user to whom the keys belong. Example: "
                "`3c1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f10`."
            ),
        ),
        Attribute(
            "ready_for_rotation",
            Bool(),
            computed=True,
            description=(
                "Whether, at the last refresh, the current key had reached the age `rotate_after`, "
                "had expired or was gone, so that the next plan rotates. Example: `false`."
            ),
        ),
        Attribute(
            "ready_for_revocation",
            Bool(),
            computed=True,
            description=(
                "Whether, at the last refresh, the moment that `revoke_previous_after` names had "
                "come, or something else was left to revoke, so that the next apply does. Example: "
                "`false`."
            ),
        ),
    ]


def _timeout(name: str, what: str) -> Attribute:
    return Attribute(
        name,
        String(),
        optional=True,
        description=(
            f"How long {what} waits for a free slot when the user has the most tokens already, as "
            "a duration. Changing it changes nothing at Crusoe. Default: `2m`. Example: `10m`."
        ),
    )
