"""The base URL of the API, parsed once, where it enters.

What is decided by it (certificates, plain http, proxies, whose credentials go there) is decided by
the parsed parts, never by its text: `HTTPS://` and `https://` are one scheme.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)
_PORTS: Final = {"http": 80, "https": 443}
_LOCAL_NAME: Final = re.compile(r"(?:.+\.)?localhost\.?", re.IGNORECASE)


class EndpointError(ValueError):
    """A text that is no endpoint; its own text says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A base URL of the API.

    Attributes:
        scheme: `https`, or `http`, which is for loopback only.
        host: The host in lower case; an IPv6 address without brackets.
        port: The port, also where the text names none.
        path: The base path, without a slash at its end.
        is_loopback: Whether the host is this machine.
    """

    scheme: str
    host: str
    port: int
    path: str
    is_loopback: bool

    @classmethod
    def parse(
        cls, text: str, *, resolve: Callable[[str], Iterable[str]] | None = None
    ) -> "Endpoint":
        """Return the endpoint that `text` stands for.

        Args:
            text: A URL; blanks around it and slashes at its end are no matter.
            resolve: Returns the addresses of a name; asked for names under `localhost` only.

        Raises:
            EndpointError: It is no URL, has parts that no endpoint has, or is plain http to
                another machine.
        """
        text = text.strip()
        url = _split(text)
        host = (url.hostname or "").lower() if url else ""
        if url is None or url.scheme not in _PORTS or not is_host(host):
            raise EndpointError(
                "The endpoint is no http or https URL with a host in ASCII letters."
            )
        if "@" in url.netloc or "?" in text or "#" in text or _has_blanks(text):
            raise EndpointError(
                "The endpoint may have no user name, password, query, fragment or blanks."
            )
        local = is_loopback_host(host, resolve or addresses_of)
        if url.scheme == "http" and not local:
            raise EndpointError(
                "The endpoint must be https: over plain http anybody on the way could read the "
                "secrets of new tokens. Only a server on this machine may be http."
            )
        port = url.port if url.port is not None else _PORTS[url.scheme]
        return cls(url.scheme, host, port, url.path.rstrip("/"), local)

    @property
    def origin(self) -> str:
        """Scheme, host and port: who gets what is sent there."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def url(self) -> str:
        """The normalised base URL, without a slash at its end."""
        return self.origin + self.path

    def __str__(self) -> str:
        return self.url


def is_host(host: str) -> bool:
    """Say whether `host` is an IP address, or a host name in ASCII letters (RFC 1123, and "_")."""
    try:
        return "%" not in str(ipaddress.ip_address(host))  # an interface is no part of a URL
    except ValueError:
        labels = host.removesuffix(".").split(".")
        # A last label of digits alone makes a broken IPv4 address, not a name.
        return all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()


def is_loopback_host(host: str, resolve: Callable[[str], Iterable[str]]) -> bool:
    """Say whether `host` is this machine.

    A name under `localhost` is by convention, which resolvers need not keep. So it counts only when
    all that it resolves to is loopback.
    """
    if is_loopback_address(host):
        return True
    if not _LOCAL_NAME.fullmatch(host):
        return False
    addresses = list(resolve(host))
    return bool(addresses) and all(map(is_loopback_address, addresses))


def is_loopback_address(text: str) -> bool:
    """Say whether `text` is an IP address of this machine."""
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def addresses_of(host: str) -> list[str]:
    """Return the addresses that this machine's resolver knows of `host`; none if there are none."""
    import socket  # noqa: PLC0415 - hardly any endpoint is under localhost

    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError):
        return []


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        _ = url.port  # reading it is what checks it
    except ValueError:
        return None
    return url


def _has_blanks(text: str) -> bool:
    return any(character.isspace() or not character.isprintable() for character in text)
