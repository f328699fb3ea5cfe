"""Which authorities vouch for the API's certificate.

`SSL_CERT_FILE` and `SSL_CERT_DIR` name them, wherever the endpoint is; without these they are
certifi's, as for every httpx client. Certificates are verified on every TLS connection.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
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
        """
        return self._context

    @cached_property
    def _context(self) -> ssl.SSLContext:
        if not self.file and not self.folder:
            import certifi  # noqa: PLC0415 - not where there are others

            return ssl.create_default_context(cafile=certifi.where())
        try:
            return ssl.create_default_context(cafile=self.file, capath=self.folder)
        except OSError as error:
            broken = isinstance(error, ssl.SSLError)
            reason = "it holds no certificates" if broken else str(error.strerror)
            raise UnusableVariableError(_FILE, f"{_FILE} cannot be used: {reason}.") from None

    @property
    def source(self) -> str:
        """The variables that name them, or that there are none, in words."""
        names = [n for n, value in ((_FILE, self.file), (_FOLDER, self.folder)) if value]
        return " and ".join(names)
