"""Where the settings of the provider come from, and what is wrong with them.

Highest first: the provider block; the profile that the block names; the environment; the profile
that the environment, the file or the custom (`default`) names. Credentials are a pair from one
source. The file, the variables and their order are those of Crusoe's own tools, with these
differences on purpose: a profile named in the block beats the environment, so that credentials of
another account are never used silently; an ID and a secret from two sources never mix; what is
broken or unknown is an error.

Credentials belong to the endpoint of their source. A signature covers neither the host nor the
body, so whoever is given a signed POST can make keys with it for minutes; a module's own provider
block must not send the operator's credentials wherever it likes. A block that names another
endpoint brings credentials along, or the operator allows the endpoint in the environment.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crusoe_provider.api.config_file import BrokenConfigFileError, ConfigFile, read_config_file
from crusoe_provider.api.endpoint import Endpoint, EndpointError
from crusoe_provider.api.proxies import ProxyServer, UnusableVariableError, proxy_for
from crusoe_provider.api.settings import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_REQUEST_TIMEOUT,
    ENDPOINT,
    Settings,
)
from crusoe_provider.api.text import shell_word
from crusoe_provider.api.tls import Authorities
from crusoe_provider.provider.problems import ConfigurationError, Problem
from crusoe_provider.provider.provider_block import (
    ID_VARIABLE,
    SECRET_VARIABLE,
    ProviderBlock,
    access_key_id_problem,
    block_problems,
    endpoint_problems,
    secret_problem,
)
from crusoe_provider.provider.validators import organization_id_problem
from crusoe_provider.tokens.durations import parse_duration

# Names that the API had before; Crusoe's own tools map these as well.
_LEGACY_ENDPOINTS: Final = frozenset(
    {"https://api.crusoecloud.com/v1alpha5", "https://api.crusoecloud.com/v1"}
)
_UNKNOWN_PROFILE: Final = "Unknown profile"
# Kinds of sources of credentials.
_BLOCK: Final = "block"
_ENVIRONMENT: Final = "environment"
_PROFILE: Final = "profile"
_ENDPOINT_VARIABLE: Final = "CRUSOE_API_ENDPOINT"
_ORGANIZATION_VARIABLE: Final = "CRUSOE_ORGANIZATION_ID"
ALLOWED_ENDPOINTS_VARIABLE: Final = "CRUSOE_ALLOW_ENDPOINT"
"""Variable in which an operator names endpoints that provider blocks may send credentials to."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the settings are, and what is to be said of them.

    Attributes:
        settings: The settings that apply.
        warnings: What works, and should not stay as it is.
        secrets: Every secret that was read, in use or not, for those who keep logs clean.
    """

    settings: Settings
    warnings: tuple[Problem, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Profile:
    """The selected profile; without settings if there is no such one."""

    name: str
    file: ConfigFile
    settings: Mapping[str, str] = field(repr=False)

    @property
    def exists(self) -> bool:
        return self.name in self.file.profiles

    def __str__(self) -> str:
        return f'profile "{self.name}" of {self.file.path}'


@dataclass(frozen=True, slots=True)
class _Credentials:
    access_key_id: str
    secret_key: str = field(repr=False)
    source: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A place where credentials may be: its name, the names of the two, and what it holds."""

    kind: str
    name: str
    names: tuple[str, str]
    values: Mapping[str, str] = field(repr=False)

    @property
    def pair(self) -> tuple[str | None, str | None]:
        access_key_id, secret_key = self.names
        return self.values.get(access_key_id), self.values.get(secret_key)


def resolve(block: ProviderBlock, *, environ: Mapping[str, str], home: Path | None) -> Settings:
    """Return the settings that apply; see `settle`."""
    return settle(block, environ=environ, home=home).settings


