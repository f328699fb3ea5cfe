"""Types of attributes, and attributes that several elements have."""

from collections.abc import Callable
from typing import Any, Final

from tf.schema import Attribute
from tf.types import Bool, List, String, TfType

from crusoe_provider.api.rfc3339 import parse_instant
from crusoe_provider.providerserver.identity import IdentityAttribute, IdentitySchema
from crusoe_provider.providerserver.resource import State
from crusoe_provider.tokens.durations import parse_duration
from crusoe_provider.tokens.encryption import same_recipients

ORGANIZATION_ID: Final = "organization_id"
PROFILE: Final = "profile"
LISTED_TOKEN: Final[dict[str, TfType]] = {
    "id": String(),
    "access_key_id": String(),
    "alias": String(),
    "status": String(),
    "created_at": String(),
    "expires_at": String(),
    "expired": Bool(),
    "user_id": String(),
}
"""A token as data sources show it; see `tokens.token.listed_token`."""


TOKEN_IDENTITY: Final = IdentitySchema(
    [
        IdentityAttribute(
            "access_key_id",
            String(),
            "Access key ID of the token.",
            required_for_import=True,
        ),
        IdentityAttribute(
            ORGANIZATION_ID,
            String(),
            "ID of the organization; default: as for the provider.",
            optional_for_import=True,
        ),
        IdentityAttribute(
            PROFILE,
            String(),
            "Profile whose credentials manage the token; default: those of the provider.",
            optional_for_import=True,
        ),
    ]
)
"""What tells a token from all others."""


def token_identity(state: State) -> State | None:
    """Return the identity of the token that has a state; `None` before it is created."""
    key = state["access_key_id"]
    if not isinstance(key, str):
        return None
    return {
        "access_key_id": key,
        ORGANIZATION_ID: state[ORGANIZATION_ID] or None,
        PROFILE: state[PROFILE] or None,
    }


class Timestamp(String):
    """An RFC 3339 date and time: a string of which every spelling of one instant is equal."""

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Compare instants; what is no timestamp (null, a state edited by hand) as it is."""
        return _equal(parse_instant, a_decoded, b_decoded)


class Duration(String):
    """A duration such as `90d`: a string of which every spelling of one duration is equal."""

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Compare durations; what is none (null, a state edited by hand) as it is."""
        return _equal(parse_duration, a_decoded, b_decoded)


class Recipients(List):
    """A list of public keys, of which every order and spelling of the same keys is equal."""

    def __init__(self) -> None:
        super().__init__(String())

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Compare keys."""
        if not (isinstance(a_decoded, list) and isinstance(b_decoded, list)):
            return a_decoded is b_decoded
        return same_recipients(a_decoded, b_decoded)


def _equal(parse: Callable[[str], object], a: Any, b: Any) -> bool:
    if not (isinstance(a, str) and isinstance(b, str)):
        return a is b
    try:
        return parse(a) == parse(b)
    except ValueError:
        return a == b


def organization_attribute(
    whose: str, *, replaces: bool = False, computed: bool = True
) -> Attribute:
    """Return the attribute `organization_id`.

    Args:
        whose: What belongs to the organization; completes "ID (a UUID) of the organization".
        replaces: Whether a change replaces the resource.
        computed: Whether it is filled in where it is not set.
    """
    change = " Changing it replaces the token." if replaces else ""
    return Attribute(
        ORGANIZATION_ID,
        String(),
        optional=True,
        computed=computed or None,
        description=(
            f"ID (a UUID) of the organization{whose}.{change} Default: the provider's "
            "`organization_id`, then the only organization of the user. Example: "
            "`ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab`."
        ),
    )


def profile_attribute(what: str, *, change: str = "") -> Attribute:
    """Return the attribute `profile`.

    Args:
        what: What happens with the credentials; completes "whose credentials".
        change: What a change does, as a sentence.
    """
    return Attribute(
        PROFILE,
        String(),
        optional=True,
        description=(
            f"Profile whose credentials {what}: an entry of the provider's `profiles`, or a "
            f"profile of `~/.crusoe/config`.{f' {change}' if change else ''} Default: the "
            "credentials of the provider block. Example: `ci`."
        ),
    )


def encrypt_to_attribute(change: str) -> Attribute:
    """Return the attribute `encrypt_to`.

    Args:
        change: What a change of the recipients does, as a sentence.
    """
    return Attribute(
        "encrypt_to",
        Recipients(),
        optional=True,
        description=(
            "Public keys to encrypt the secret to: age recipients (`age1…`) and SSH public keys "
            "(`ssh-ed25519`, `ssh-rsa`). Then `secret_key` is null, and the state holds the secret "
            "only as `encrypted_secret_key`, which any one of the private keys decrypts. A token "
            "whose secret is in the state takes it up in place: the secret is encrypted and "
            f"removed. {change} Default: the secret is kept in the clear. Example: "
            '`["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"]`.'
        ),
    )


def encrypted_secret_key_attribute() -> Attribute:
    """Return the attribute `encrypted_secret_key`."""
    return Attribute(
        "encrypted_secret_key",
        String(),
        computed=True,
        description=(
            "The secret, encrypted to `encrypt_to`: an age file in its armour, for `age -d`, the "
            "function `decrypt`, or any other implementation of age. It may be shown and "
            "committed. Null without `encrypt_to`. Example: `-----BEGIN AGE ENCRYPTED FILE-----…`."
        ),
    )
