"""Which endpoint applies, and whether the credentials in use may be sent there.

Credentials belong to the endpoint of their source. A signature covers neither the host nor the
body, so whoever is given a signed POST can make keys with it for minutes; a module's own provider
block must not send the operator's credentials wherever it likes. A block that names another
endpoint brings credentials along, or the operator allows the endpoint in the environment.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from crusoe_provider.api.endpoint import Endpoint, EndpointError
from crusoe_provider.api.settings import ENDPOINT
from crusoe_provider.provider.credentials import Credentials, SourceKind
from crusoe_provider.provider.problems import Problem
from crusoe_provider.provider.provider_block import ProviderBlock, endpoint_problems

ALLOWED_ENDPOINTS_VARIABLE: Final = "CRUSOE_ALLOW_ENDPOINT"
"""Variable in which an operator names endpoints that provider blocks may send credentials to."""

_ENDPOINT_VARIABLE: Final = "CRUSOE_API_ENDPOINT"
# Names that the API had before; Crusoe's own tools map these as well.
_LEGACY_ENDPOINTS: Final = frozenset(
    {"https://api.crusoecloud.com/v1alpha5", "https://api.crusoecloud.com/v1"}
)


def selected_endpoint(
    block: ProviderBlock,
    variables: Mapping[str, str],
    profile: Mapping[str, str],
    problems: list[Problem],
) -> Endpoint | None:
    """Return the endpoint; `None` if it cannot be used, which is reported."""
    text = _own_text(block.api_endpoint) or _endpoint_without_block(block, variables, profile)
    try:
        return _parsed(text)
    except EndpointError:
        if not _own_text(block.api_endpoint):  # else `block_problems` has said so
            problems += endpoint_problems(text, None)
        return None


def _endpoint_without_block(
    block: ProviderBlock, variables: Mapping[str, str], profile: Mapping[str, str]
) -> str:
    """Return the endpoint that applies where the block names none."""
    # Credentials of a profile that the block names belong to that profile's endpoint.
    named = profile.get("api_endpoint") if _own_text(block.profile) else None
    return (
        named or variables.get(_ENDPOINT_VARIABLE) or profile.get("api_endpoint") or ENDPOINT
    ).strip()


def _parsed(text: str) -> Endpoint:
    endpoint = Endpoint.parse(text)
    return Endpoint.parse(ENDPOINT) if endpoint.url in _LEGACY_ENDPOINTS else endpoint


def _own_text(value: str | None) -> str:
    return (value or "").strip()


def trust_problems(
    block: ProviderBlock,
    variables: Mapping[str, str],
    profile: Mapping[str, str],
    credentials: Credentials,
    endpoint: Endpoint,
) -> Iterator[Problem]:
    """Yield a problem if the block sends credentials that are not its own to somebody else."""
    if not _own_text(block.api_endpoint) or endpoint.is_loopback:
        return
    if credentials.kind is SourceKind.BLOCK:
        return
    own = profile.get("api_endpoint") or ENDPOINT
    if credentials.kind is SourceKind.ENVIRONMENT:
        own = variables.get(_ENDPOINT_VARIABLE) or ENDPOINT
    texts = [own]
    if not _own_text(block.profile):
        texts.append(_endpoint_without_block(block, variables, profile))
    texts += variables.get(ALLOWED_ENDPOINTS_VARIABLE, "").replace(",", " ").split()
    if endpoint.origin in set(_origins(texts)):
        return
    move = (
        "add api_endpoint to that profile"
        if credentials.kind is SourceKind.PROFILE
        else f"set {_ENDPOINT_VARIABLE} beside them"
    )
    yield Problem(
        "Credentials of another endpoint",
        f"The provider block sends requests to {endpoint.origin}, signed with credentials that it "
        f"does not bring along: those from {credentials.source}, which belong to another endpoint. "
        "Whoever gets a signed request could create keys with it.\n\n"
        f"If you trust that endpoint with these credentials, {move}, or set "
        f"{ALLOWED_ENDPOINTS_VARIABLE}={endpoint.origin} in the environment. Otherwise remove "
        "api_endpoint from the provider block, or set access_key_id and secret_key there, of a key "
        "that is made for that endpoint.",
        "api_endpoint",
    )


def _origins(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        with contextlib.suppress(EndpointError):
            yield _parsed(text).origin
