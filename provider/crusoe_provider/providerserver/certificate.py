"""The certificate that Terraform pins for the connection to this process.

go-plugin puts the server's certificate into the handshake line and trusts nothing else, so a new
self-signed one per process is enough. Key and certificate live in memory only.

Terraform starts a plugin three times for a plan, so this is written out in DER by hand: importing
`cryptography.x509` takes several times as long as making the key. The key and the signature are
cryptography's; only the envelope (RFC 5280, RFC 5915) is made here.
"""

import base64
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

# Longer than any run: a certificate that expired under way would break reconnections.
_LIFETIME = timedelta(days=30)
# Tolerates a clock that is set back between this moment and Terraform's check.
_BACKDATED = timedelta(hours=1)
# go-plugin checks the certificate for this name, whatever the address.
_HOST: Final = b"localhost"

_BOOLEAN, _INTEGER, _BIT_STRING, _OCTET_STRING, _OID = 0x01, 0x02, 0x03, 0x04, 0x06
_UTF8_STRING, _UTC_TIME, _GENERALIZED_TIME, _SEQUENCE, _SET = 0x0C, 0x17, 0x18, 0x30, 0x31
# RFC 5280 has two forms of time, and says until when the shorter one is to be used.
_FIRST_YEAR_IN_FULL: Final = 2050

# Object identifiers, encoded.
_EC_PUBLIC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_ECDSA_WITH_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
_COMMON_NAME: Final = bytes.fromhex("0603550403")
_BASIC_CONSTRAINTS: Final = bytes.fromhex("0603551d13")
_SUBJECT_ALTERNATIVE_NAME: Final = bytes.fromhex("0603551d11")
_EXTENDED_KEY_USAGE: Final = bytes.fromhex("0603551d25")
_SERVER_AUTHENTICATION: Final = bytes.fromhex("06082b06010505070301")


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A self-signed certificate with its private key.

    Attributes:
        der: The certificate, for the handshake line.
        pem: The certificate, for the TLS server.
        key_pem: The unencrypted private key, for the TLS server.
    """

    der: bytes
    pem: bytes
    key_pem: bytes = field(repr=False)


def new_certificate(now: datetime) -> ServerCertificate:
    """Return a fresh P-256 certificate for `localhost`, valid for thirty days from `now`, aware."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.private_numbers()
    point = b"\x04" + _coordinate(numbers.public_numbers.x) + _coordinate(numbers.public_numbers.y)
    algorithm = _der(_SEQUENCE, _ECDSA_WITH_SHA256)
    name = _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _COMMON_NAME, _der(_UTF8_STRING, _HOST))))
    to_be_signed = _der(
        _SEQUENCE,
        _der(0xA0, _der(_INTEGER, b"\x02")),  # version 3
        _der(_INTEGER, b"\x01" + os.urandom(15)),
        algorithm,
        name,
        _der(_SEQUENCE, _time(now - _BACKDATED), _time(now + _LIFETIME)),
        name,
        _der(_SEQUENCE, _der(_SEQUENCE, _EC_PUBLIC_KEY, _P256), _bits(point)),
        _der(0xA3, _der(_SEQUENCE, *_extensions())),
    )
    signature = _sign(key, to_be_signed)
    der = _der(_SEQUENCE, to_be_signed, algorithm, _bits(signature))
    private_key = _der(
        _SEQUENCE,
        _der(_INTEGER, b"\x01"),
        _der(_OCTET_STRING, _coordinate(numbers.private_value)),
        _der(0xA0, _P256),
        _der(0xA1, _bits(point)),
    )
    return ServerCertificate(
        der=der, pem=_pem("CERTIFICATE", der), key_pem=_pem("EC PRIVATE KEY", private_key)
    )


class _EcdsaWithSha256(ec.ECDSA):
    """What the constructor of the library's own makes, which loads all its other algorithms."""

    def __init__(self) -> None:
        pass  # it is for those algorithms only

    @property
    def algorithm(self) -> hashes.HashAlgorithm:
        return hashes.SHA256()

    @property
    def deterministic_signing(self) -> bool:
        return False


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    try:
        return key.sign(message, _EcdsaWithSha256())
    except (AttributeError, TypeError):  # another version of the library may want to know more
        return key.sign(message, ec.ECDSA(hashes.SHA256()))


def _extensions() -> tuple[bytes, ...]:
    true = _der(_BOOLEAN, b"\xff")
    authority = _der(_SEQUENCE, true)
    names = _der(_SEQUENCE, _der(0x82, _HOST))
    usage = _der(_SEQUENCE, _SERVER_AUTHENTICATION)
    return (
        _der(_SEQUENCE, _BASIC_CONSTRAINTS, true, _der(_OCTET_STRING, authority)),
        _der(_SEQUENCE, _SUBJECT_ALTERNATIVE_NAME, _der(_OCTET_STRING, names)),
        _der(_SEQUENCE, _EXTENDED_KEY_USAGE, _der(_OCTET_STRING, usage)),
    )


def _der(tag: int, *contents: bytes) -> bytes:
    """Return a value of DER: its tag, its length, its contents."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:  # noqa: PLR2004 - longer ones need a length of their length
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size) + content


def _bits(content: bytes) -> bytes:
    return _der(_BIT_STRING, b"\x00", content)


def _time(moment: datetime) -> bytes:
    utc = moment.astimezone(UTC)
    if utc.year < _FIRST_YEAR_IN_FULL:
        return _der(_UTC_TIME, utc.strftime("%y%m%d%H%M%SZ").encode())
    return _der(_GENERALIZED_TIME, utc.strftime("%Y%m%d%H%M%SZ").encode())


def _coordinate(number: int) -> bytes:
    return number.to_bytes(32)


def _pem(label: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()
