"""Where the settings of the provider come from, and what is wrong with them.

Highest first: the provider block; the profile that the block names; the environment; the profile
that the environment, the file or the custom (`default`) names. Credentials are a pair from one
source. The file, the variables and their order are those of Crusoe's own tools, with these
differences on purpose: a profile named in the block beats the environment, so that credentials of
another account are never used silently; an ID and a secret from two sources never mix; what is
broken or unknown is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crusoe_provider.api.config_file import BrokenConfigFileError, ConfigFile, read_config_file
from crusoe_provider.api.settings import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_REQUEST_TIMEOUT,
    ENDPOINT,
    Settings,
)
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
from crusoe_provider.tokens.durations import parse_duration

# Names that the API had before; Crusoe's own tools map these as well.
_LEGACY_ENDPOINTS: Final = frozenset(
    {"https://api.crusoecloud.com/v1alpha5", "https://api.crusoecloud.com/v1"}
)
_UNKNOWN_PROFILE: Final = "Unknown profile"


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


@dataclass(frozen=True, slots=True)
class _Source:
    """A place where credentials may be: its name, the names of the two, and what it holds."""

    name: str
    names: tuple[str, str]
    values: Mapping[str, str] = field(repr=False)

    @property
    def pair(self) -> tuple[str | None, str | None]:
        access_key_id, secret_key = self.names
        return self.values.get(access_key_id), self.values.get(secret_key)


def resolve(block: ProviderBlock, *, environ: Mapping[str, str], home: Path | None) -> Settings:
    """Return the settings that apply.

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
    endpoint = _endpoint(block, variables, profile.settings)
    if not block.api_endpoint:
        problems += endpoint_problems(endpoint, None)
    if problems or credentials is None:
        raise ConfigurationError(problems)
    return Settings(
        endpoint=endpoint,
        access_key_id=credentials.access_key_id,
        secret_key=credentials.secret_key,
        credentials_source=credentials.source,
        organization_id=(block.organization_id or "").strip()
        or variables.get("CRUSOE_ORGANIZATION_ID"),
        request_timeout=parse_duration(block.request_timeout)
        if block.request_timeout
        else DEFAULT_REQUEST_TIMEOUT,
        max_retries=DEFAULT_MAX_RETRIES if block.max_retries is None else int(block.max_retries),
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
            f"the environment variables {ID_VARIABLE} and {SECRET_VARIABLE}",
            (ID_VARIABLE, SECRET_VARIABLE),
            variables,
        ),
        _Source(str(profile), ("access_key_id", "secret_key"), profile.settings),
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
                return _Credentials(access_key_id, secret_key, source.name)
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
    return _Credentials(block.access_key_id.strip(), block.secret_key.strip(), "the provider block")


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
    block: ProviderBlock, variables: Mapping[str, str], profile: Mapping[str, str]
) -> str:
    # Credentials of a profile that the block names belong to that profile's endpoint.
    named = profile.get("api_endpoint") if block.profile else None
    candidates = (
        block.api_endpoint,
        named,
        variables.get("CRUSOE_API_ENDPOINT"),
        profile.get("api_endpoint"),
    )
    endpoint = next((c.strip() for c in candidates if c and c.strip()), ENDPOINT)
    endpoint = endpoint.rstrip("/")
    return ENDPOINT if endpoint in _LEGACY_ENDPOINTS else endpoint
