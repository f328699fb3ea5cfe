"""Which proxy leads to the API, as the environment says.

`HTTPS_PROXY` goes before `ALL_PROXY`, small letters before capitals. `NO_PROXY` is a list of `*`,
host names (with everything below them; with a dot before it, only that), IP addresses and networks
in CIDR form, each with a port or without. Entries that are none of these match nothing. The rules
are those of Go's programs, so that all tools of a machine take the same way.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from crusoe_provider.api.endpoint import Endpoint, is_host

_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class UnusableVariableError(ValueError):
    """A variable of the environment that cannot be used; the text says why, without its value.

    Attributes:
        variable: Its name.
    """

    def __init__(self, variable: str, message: str) -> None:
        super().__init__(message)
        self.variable = variable


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """A proxy.

    Attributes:
        scheme: `http`, `https`, `socks5` or `socks5h`.
        host: Its host.
        port: Its port.
        user: Name and password, if it wants them.
        variable: Which variable names it.
    """

    scheme: str
    host: str
    port: int
    user: tuple[str, str] | None = field(default=None, repr=False)
    variable: str = ""


def proxy_for(endpoint: Endpoint, environ: Mapping[str, str]) -> ProxyServer | None:
    """Return the proxy to use for `endpoint`, or `None` for the direct way.

    What the environment says of proxies is about the world outside: loopback needs none.

    Raises:
        UnusableVariableError: The variable that applies names no proxy.
    """
    if endpoint.is_loopback:
        return None
    variable = next((name for name in _VARIABLES if environ.get(name, "").strip()), None)
    if variable is None:
        return None
    excepted = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if any(_matches(entry, endpoint) for entry in excepted.replace(",", " ").split()):
        return None
    return _parse(variable, environ[variable].strip())


def _parse(variable: str, text: str) -> ProxyServer:
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        port = url.port
    except ValueError:
        raise UnusableVariableError(variable, f"{variable} is no URL of a proxy.") from None
    if url.scheme not in _PORTS:
        raise UnusableVariableError(
            variable, f"{variable} must begin with one of {', '.join(f'{s}://' for s in _PORTS)}."
        )
    host = (url.hostname or "").lower()
    if not is_host(host) or not text.isprintable() or " " in text:
        raise UnusableVariableError(variable, f"{variable} names no host that could be a proxy.")
    user = None
    if url.username or url.password:
        user = (unquote(url.username or ""), unquote(url.password or ""))
    return ProxyServer(url.scheme, host, port or _PORTS[url.scheme], user, variable)


def _matches(entry: str, endpoint: Endpoint) -> bool:
    """Say whether an entry of NO_PROXY is about the host of `endpoint`."""
    if entry == "*":
        return True
    name, port = _host_and_port(entry.rpartition("://")[2].lower())
    if port and port != str(endpoint.port):
        return False
    try:
        address = ipaddress.ip_address(endpoint.host)
    except ValueError:
        host = endpoint.host.removesuffix(".")
        bare = name.removeprefix("*").removesuffix(".")
        return bool(bare.strip(".")) and (
            host == bare or host.endswith(bare if bare.startswith(".") else f".{bare}")
        )
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _host_and_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, ""
