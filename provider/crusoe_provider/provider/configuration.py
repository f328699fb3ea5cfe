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
from crusoe_provider.provider.credentials import selected_credentials, selected_profile
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
        settings: The settings that apply.
        warnings: What works, and should not stay as it is.
        secrets: Every secret that was read, in use or not, for those who keep logs clean.
    """

    settings: Settings
    warnings: tuple[Problem, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)


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
    profile = selected_profile(block, variables, file, problems)
    credentials = selected_credentials(block, variables, profile, problems)
    endpoint = selected_endpoint(block, variables, profile.settings, problems)
    organization_id = _organization_id(block, variables, problems)
    proxy: ProxyServer | None = None
    authorities: Authorities | None = None
    if endpoint is not None:
        if credentials is not None:
            problems += trust_problems(block, variables, profile.settings, credentials, endpoint)
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


def _organization_id(
    block: ProviderBlock, variables: Mapping[str, str], problems: list[Problem]
) -> str | None:
    if own := (block.organization_id or "").strip():
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
