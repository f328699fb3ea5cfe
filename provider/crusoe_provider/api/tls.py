"""Which authorities vouch for the API's certificate.

`SSL_CERT_FILE` and `SSL_CERT_DIR` name them, wherever the endpoint is; without these they are
certifi's, as for every httpx client. Certificates are verified on every TLS connection.
"""

import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from crusoe_provider.api.proxies import UnusableVariableError

_FILE: Final = "SSL_CERT_FILE"
_FOLDER: Final = "SSL_CERT_DIR"
_KEY_LOG: Final = "SSLKEYLOGFILE"


@dataclass(frozen=True)
class Authorities:
    """Where the authorities come from.

    Attributes:
        file: A file of certificates.
        folder: Folders of certificates, as OpenSSL hashes them, with colons in between.
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
        if found.file or found.folder:
            found.context()
        return found

    def context(self) -> ssl.SSLContext:
        """Return the TLS context that trusts them; all clients share it.

        Raises:
            UnusableVariableError: They cannot be read.
            OSError: Those of certifi cannot.
        """
        return self._context

    @cached_property
    def _context(self) -> ssl.SSLContext:
        file = self.file
        if not file and not self.folder:
            import certifi  # noqa: PLC0415 - not where there are others

            file = certifi.where()
        try:
            return _context_of(
                file, self.folder, _versions(file, self.folder), os.environ.get(_KEY_LOG)
            )
        except OSError as error:
            if not self.source:
                raise  # an installation that lacks certifi's file; no variable is to blame
            broken = isinstance(error, ssl.SSLError)
            reason = "it holds no certificates" if broken else str(error.strerror)
            raise UnusableVariableError(_FILE, f"{_FILE} cannot be used: {reason}.") from None

    @property
    def source(self) -> str:
        """The variables that name them, or that there are none, in words."""
        names = [n for n, value in ((_FILE, self.file), (_FOLDER, self.folder)) if value]
        return " and ".join(names)


@lru_cache(maxsize=1)
def _context_of(
    file: str | None,
    folder: str | None,
    versions: tuple[tuple[int, int, int] | None, ...],
    key_log: str | None,
) -> ssl.SSLContext:
    """Return a context; a process that was forked from one that has read the files has it already.

    Args:
        file: A file of certificates.
        folder: Folders of certificates.
        versions: Which versions of them, so that those that are replaced are read anew.
        key_log: Where Python writes the secrets of its connections, if that is asked for.
    """
    del versions, key_log
    return ssl.create_default_context(cafile=file, capath=folder)


def _versions(file: str | None, folder: str | None) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(map(_version, [file or "", *(folder or "").split(os.pathsep)]))


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
