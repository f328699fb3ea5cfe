"""A simulator far away, behind TLS: what users have between themselves and Crusoe.

    plugin ── TCP ── the distance ── TCP ── the end of TLS ── plain HTTP ── simulator

The distance delays what passes, in either direction, by half a round trip, and the first of a new
connection by a whole one more, which its handshake would take. The handshake of TLS passes it in
flights like everything else.
"""

import asyncio
import contextlib
import ipaddress
import os
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.authorities import add_to_folder

_HOST: Final = "127.0.0.1"
_CHUNK: Final = 65536
_AUTHORITY: Final = "authority.pem"
_SIGNS: Final = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Far:
    """A server on loopback, made distant and given a certificate; a context manager.

    Args:
        folder: A folder for the certificates.
        port: The port of the server, which speaks plain HTTP.
        round_trip: Seconds that a flight takes, to and fro.

    Attributes:
        authorities: A file with the authorities of this system, and the one of this server.
        folder: A folder of the same, by their hashes; `None` where the system has no such folder.
        port: The port at which the server is reached from afar, by TLS.
    """

    def __init__(self, folder: Path, port: int, round_trip: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.authorities = folder / "authorities.pem"
        self.port = 0
        self._server_port = port
        self._round_trip = round_trip
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(_certificate(folder, self.authorities))
        self.folder = _hashed_folder(folder)
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> int:
        near = await asyncio.start_server(self._end_tls, _HOST, 0, ssl=self._context)
        self._near_port = near.sockets[0].getsockname()[1]
        far = await asyncio.start_server(self._delay, _HOST, 0)
        port: int = far.sockets[0].getsockname()[1]
        self._servers = (near, far)
        return port

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        # What passes on ends with its connection. A task that is cancelled would be reported.
        for writer in self._writers:
            writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*tasks, return_exceptions=True)
        # Closed connections are cleared away in the next round of the loop.
        await asyncio.sleep(0)

    async def _delay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._round_trip)
        await self._join(reader, writer, self._near_port, self._round_trip / 2)

    async def _end_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._join(reader, writer, self._server_port, 0.0)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, way: float
    ) -> None:
        """Pass on what comes, in both directions, to and from a port of this machine."""
        self._writers.append(writer)
        other_reader, other_writer = await asyncio.open_connection(_HOST, port)
        self._writers.append(other_writer)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            there = _pass_on(reader, other_writer, way)
            await asyncio.gather(there, _pass_on(other_reader, writer, way))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: float) -> None:
    """Pass on what comes, each flight so many seconds later, and none before an earlier one."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    delivering = asyncio.create_task(deliver())
    data = b"-"
    while data:
        try:
            data = await reader.read(_CHUNK)
        except (ConnectionError, ssl.SSLError):
            data = b""
        waiting.put_nowait((loop.time() + way, data))
    await delivering


def _certificate(folder: Path, authorities: Path) -> Path:
    """Make an authority and a certificate for this machine; return the latter with its key.

    Args:
        folder: Where to put them.
        authorities: The file to write the system's authorities and the new one into.
    """
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _signed("an authority", authority_key, None)
    own = _signed(_HOST, key, (authority, authority_key))
    system = Path(os.environ.get("SSL_CERT_FILE") or _system_bundle()).read_bytes()
    own_authority = folder / _AUTHORITY
    own_authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    authorities.write_bytes(system + b"\n" + own_authority.read_bytes())
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + own.public_bytes(serialization.Encoding.PEM))
    file.chmod(0o600)
    return file


def _hashed_folder(folder: Path) -> Path | None:
    """Copy the system's folder of authorities, and add the one that was made to it."""
    system = Path(ssl.get_default_verify_paths().capath or os.devnull)
    links = list(system.glob("*.[0-9]"))
    if not links:
        return None
    hashed = folder / "authorities"
    hashed.mkdir()
    for link in links:
        (hashed / link.name).symlink_to(link.resolve())
    add_to_folder(hashed, folder / _AUTHORITY)
    return hashed


def _system_bundle() -> str:
    return ssl.get_default_verify_paths().cafile or certifi.where()


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signing_key = issuer[1] if issuer else key
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
    )
    if issuer:
        address = x509.IPAddress(ipaddress.ip_address(_HOST))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    else:
        builder = builder.add_extension(_SIGNS, critical=True)
    return builder.sign(signing_key, hashes.SHA256())
