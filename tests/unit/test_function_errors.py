"""What functions say of arguments that they cannot use: the text in full, as in the guide.

Terraform shows it below its own headline, and makes a sentence of it.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from tf.function import CallContext, Function
from tf.utils import Diagnostics

from crusoe_provider.provider.function_credentials_file import CredentialsFileFunction
from crusoe_provider.provider.function_decrypt import DecryptFunction
from support.keys import AGE, AGE_IDENTITY, DOCUMENT, PROTECTED_IDENTITY, SSH_IDENTITY, ssh_key

FILE: str = next(v["ciphertext"] for v in DOCUMENT["vectors"] if v["recipients"] == [AGE])


def said(function: type[Function], *arguments: str) -> str:
    """Return the one thing that a function says, in place of a result.

    The text begins with the argument that it is about, and Terraform points at that one.
    """
    diagnostics = Diagnostics()
    provider: Any = SimpleNamespace(hide=lambda _text: None)
    result = function(provider).call(CallContext(diagnostics, "f"), list(arguments))  # type: ignore[call-arg]
    assert result is None
    (error,) = diagnostics.diagnostics
    assert error.path == [error.summary.partition(" ")[0]]
    return error.summary


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("", "identity is empty."),
        ("# a comment", "identity is empty."),
        (AGE, "identity is a public key; the private key that belongs to it is needed."),
        (
            PROTECTED_IDENTITY,
            (
                "identity is protected by a passphrase, which nobody can be asked for here; use "
                "a key "
                "without one."
            ),
        ),
        (
            ssh_key("ecdsa").private,
            (
                "identity is a key of another kind; it must be an age identity "
                "(AGE-SECRET-KEY-1…), or "
                "an SSH private key of the type ssh-ed25519 or ssh-rsa."
            ),
        ),
        (
            f"{AGE_IDENTITY}x",
            (
                "identity is no age identity (AGE-SECRET-KEY-1…) and no OpenSSH private key, or a "
                "damaged one."
            ),
        ),
    ],
)
def test_an_identity_that_is_none(identity: str, text: str) -> None:
    assert said(DecryptFunction, FILE, identity) == text


@pytest.mark.parametrize(
    ("ciphertext", "identity", "text"),
    [
        ("", AGE_IDENTITY, "ciphertext is empty."),
        (
            FILE,
            SSH_IDENTITY,
            "ciphertext is encrypted to other recipients than this identity's.",
        ),
        (
            "the secret",
            AGE_IDENTITY,
            (
                "ciphertext is no age file in its armour (-----BEGIN AGE ENCRYPTED FILE-----), "
                "or a "
                "damaged one."
            ),
        ),
    ],
)
def test_a_ciphertext_that_is_none(ciphertext: str, identity: str, text: str) -> None:
    assert said(DecryptFunction, ciphertext, identity) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("", "SK", "default"),
            (
                "access_key_id is empty, or holds blanks or characters that no key has, which "
                "would "
                "break the file."
            ),
        ),
        (
            ("CKIA", "S K", "default"),
            (
                "secret_key is empty, or holds blanks or characters that no key has, which would "
                "break "
                "the file."
            ),
        ),
        (
            ("CKIA", "SK", "[x]"),
            "profile must be a name without brackets and line breaks, such as default.",
        ),
    ],
)
def test_a_credentials_file_that_would_be_broken(
    arguments: tuple[str, str, str], text: str
) -> None:
    assert said(CredentialsFileFunction, *arguments) == text
