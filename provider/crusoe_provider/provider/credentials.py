"""Which profile and which pair of credentials apply, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from crusoe_provider.api.config_file import ConfigFile
from crusoe_provider.provider.problems import Problem
from crusoe_provider.provider.provider_block import (
    ID_VARIABLE,
    SECRET_VARIABLE,
    ProviderBlock,
    access_key_id_problem,
    secret_problem,
)

UNKNOWN_PROFILE: Final = "Unknown profile"
MISSING_CREDENTIALS: Final = "Missing Crusoe credentials"


class SourceKind(Enum):
    """Kinds of places where credentials may be."""

    BLOCK = auto()
    ENVIRONMENT = auto()
    PROFILE = auto()


@dataclass(frozen=True, slots=True)
class Profile:
    """The selected profile; without settings if there is no such one."""

    name: str
    file: ConfigFile
    settings: Mapping[str, str] = field(repr=False)

    @property
    def exists(self) -> bool:
        """Whether the file has it."""
        return self.name in self.file.profiles

    def __str__(self) -> str:
        return f'profile "{self.name}" of {self.file.path}'


@dataclass(frozen=True, slots=True)
class Credentials:
    """A pair, and where it comes from."""

    access_key_id: str
    secret_key: str = field(repr=False)
    source: str
    kind: SourceKind


@dataclass(frozen=True, slots=True)
class _Source:
    """A place where credentials may be: its name, the names of the two, and what it holds."""

    kind: SourceKind
    name: str
    names: tuple[str, str]
    values: Mapping[str, str] = field(repr=False)

    @property
    def pair(self) -> tuple[str | None, str | None]:
        access_key_id, secret_key = self.names
        return self.values.get(access_key_id), self.values.get(secret_key)


def selected_profile(
    block: ProviderBlock, variables: Mapping[str, str], file: ConfigFile, problems: list[Problem]
) -> Profile:
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
        problems.append(Problem(UNKNOWN_PROFILE, detail, attribute))
    return Profile(name, file, file.profiles.get(name, {}))


def selected_credentials(
    block: ProviderBlock,
    variables: Mapping[str, str],
    profile: Profile,
    problems: list[Problem],
) -> Credentials | None:
    """Return the pair from the first source that has one; `None` with a problem reported."""
    if block.access_key_id or block.secret_key:
        return _block_credentials(block)
    sources = [
        _Source(
            SourceKind.ENVIRONMENT,
            f"the environment variables {ID_VARIABLE} and {SECRET_VARIABLE}",
            (ID_VARIABLE, SECRET_VARIABLE),
            variables,
        ),
        _Source(
            SourceKind.PROFILE, str(profile), ("access_key_id", "secret_key"), profile.settings
        ),
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
                return Credentials(access_key_id, secret_key, source.name, source.kind)
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
    elif not any(problem.summary == UNKNOWN_PROFILE for problem in problems):
        problems.append(_missing_credentials(profile))
    return None


def _block_credentials(block: ProviderBlock) -> Credentials | None:
    if block.access_key_id is None or block.secret_key is None:
        return None  # half a pair, which `block_problems` reports
    access_key_id, secret_key = block.access_key_id.strip(), block.secret_key.strip()
    return Credentials(access_key_id, secret_key, "the provider block", SourceKind.BLOCK)


def _half_a_pair(source: _Source) -> Problem:
    missing, given = sorted(source.names, key=lambda name: name in source.values)
    return Problem(
        "Incomplete credentials",
        f"{given} is set without {missing}, in {source.name}. An access key ID and its secret "
        "belong together, so they are never taken from two places.\n\n"
        f"Set {missing} there too, or remove {given}.",
    )


def _missing_credentials(profile: Profile) -> Problem:
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
        MISSING_CREDENTIALS,
        "The provider needs an access key ID and a secret key of the Crusoe API. It looked in:\n\n"
        "  - the provider block: neither access_key_id nor secret_key is set\n"
        f"  - the environment: neither {ID_VARIABLE} nor {SECRET_VARIABLE} is set\n"
        f"  - {file_state}\n\n"
        f"Set {ID_VARIABLE} and {SECRET_VARIABLE}, or run `crusoe config init`.",
    )
