"""Which authorities vouch for the API's certificate.

`SSL_CERT_FILE` and `SSL_CERT_DIR` name them, wherever the endpoint is. Without these they are those
of the system, as for Terraform itself, where it is a Linux that has some: an authority that a
company has installed there counts. Otherwise they are certifi's, as for every httpx client.
Certificates are verified on every TLS connection.

OpenSSL looks one authority up in a folder, by its hash, when it is needed; a file it reads whole,
which takes 48 ms. So where there is a folder of hashes nothing else is read, until a server comes
that this does not vouch for. Then everything is read that a program in Go would have read at once:
files are appended to, links are out of date, and some put a certificate beside them without one.
"""

import os
import re
import ssl
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
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
SYSTEM_FOLDERS: Final = ("/etc/ssl/certs", "/etc/pki/tls/certs")
_SYSTEM: Final = "this system"
_CERTIFI: Final = "certifi"
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)
# All authorities that there are take a quarter of a megabyte.
_LONGEST_FILE: Final = 8 * 2**20


class _Place(NamedTuple):
    """Where certificates of authorities are.

    Attributes:
        file: A file of them, which is read at once.
        folder: Folders, with colons between, in which OpenSSL finds one by its hash.
        rest: Files and folders that are read when these do not vouch for a server.
        source: Who has named them: variables, the system, or nobody, for those of certifi.
    """

    file: str | None
    folder: str | None
    rest: tuple[str, ...]
    source: str


class _Trust:
    """Authorities, in the TLS context that all clients share. Safe under threads.

    Args:
        place: Where they are.

    Attributes:
        context: The context.
        source: Whose they are.

    Raises:
        OSError: The file of the place cannot be read, or holds none.
    """

    def __init__(self, place: _Place) -> None:
        self.context = ssl.create_default_context(cafile=place.file, capath=place.folder)
        # As for Go and curl, and in every version of Python: who is trusted is trusted as it is,
        # be it an authority below another, or one that was not made by the letter of RFC 5280.
        self.context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self.context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self.source = place.source
        self._rest = place.rest
        self._completing = threading.Lock()

    @property
    def is_whole(self) -> bool:
        """Whether there are no others that could vouch."""
        return not self._rest

    def complete(self) -> None:
        """Read the rest; later callers wait for that."""
        with self._completing:
            if self._rest:
                self._add(_certificates_in(self._rest))
                if self.source == _SYSTEM and not self.context.cert_store_stats()["x509"]:
                    with suppress(OSError):  # an installation that lacks certifi's file
                        self.context.load_verify_locations(cafile=_certifi())
                        self.source = _CERTIFI
                self._rest = ()

    def _add(self, certificates: Iterable[str]) -> None:
        for certificate in certificates:
            with suppress(ssl.SSLError):
                self.context.load_verify_locations(cadata=certificate)


@dataclass(frozen=True)
class Authorities:
    """Where the authorities come from.

    Attributes:
        file: A file of certificates that the environment names.
        folder: Folders of certificates that it names, with colons between.
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
        if found.folder and not any(map(os.path.isdir, found.folder.split(os.pathsep))):
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
        return self._trust.context

    @property
    def are_whole(self) -> bool:
        """Whether all of them are in the context; the errors are those of `context`."""
        return self._trust.is_whole

    def complete(self) -> None:
        """Put those into the context that were not needed so far, for a server nobody vouches for.

        The errors are those of `context`.
        """
        self._trust.complete()

    @property
    def source(self) -> str:
        """The variables that name them, or whose they are; the errors are those of `context`."""
        return self._trust.source

    @property
    def _variables(self) -> str:
        names = [n for n, value in ((_FILE, self.file), (_FOLDER, self.folder)) if value]
        return " and ".join(names)

    @cached_property
    def _trust(self) -> _Trust:
        if not self._variables:
            return _of_system() or _trust_of(_Place(_certifi(), None, (), _CERTIFI))
        folders = tuple(self.folder.split(os.pathsep)) if self.folder else ()
        try:
            return _trust_of(_Place(self.file, self.folder, folders, self._variables))
        except OSError as error:
            broken = isinstance(error, ssl.SSLError)
            reason = "it holds no certificates" if broken else str(error.strerror)
            raise UnusableVariableError(_FILE, f"{_FILE} cannot be used: {reason}.") from None


def _of_system() -> _Trust | None:
    """Return the authorities of this system, if it has any."""
    if sys.platform != "linux":
        return None
    folders = os.pathsep.join(SYSTEM_FOLDERS)
    file = next((f for f in SYSTEM_FILES if any(_certificates_in([f]))), None)
    hashed = any(map(_has_hashes, SYSTEM_FOLDERS))
    if file and not hashed:
        # What OpenSSL does not read as a whole may hold some all the same.
        with suppress(OSError):
            return _trust_of(_Place(file, folders, SYSTEM_FOLDERS, _SYSTEM))
    rest = (*([file] if file else []), *SYSTEM_FOLDERS)
    if hashed or any(_certificates_in(rest)):
        return _trust_of(_Place(None, folders, rest, _SYSTEM))
    return None


def _has_hashes(folder: str) -> bool:
    with suppress(OSError):
        return any(map(_HASHED.fullmatch, os.listdir(folder)))  # noqa: PTH208 - quick
    return False


def _certificates_in(places: Iterable[str]) -> Iterator[str]:
    """Yield each certificate in these files and folders once, as PEM; what is none is skipped."""
    seen = set()
    for file in _files_in(places):
        with suppress(OSError):
            for certificate in _CERTIFICATE.findall(Path(file).read_bytes()):
                if certificate not in seen:
                    seen.add(certificate)
                    yield certificate.decode("ascii")


def _files_in(places: Iterable[str]) -> Iterator[str]:
    for place in places:
        found = [place]
        with suppress(OSError):
            found = sorted(os.path.join(place, name) for name in os.listdir(place))  # noqa: PTH118, PTH208 - quick
        for file in found:
            with suppress(OSError):
                # Neither a pipe, which would be waited for, nor what is something else by its size.
                if os.path.isfile(file) and os.path.getsize(file) <= _LONGEST_FILE:  # noqa: PTH113, PTH202
                    yield file


def _certifi() -> str:
    import certifi  # noqa: PLC0415 - not where there are others

    return certifi.where()


def _trust_of(place: _Place) -> _Trust:
    named = (place.file, *(place.folder or "").split(os.pathsep), *place.rest)
    return _trust_as_it_is(
        place, tuple(_version(path or "") for path in named), os.environ.get(_KEY_LOG)
    )


@lru_cache(maxsize=1)
def _trust_as_it_is(
    place: _Place, versions: tuple[tuple[int, int, int] | None, ...], key_log: str | None
) -> _Trust:
    """Return authorities; a process that was forked from one that has read them has them already.

    Args:
        place: Where they are.
        versions: Which versions of the files, so that those that are replaced are read anew.
        key_log: Where Python writes the secrets of its connections, if that is asked for.
    """
    del versions, key_log
    return _Trust(place)


def _version(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a text, as OpenSSL takes it
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def is_behind(error: BaseException | None, kind: type[ssl.SSLError]) -> bool:
    """Say whether an error comes from one of TLS, which httpcore only leaves as its context."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None


def read_ahead(environ: Mapping[str, str]) -> None:
    """Read the authorities for the processes that will be forked from this one.

    What is wrong with them is for those to say. Where the secrets of connections are to be logged
    nothing is read: each process opens that file by itself.
    """
    if not environ.get(_KEY_LOG):
        with suppress(UnusableVariableError, OSError):
            Authorities.of(environ).context()
