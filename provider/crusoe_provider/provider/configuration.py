"""Where the settings of the provider come from, and what is wrong with them.

Highest first: the provider block; the profile that the block names; the environment; the profile
that the environment, the file or the custom (`default`) names. Credentials are a pair from one
source. The file, the variables and their order are those of Crusoe's own tools, with these
differences on purpose: a profile named in the block beats the environment, so that credentials of
another account are never used silently; an ID and a secret from two sources never mix; what is
broken or unknown is an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crusoe_provider.api.config_file import BrokenConfigFileError, ConfigFile, read_config_file
from crusoe_provider.api.proxies import ProxyServer, UnusableVariableError, proxy_for
from crusoe_provider.api.settings import DEFAULT_MAX_RETRIES, DEFAULT_REQUEST_TIMEOUT, Settings
from crusoe_provider.api.text import shell_word
from crusoe_provider.api.tls import Authorities
from crusoe_provider.provider.credentials import (
    MISSING_CREDENTIALS,
    Profile,
    selected_credentials,
    selected_profile,
)
from crusoe_provider.provider.endpoint_choice import selected_endpoint, trust_problems
from crusoe_provider.provider.problems import ConfigurationError, Problem
from crusoe_provider.provider.provider_block import SECRET_VARIABLE, ProviderBlock, block_problems
from crusoe_provider.provider.validators import organization_id_problem
from crusoe_provider.tokens.durations import parse_duration

_ORGANIZATION_VARIABLE: Final = "CRUSOE_ORGANIZATION_ID"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the settings are, and what is to be said of them.

    Attributes:
        settings: The settings that apply; `None` where the provider block has no credentials, which
            is no error as long as every object names a profile.
        missing: The error for those that name none.
        sources: Where the settings come from.
        warnings: What works, and should not stay as it is.
        secrets: Every secret that was read, in use or not, for those who keep logs clean.
    """

    settings: Settings | None
    sources: "Sources"
    missing: ConfigurationError | None = None
    warnings: tuple[Problem, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings come from.

    Attributes:
        block: The provider block.
        environ: The environment.
        file: The configuration file.
    """

    block: ProviderBlock
    environ: Mapping[str, str] = field(repr=False)
    file: ConfigFile

    @property
    def variables(self) -> dict[str, str]:
        """The variables of our own that are set."""
        environ = self.environ
        return {k: v.strip() for k, v in environ.items() if k.startswith("CRUSOE_") and v.strip()}

    @property
    def profile_names(self) -> list[str]:
        """The profiles that objects may name."""
        return sorted({*(self.block.profiles or {}), *self.file.profiles})


def resolve(block: ProviderBlock, *, environ: Mapping[str, str], home: Path | None) -> Settings:
    """Return the settings that apply; see `settle`.

    Raises:
        ConfigurationError: With everything that is wrong, at once.
    """
    configuration = settle(block, environ=environ, home=home)
    if configuration.missing is not None or configuration.settings is None:
        raise configuration.missing or ConfigurationError([])
    return configuration.settings


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
    try:
        file = read_config_file(home)
    except BrokenConfigFileError as error:
        problems.append(
            Problem("Broken configuration file", f"{error}\n\nCorrect the file, or remove it.")
        )
        raise ConfigurationError(problems) from None
    sources = Sources(block, environ, file)
    settings: Settings | None = None
    missing: ConfigurationError | None = None
    try:
        settings = settings_from(sources, problems)
    except ConfigurationError as error:
        alone = [problem.summary for problem in error.problems] == [MISSING_CREDENTIALS]
        if not alone or not sources.profile_names:
            raise
        missing = error
    return Configuration(
        settings,
        sources,
        missing,
        warnings=tuple(_file_warnings(file)),
        secrets=tuple(dict.fromkeys(secret for secret in _secrets(sources, settings) if secret)),
    )


def settings_from(sources: Sources, problems: list[Problem]) -> Settings:
    """Return the settings of a provider block.

    Args:
        sources: Where they come from.
        problems: What is wrong so far.

    Raises:
        ConfigurationError: With everything that is wrong, at once.
    """
    block, variables, file = sources.block, sources.variables, sources.file
    profile = selected_profile(block, variables, file, problems)
    credentials = selected_credentials(block, variables, profile, problems)
    endpoint = selected_endpoint(block, variables, profile.settings, problems)
    organization_id = _organization_id(block, variables, profile, problems)
    proxy: ProxyServer | None = None
    authorities: Authorities | None = None
    if endpoint is not None:
        if credentials is not None:
            problems += trust_problems(block, variables, profile.settings, credentials, endpoint)
        try:
            proxy = proxy_for(endpoint, sources.environ)
            authorities = Authorities.of(sources.environ)
        except UnusableVariableError as error:
            problems.append(_unusable(error))
    if problems or credentials is None or endpoint is None:
        raise ConfigurationError(problems)
    return Settings(
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


def _secrets(sources: Sources, settings: Settings | None) -> Iterator[str | None]:
    """Yield every secret that was read, in use or not."""
    yield sources.block.secret_key
    yield sources.variables.get(SECRET_VARIABLE)
    yield from sources.file.secrets
    yield from (entry.secret_key for entry in (sources.block.profiles or {}).values())
    if settings is not None:
        yield settings.secret_key
        yield settings.proxy.user[1] if settings.proxy and settings.proxy.user else None


def _organization_id(
    block: ProviderBlock,
    variables: Mapping[str, str],
    profile: Profile,
    problems: list[Problem],
) -> str | None:
    if own := (block.organization_id or "").strip():
        return own
    variable = (variables.get(_ORGANIZATION_VARIABLE), _ORGANIZATION_VARIABLE)
    in_file = (profile.settings.get("organization_id"), str(profile))
    # As for the endpoint: a profile that the block names goes before the environment.
    candidates = (in_file, variable) if block.profile else (variable, in_file)
    organization_id, source = next((c for c in candidates if c[0]), (None, ""))
    if organization_id and (problem := organization_id_problem(organization_id)):
        problems.append(
            Problem(
                "Invalid organization ID",
                f"{problem} It comes from {source}.\n\nCorrect it there, or remove it.",
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
