"""HTTPS servers on this machine, with a certificate of a test's own."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CREATED = b'{"access_key_id": "CKIA1", "secret_key": "SK-the-new-secret"}'


@dataclass
class TlsServer:
    """A server that answers everything with a new key.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        certificate: The file with the certificate that vouches for it, as a rule its own.
        requests: The request lines that came in.
    """

    port: int
    certificate: Path
    requests: list[str] = field(default_factory=list)


@contextlib.contextmanager
def tls_server(folder: Path, *, name: str, below: bool = False) -> Iterator[TlsServer]:
    """Serve with a certificate for `name`.

    Args:
        folder: Where the files go.
        name: A host name or an IP address.
        below: Whether the authority is not its own, and is below another one that is not there.
    """
    certificate = _certificate(folder, name, below=below)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "key.pem")
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            requests.append(self.requestline)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(CREATED)))
            self.end_headers()
            self.wfile.write(CREATED)

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: Any) -> None:
            """Keep the tests' output clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_arguments: Any) -> None:
            """Keep refused handshakes quiet."""

        def finish_request(self, request: Any, client_address: Any) -> None:
            with context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield TlsServer(server.server_port, certificate, requests)
        server.shutdown()
        thread.join()


def _certificate(folder: Path, name: str, *, below: bool) -> Path:
    """Make a certificate for `name`, with its key; return the file with who vouches for it."""
    authority_key, root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    if not below:
        own = _signed(name, key, name, key, authority=True)
        vouching = own
    else:  # trusted is an authority that another one, which nobody knows, vouches for
        own = _signed(name, key, "below", authority_key, authority=False)
        vouching = _signed("below", authority_key, "root", root_key, authority=True)
    path = folder / "certificate.pem"
    path.write_bytes(vouching.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(private + own.public_bytes(serialization.Encoding.PEM))
    return path


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
