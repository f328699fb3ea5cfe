"""What users are told of recipients, identities and ciphertexts. Nothing of theirs is quoted."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.tokens.errors import Flaw, WrongCiphertext, WrongIdentity

ENCRYPT_TO: Final = "encrypt_to"
EARLIER_STATES: Final = (
    "Earlier states still hold the secret",
    (
        "From this apply on the state holds the secret encrypted. The state before it, its backup, "
        "older versions in the backend and saved plans still hold it in the clear.\n\n"
        "Delete them, or make the secret worthless: replace the token, with terraform apply "
        "-replace=ADDRESS or by a change of rotate_when_changed."
    ),
)
EARLIER_STATES_OF_TWO: Final = (
    EARLIER_STATES[0],
    (
        "From this apply on the state holds the secrets of the rotating token encrypted. The state "
        "before it, its backup, older versions in the backend and saved plans still hold them in "
        "the clear.\n\n"
        "Delete them, or make the secrets worthless: terraform apply -replace=ADDRESS revokes all "
        "its keys at once. A rotation leaves one of them valid until the next, so it takes two."
    ),
)

SECRET_NEEDED: Final = Diagnosis(
    "Secret of the imported storage token is needed",
    "The plan takes the secret of this token from CRUSOE_STORAGE_TOKEN_SECRET, which is not set in "
    "this apply. A plan does not hold the secret.\n\n"
    "Set the variable for the apply as well, then apply again.",
)

_PUBLIC_KEYS: Final = (
    "A recipient is the public key of an age identity (age1…, as age-keygen -y prints it) or an "
    "SSH public key of the type ssh-ed25519 or ssh-rsa (the line in id_ed25519.pub)."
)
_RECIPIENT: Final[Mapping[Flaw, str]] = {
    Flaw.EMPTY: (
        "It is empty, and to leave it out could mean that nobody can read the secret. Leave out "
        "empty elements with compact()."
    ),
    Flaw.SEVERAL: "It has several lines. Write each recipient as an element of its own.",
    Flaw.UNSUPPORTED: f"It is a key of another kind. {_PUBLIC_KEYS}",
    Flaw.UNREADABLE: (
        "It is no key, or a character of it is wrong or missing, or it is an RSA key of another "
        f"length than 2048 to 4096 bits. {_PUBLIC_KEYS}"
    ),
}
_IDENTITY: Final[Mapping[Flaw, str]] = {
    Flaw.EMPTY: "is empty",
    Flaw.RECIPIENT: "is a public key; the private key that belongs to it is needed",
    Flaw.PASSPHRASE: (
        "is protected by a passphrase, which nobody can be asked for here; use a key without one"
    ),
    Flaw.UNSUPPORTED: (
        "is a key of another kind; it must be an age identity (AGE-SECRET-KEY-1…), or an SSH "
        "private key of the type ssh-ed25519 or ssh-rsa"
    ),
    Flaw.UNREADABLE: (
        "is no age identity (AGE-SECRET-KEY-1…) and no OpenSSH private key, or a damaged one"
    ),
}
_CIPHERTEXT: Final[Mapping[Flaw, str]] = {
    Flaw.EMPTY: "is empty",
    Flaw.NO_MATCH: "is encrypted to other recipients than this identity's",
    Flaw.UNREADABLE: (
        "is no age file in its armour (-----BEGIN AGE ENCRYPTED FILE-----), or a damaged one"
    ),
}


def wrong_recipient(index: int, flaw: Flaw) -> Diagnosis:
    """Return what to tell of a recipient.

    Terraform prints the lines of the configuration that an error points at. With a private key in
    them it must not point at the element.
    """
    if flaw is Flaw.IDENTITY:
        return Diagnosis(
            "Private key in encrypt_to",
            f"Element {index} of encrypt_to (counted from 0) is a private key: whoever reads the "
            "configuration, a plan or the state with it can decrypt the secret. It was not used, "
            "and is not shown here.\n\n"
            "Treat it as leaked if it stands in a file that others can read: make a new one, and "
            f"put its public key here. {_PUBLIC_KEYS}",
        )
    path: Sequence[Any] = [ENCRYPT_TO, (index,)]
    return Diagnosis(
        "Invalid recipient",
        f"Nothing can be encrypted to element {index} of encrypt_to (counted from 0). "
        f"{_RECIPIENT[flaw]}",
        path,
    )


def wrong_argument(error: WrongIdentity | WrongCiphertext) -> tuple[str, str]:
    """Return the argument of `decrypt` that is to blame, and what is wrong with it."""
    if isinstance(error, WrongIdentity):
        return "identity", _IDENTITY[error.flaw]
    return "ciphertext", _CIPHERTEXT[error.flaw]
