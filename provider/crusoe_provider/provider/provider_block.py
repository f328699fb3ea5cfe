"""The provider block, and what is wrong with its values by themselves: no file, no environment."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from crusoe_provider.api.endpoint import Endpoint, EndpointError
from crusoe_provider.api.settings import ENDPOINT
from crusoe_provider.api.text import printable
from crusoe_provider.provider.problems import Problem
from crusoe_provider.provider.validators import organization_id_problem
from crusoe_provider.tokens.durations import format_duration, parse_duration

_TIMEOUT_RANGE: Final = (timedelta(seconds=1), timedelta(minutes=10))
_MOST_RETRIES: Final = 10
ID_VARIABLE: Final = "CRUSOE_ACCESS_KEY_ID"
SECRET_VARIABLE: Final = "CRUSOE_SECRET_KEY"  # noqa: S105 - a variable's name

_HEADER_TEXT: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """An entry of `profiles`; `None` for what it does not say.

    Attributes:
        access_key_id: The ID of an API key.
        secret_key: Its secret.
        known: Whether both are known already.
    """

    access_key_id: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    known: bool = True


@dataclass(frozen=True, slots=True)
class ProviderBlock:
    """What the provider block says; `None` where it says nothing."""

    profile: str | None = None
    api_endpoint: str | None = None
    access_key_id: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    organization_id: str | None = None
    request_timeout: str | None = None
    max_retries: int | None = None
    profiles: Mapping[str, ProfileEntry] | None = field(default=None, repr=False)


def block_problems(block: ProviderBlock) -> list[Problem]:
    """Return what is wrong with the block by itself, without looking at files or environment."""
    return [
        *_empty_problems(block),
        *_value_problems(block),
        *_pair_problems(block),
        *_profile_problems(block.profiles or {}),
    ]


def _empty_problems(block: ProviderBlock) -> Iterator[Problem]:
    for name in ("profile", "api_endpoint", "access_key_id", "secret_key", "organization_id"):
        value = getattr(block, name)
        if value is not None and not value.strip():
            yield Problem(
                f"Empty {name}",
                f"{name} is set to an empty text. Give it a value, or leave it out, or set it to "
                "null, to have it taken from the environment or the profile.",
                name,
            )


def _value_problems(block: ProviderBlock) -> Iterator[Problem]:
    if block.api_endpoint and block.api_endpoint.strip():
        yield from endpoint_problems(block.api_endpoint.strip(), "api_endpoint")
    access_key_id = (block.access_key_id or "").strip()
    if access_key_id and (
        problem := access_key_id_problem(
            access_key_id, "The ID in the provider block", "access_key_id"
        )
    ):
        yield problem
    if block.secret_key and block.secret_key.strip():
        problem = secret_problem(block.secret_key, "The secret in the provider block", "secret_key")
        if problem:
            yield problem
    organization_id = (block.organization_id or "").strip()
    if organization_id and (problem_text := organization_id_problem(organization_id)):
        yield Problem("Invalid organization ID", problem_text, "organization_id")
    if block.request_timeout is not None:
        yield from _timeout_problems(block.request_timeout)
    if block.max_retries is not None and (
        not 0 <= block.max_retries <= _MOST_RETRIES or block.max_retries != int(block.max_retries)
    ):
        yield Problem(
            "Invalid max_retries",
            f"max_retries must be a whole number from 0 to {_MOST_RETRIES}.",
            "max_retries",
        )


def _pair_problems(block: ProviderBlock) -> Iterator[Problem]:
    for given, missing in (("access_key_id", "secret_key"), ("secret_key", "access_key_id")):
        if getattr(block, given) is not None and getattr(block, missing) is None:
            yield Problem(
                "Incomplete credentials",
                f"{given} is set without {missing}. An access key ID and its secret belong "
                "together, so they are never taken from two places.\n\n"
                f"Set {missing} here too, or remove {given} and set {ID_VARIABLE} and "
                f"{SECRET_VARIABLE} in the environment.",
                given,
            )


def _profile_problems(profiles: Mapping[str, ProfileEntry]) -> Iterator[Problem]:
    for name, entry in profiles.items():
        if not name.strip():
            yield Problem(
                "Invalid profile",
                'A profile in `profiles` has an empty name.\n\nGive it one, such as "ci".',
                "profiles",
            )
        access_key_id, secret_key = entry.access_key_id, entry.secret_key
        if not entry.known:
            continue
        if not (access_key_id or "").strip() or not (secret_key or "").strip():
            yield Problem(
                "Incomplete credentials",
                f'Profile "{printable(name)}" in `profiles` needs an access_key_id and a '
                "secret_key, and one of them is null or empty.\n\n"
                "Set both, or remove the entry.",
                "profiles",
            )
            continue
        where = f'of profile "{printable(name)}" in the provider block'
        found = (
            access_key_id_problem((access_key_id or "").strip(), f"The ID {where}", "profiles"),
            secret_problem(secret_key or "", f"The secret {where}", "profiles"),
        )
        yield from filter(None, found)


def _timeout_problems(text: str) -> Iterator[Problem]:
    shortest, longest = _TIMEOUT_RANGE
    limits = (
        f"request_timeout must be from {format_duration(shortest)} to {format_duration(longest)}."
    )
    try:
        if shortest <= parse_duration(text) <= longest:
            return
        problem = limits
    except ValueError as error:
        problem = f"{limits} It is no duration: {error}."
    yield Problem("Invalid request_timeout", problem, "request_timeout")


def access_key_id_problem(access_key_id: str, what: str, attribute: str | None) -> Problem | None:
    """Return what is wrong with an ID, called `what` and to be blamed on `attribute`.

    Its form is not documented, so only what cannot stand in a header is refused: an HTTP library
    would quote the whole header, signature included, in its error and its log.
    """
    if _HEADER_TEXT.fullmatch(access_key_id):
        return None
    return Problem(
        "Invalid access key ID",
        f"{what} cannot be used: it has blanks, line breaks or characters other than ASCII.\n\n"
        "Copy the access key ID of the Crusoe API key again, as `crusoe config` shows it.",
        attribute,
    )


def secret_problem(secret: str, what: str, attribute: str | None) -> Problem | None:
    """Return what is wrong with a secret, called `what` and to be blamed on `attribute`."""
    # Blocks hardly ever hold one, and signing brings OpenSSL with it.
    from crusoe_provider.api.signing import SigningError, decode_secret  # noqa: PLC0415

    try:
        decode_secret(secret)
    except SigningError as error:
        return Problem(
            "Invalid secret key",
            f"{what} cannot be used: {error}.\n\n"
            "Copy the secret key of the Crusoe API key again, as `crusoe config` shows it. The "
            "secret of a storage token is another thing and does not work here.",
            attribute,
        )
    return None


def endpoint_problems(endpoint: str, attribute: str | None) -> Iterator[Problem]:
    """Yield what is wrong with a base URL of the API, to be blamed on `attribute`."""
    try:
        Endpoint.parse(endpoint)
    except EndpointError as error:
        where = "" if attribute else " It comes from CRUSOE_API_ENDPOINT or the profile."
        advice = f"An example of one that works is {ENDPOINT}."
        yield Problem("Invalid API endpoint", f"{error}{where}\n\n{advice}", attribute)
