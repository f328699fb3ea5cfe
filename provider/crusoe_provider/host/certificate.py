"""The certificate that Terraform pins for the connection to this process.

go-plugin puts the server's certificate into the handshake line and trusts nothing else, so a new
self-signed one per process is enough. Key and certificate live in memory only.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Longer than any run: a certificate that expired under way would break reconnections.
_LIFETIME = timedelta(days=30)
# Tolerates a clock that is set back between this moment and Terraform's check.
_BACKDATED = timedelta(hours=1)
# go-plugin checks the certificate for this name, whatever the address.
_HOST = "localhost"


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
    """Return a fresh P-256 certificate for `localhost`, valid for thirty days from `now` (UTC)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_HOST)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return ServerCertificate(
        der=certificate.public_bytes(serialization.Encoding.DER),
        pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