def settle(block: ProviderBlock, *, environ: Mapping[str, str], home: Path | None) -> Configuration:
    """Return the settings that apply, and what is to be said of them.

    Args:
        block: The provider block.
        environ: The environment; an empty variable counts as unset.
        home: The home folder, or `None` when there is none.

    Raises:
        ConfigurationError: With everything that is wrong, at once.
    """
    problems = block_problems(block)
    variables = {k: v.strip() for k, v in environ.items() if k.startswith("CRUSOE_") and v.strip()}
    try:
        file = read_config_file(home)
    except BrokenConfigFileError as error:
        problems.append(
            Problem("Broken configuration file", f"{error}\n\nCorrect the file, or remove it.")
        )
        raise ConfigurationError(problems) from None
    profile = _profile(block, variables, file, problems)
    credentials = _credentials(block, variables, profile, problems)
    endpoint = _endpoint(block, variables, profile.settings, problems)
    organization_id = _organization_id(block, variables, problems)
    proxy: ProxyServer | None = None
    authorities: Authorities | None = None
    if endpoint is not None:
        if credentials is not None:
            problems += _trust_problems(block, variables, profile.settings, credentials, endpoint)
        try:
            proxy = proxy_for(endpoint, environ)
            authorities = Authorities.of(environ)
        except UnusableVariableError as error:
            problems.append(_unusable(error))
    if problems or credentials is None or endpoint is None:
        raise ConfigurationError(problems)
    settings = Settings(
        endpoint=endpoint,
        access_key_id=credentials.access_key_id,
        secret_key=credentials.secret_key,
        credentials_source=credentials.source,
        organization_id=organization_id,
        request_timeout=parse_duration(block.request_timeout)
        if block.request_timeout
        else DEFAULT_REQUEST_TIMEOUT,
        max_retries=DEFAULT_MAX_RETRIES if block.max_retries is None else int(block.max_retries),
        proxy=proxy,
        authorities=authorities,
    )
    proxy_password = proxy.user[1] if proxy and proxy.user else None
    secrets = (
        *(credentials.secret_key, block.secret_key, variables.get(SECRET_VARIABLE)),
        *(*file.secrets, proxy_password),
    )
    return Configuration(
        settings,
        warnings=tuple(_file_warnings(file)),
        secrets=tuple(dict.fromkeys(secret for secret in secrets if secret)),
    )


# -- Choosing ------------------------------------------------------------------------------------


def _profile(
    block: ProviderBlock, variables: Mapping[str, str], file: ConfigFile, problems: list[Problem]
) -> _Profile:
    """Return the selected profile."""
    candidates = (
        (block.profile, "the provider block names it", "profile"),
        (variables.get("CRUSOE_PROFILE"), "CRUSOE_PROFILE names it", None),
        (file.chosen, "the file's own top-level `profile` names it", None),
    )
    name, why, attribute = next(
        ((n.strip(), why, attribute) for n, why, attribute in candidates if n and n.strip()),
        ("default", None, None),
    )
    if name not in file.profiles and why is not None:
        there = ", ".join(sorted(file.profiles)) or "none"
        where = file.path or "There is no home folder, so ~/.crusoe/config"
        state = f"has these profiles: {there}" if file.exists else "does not exist"
        detail = (
            f'There is no profile "{name}" ({why}). {where} {state}.\n\n'
            "Correct the name, or add the profile to the file, for example with "
            "`crusoe config init`."
        )
        problems.append(Problem(_UNKNOWN_PROFILE, detail, attribute))
    return _Profile(name, file, file.profiles.get(name, {}))


def _credentials(
    block: ProviderBlock,
    variables: Mapping[str, str],
    profile: _Profile,
    problems: list[Problem],
) -> _Credentials | None:
    """Return the pair from the first source that has one; `None` with a problem reported."""
    if block.access_key_id or block.secret_key:
        return _block_credentials(block)
    sources = [
        _Source(
            _ENVIRONMENT,
            f"the environment variables {ID_VARIABLE} and {SECRET_VARIABLE}",
            (ID_VARIABLE, SECRET_VARIABLE),
            variables,
        ),
        _Source(_PROFILE, str(profile), ("access_key_id", "secret_key"), profile.settings),
    ]
    if block.profile:
        # Named in the block, it is this profile or nothing.
        del sources[0]
    for source in sources:
        match source.pair:
            case (str(access_key_id), str(secret_key)):
                found = (
                    access_key_id_problem(access_key_id, f"The ID from {source.name}", None),
                    secret_problem(secret_key, f"The secret from {source.name}", None),
                )
                problems += filter(None, found)
                return _Credentials(access_key_id, secret_key, source.name, source.kind)
            case (None, None):
                continue
        problems.append(_half_a_pair(source))
        return None
    if block.profile and profile.exists:
        problems.append(
            Problem(
                "Profile without credentials",
                f"{profile} has neither access_key_id nor secret_key, and a profile that the "
                "provider block names goes before the environment.\n\n"
                "Add them to the profile, or remove `profile` from the provider block.",
                "profile",
            )
        )
    elif not any(problem.summary == _UNKNOWN_PROFILE for problem in problems):
        problems.append(_missing_credentials(profile))
    return None


