"""The base URL of the API."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(endpoint: str) -> bool:
    """Say whether `endpoint` is on this machine."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
