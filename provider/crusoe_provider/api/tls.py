"""Which authorities vouch for the API's certificate.

`SSL_CERT_FILE` and `SSL_CERT_DIR` name them, wherever the endpoint is. Without these they are those
of the system, as for Terraform itself, where it is a Linux that has some: an authority that a
company has installed there counts. Otherwise they are certifi's, as for every httpx client.
Certificates are verified on every TLS connection.
"""

import os
import re
import ssl
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from crusoe_provider.api.proxies import UnusableVariableError

_FILE: Final = "SSL_CERT_FILE"
_FOLDER: Final = "SSL_CERT_DIR"
_KEY_LOG: Final = "SSLKEYLOGFILE"

# Where distributions keep them: Go's crypto/x509, root_linux.go, in that order.
SYSTEM_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat 6
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Red Hat 7
    "/etc/ssl/cert.pem",  # Alpine
)
SYSTEM_FOLDER: Final = "/etc/ssl/certs"
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"


class _Place(NamedTuple):
    """Where certificates of authorities are: a file of them, folders as OpenSSL hashes them."""

    file: str | None
    folder: str | None


@dataclass(frozen=True)
class Authorities:
    """Where the authorities come from.

    Attributes:
        file: A file of certificates that the environment names.
        folder: Folders of certificates that it names, as OpenSSL hashes them, with colons between.
    """

    file: str | None = None
    folder: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Authorities":
        """Return what the environment says; an empty variable counts as unset.

        Raises:
            UnusableVariableError: A file or folder is not there, or of no use.
        """
        found = cls(environ.get(_FILE) or None, environ.get(_FOLDER) or None)
        if found.folder and not any(Path(p).is_dir() for p in found.folder.split(os.pathsep)):
            raise UnusableVariableError(_FOLDER, f"{_FOLDER} names no folder that is there.")
        key_log = environ.get(_KEY_LOG)
        if key_log:
            # Python opens it for every TLS context, whoever makes one.
            try:
                Path(key_log).open("ab").close()
            except OSError as error:
                raise UnusableVariableError(
                    _KEY_LOG, f"{_KEY_LOG} names a file that cannot be written: {error.strerror}."
                ) from None
        if found._variables:
            found.context()
        return found

    def context(self) -> ssl.SSLContext:
        """Return the TLS context that trusts them; all clients share it.

        Raises:
            UnusableVariableError: They cannot be read.
            OSError: Those of certifi cannot.
        """
        return self._found[0]

    @property
    def source(self) -> str:
        """The variables that name them, the system's file or folder, or `certifi`.

        Raises:
            UnusableVariableError: They cannot be read.
            OSError: Those of certifi cannot.
        """
        return self._found[1]

    @property
    def _variables(self) -> str:
        names = [n for n, value in ((_FILE, self.file), (_FOLDER, self.folder)) if value]
        return " and ".join(names)

    @cached_property
    def _found(self) -> tuple[ssl.SSLContext, str]:
        if self._variables:
            return self._named(), self._variables
        system = _of_system()
        if system:
            # A file without certificates, or that nobody may read, is as good as none.
            with suppress(OSError):
                return _context(system), system.file or str(system.folder)
        import certifi  # noqa: PLC0415 - not where there are others

        return _context(_Place(certifi.where(), None)), "certifi"

    def _named(self) -> ssl.SSLContext:
        try:
            return _context(_Place(self.file, self.folder))
        except OSError as error:
            broken = isinstance(error, ssl.SSLError)
            reason = "it holds no certificates" if broken else str(error.strerror)
            raise UnusableVariableError(_FILE, f"{_FILE} cannot be used: {reason}.") from None


def _of_system() -> _Place | None:
    """Return where this system has its authorities, if it has any.

    OpenSSL looks one authority up in a folder when it is needed, and reads a file whole, which
    takes 48 ms. So the file is left where the folder has all that it has; some append to the file
    alone, and in images that were put together the folder's links often lead nowhere.
    """
    if sys.platform != "linux":
        return None
    in_folder = _count_in_folder(SYSTEM_FOLDER)
    folder = SYSTEM_FOLDER if in_folder else None
    for file in SYSTEM_FILES:
        in_file = _count_in_file(file)
        if in_file:
            return _Place(file if in_file > in_folder else None, folder)
    return _Place(None, folder) if folder else None


def _count_in_folder(folder: str) -> int:
    try:
        names = filter(_HASHED.fullmatch, os.listdir(folder))  # noqa: PTH208 - quick
    except OSError:
        return 0
    found = set()
    for name in names:
        with suppress(OSError):
            found.add(os.stat(f"{folder}/{name}").st_ino)  # noqa: PTH116 - quick
    return len(found)


def _count_in_file(file: str) -> int:
    try:
        return Path(file).read_bytes().count(_CERTIFICATE)
    except OSError:
        return 0


def _context(place: _Place) -> ssl.SSLContext:
    return _context_of(place, _versions(place), os.environ.get(_KEY_LOG))


@lru_cache(maxsize=1)
def _context_of(
    place: _Place, versions: tuple[tuple[int, int, int] | None, ...], key_log: str | None
) -> ssl.SSLContext:
    """Return a context; a process that was forked from one that has read the files has it already.

    Args:
        place: Where the certificates are.
        versions: Which versions of them, so that those that are replaced are read anew.
        key_log: Where Python writes the secrets of its connections, if that is asked for.
    """
    del versions, key_log
    return ssl.create_default_context(cafile=place.file, capath=place.folder)


def _versions(place: _Place) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(map(_version, [place.file or "", *(place.folder or "").split(os.pathsep)]))


def _version(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a text, as OpenSSL takes it
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_ahead(environ: Mapping[str, str]) -> None:
    """Read the authorities for the processes that will be forked from this one.

    What is wrong with them is for those to say. Where the secrets of connections are to be logged
    nothing is read: each process opens that file by itself.
    """
    if not environ.get(_KEY_LOG):
        with suppress(UnusableVariableError, OSError):
            Authorities.of(environ).context()