def _block_credentials(block: ProviderBlock) -> _Credentials | None:
    if block.access_key_id is None or block.secret_key is None:
        return None  # half a pair, which `block_problems` reports
    access_key_id, secret_key = block.access_key_id.strip(), block.secret_key.strip()
    return _Credentials(access_key_id, secret_key, "the provider block", _BLOCK)


def _half_a_pair(source: _Source) -> Problem:
    missing, given = sorted(source.names, key=lambda name: name in source.values)
    return Problem(
        "Incomplete credentials",
        f"{given} is set without {missing}, in {source.name}. An access key ID and its secret "
        "belong together, so they are never taken from two places.\n\n"
        f"Set {missing} there too, or remove {given}.",
    )


def _missing_credentials(profile: _Profile) -> Problem:
    file = profile.file
    if file.path is None:
        file_state = "~/.crusoe/config: there is no home folder"
    elif not file.exists:
        file_state = f"{file.path}: there is no such file"
    elif not profile.exists:
        names = ", ".join(sorted(file.profiles)) or "none"
        file_state = f'{file.path}: no profile "{profile.name}" (profiles: {names})'
    else:
        file_state = f"{profile}: neither access_key_id nor secret_key is set"
    return Problem(
        "Missing Crusoe credentials",
        "The provider needs an access key ID and a secret key of the Crusoe API. It looked in:\n\n"
        "  - the provider block: neither access_key_id nor secret_key is set\n"
        f"  - the environment: neither {ID_VARIABLE} nor {SECRET_VARIABLE} is set\n"
        f"  - {file_state}\n\n"
        f"Set {ID_VARIABLE} and {SECRET_VARIABLE}, or run `crusoe config init`.",
    )


def _endpoint(
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


def _trust_problems(
    block: ProviderBlock,
    variables: Mapping[str, str],
    profile: Mapping[str, str],
    credentials: _Credentials,
    endpoint: Endpoint,
) -> Iterator[Problem]:
    """Yield a problem if the block sends credentials that are not its own to somebody else."""
    if not _own_text(block.api_endpoint) or endpoint.is_loopback:
        return
    if credentials.kind == _BLOCK:
        return
    own = profile.get("api_endpoint") or ENDPOINT
    if credentials.kind == _ENVIRONMENT:
        own = variables.get(_ENDPOINT_VARIABLE) or ENDPOINT
    texts = [own]
    if not _own_text(block.profile):
        texts.append(_endpoint_without_block(block, variables, profile))
    texts += variables.get(ALLOWED_ENDPOINTS_VARIABLE, "").replace(",", " ").split()
    if endpoint.origin in set(_origins(texts)):
        return
    move = (
        "add api_endpoint to that profile"
        if credentials.kind == _PROFILE
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


def _organization_id(
    block: ProviderBlock, variables: Mapping[str, str], problems: list[Problem]
) -> str | None:
    if own := _own_text(block.organization_id):
        return own
    organization_id = variables.get(_ORGANIZATION_VARIABLE)
    if organization_id and (problem := organization_id_problem(organization_id)):
        problems.append(
            Problem(
                "Invalid organization ID",
                f"{problem} It comes from {_ORGANIZATION_VARIABLE}.\n\nCorrect the variable, or "
                "remove it.",
            )
        )
    return organization_id


def _unusable(error: UnusableVariableError) -> Problem:
    return Problem(
        "Unusable proxy or TLS setting",
        f"{error} The variable is one of the environment in which Terraform runs, and says how to "
        "reach the Crusoe API.\n\n"
        f"Correct {error.variable}, or remove it.",
    )


def _file_warnings(file: ConfigFile) -> Iterator[Problem]:
    if file.exposed:
        yield Problem(
            "Configuration file can be read by others",
            f"{file.path} holds a secret key, and its mode lets other users of this machine read "
            f"it.\n\nRun: chmod 600 {shell_word(str(file.path))}",
        )
