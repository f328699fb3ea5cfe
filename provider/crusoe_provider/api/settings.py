"""What the client has to know: where the API is, with which key, how patient to be."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crusoe_provider.api.endpoint import Endpoint
    from crusoe_provider.api.proxies import ProxyServer
    from crusoe_provider.api.tls import Authorities

ENDPOINT: Final = "https://api.cloud.crusoe.ai/v1"
"""The API, where nobody says otherwise."""

DEFAULT_REQUEST_TIMEOUT: Final = timedelta(seconds=30)
DEFAULT_MAX_RETRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """Settled settings.

    Attributes:
        endpoint: Base URL of the API.
        access_key_id: ID of the API key that signs requests.
        secret_key: Its secret, as it was given.
        credentials_source: Where the pair comes from, in words.
        organization_id: The organization, if one is set.
        request_timeout: How long one request may take, from connecting to the last byte.
        max_retries: How often a failed request is sent again.
        proxy: The proxy that leads to the endpoint, if one does.
        authorities: Who vouches for certificates; `None` for the usual ones.
        profile: The profile that objects name for these credentials, if they do; for the log.
    """

    endpoint: "Endpoint"
    access_key_id: str
    secret_key: str = field(repr=False)
    credentials_source: str
    organization_id: str | None = None
    request_timeout: timedelta = DEFAULT_REQUEST_TIMEOUT
    max_retries: int = DEFAULT_MAX_RETRIES
    proxy: "ProxyServer | None" = None
    authorities: "Authorities | None" = None
    profile: str | None = None
