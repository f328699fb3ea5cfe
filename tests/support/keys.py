"""Keys for encryption: those of the vectors, and new ones of other kinds."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "schemas" / "age-vectors.json").read_text(encoding="utf-8")
)
PLAINTEXT: str = DOCUMENT["plaintext"]


def _pair(prefix: str) -> tuple[str, str]:
    """Return the first recipient that begins so, with its identity."""
    return next(
        (vector["recipients"][0], vector["identity"])
        for vector in DOCUMENT["vectors"]
        if len(vector["recipients"]) == 1 and vector["recipients"][0].startswith(prefix)
    )


AGE, AGE_IDENTITY = _pair("age1")
SSH, SSH_IDENTITY = _pair("ssh-ed25519")
RSA, RSA_IDENTITY = _pair("ssh-rsa")
# Protected by a passphrase.
PROTECTED: str = DOCUMENT["protected_identity"]["recipient"]
PROTECTED_IDENTITY: str = DOCUMENT["protected_identity"]["identity"]


class SshKey(NamedTuple):
    """An SSH key, as its two files have it."""

    public: str
    private: str


def ssh_key(kind: str, *, bits: int = 2048, passphrase: bytes = b"") -> SshKey:
    """Return a new SSH key.

    Args:
        kind: `ed25519`, `rsa` or `ecdsa`.
        bits: The length of an RSA key.
        passphrase: What protects it. Its private key then has the older form.
    """
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif kind == "rsa":
        key = rsa.generate_private_key(65537, bits)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    form = serialization.PrivateFormat
    private = key.private_bytes(
        serialization.Encoding.PEM,
        form.TraditionalOpenSSL if passphrase else form.OpenSSH,
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption(),
    )
    return SshKey(f"{public.decode()} somebody@example.com", private.decode())
