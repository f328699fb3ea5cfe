"""The file `~/.crusoe/config`, which the Crusoe CLI writes too.

TOML: a table per profile, and a top-level `profile` that picks one. No message ever quotes the
file: its values are secrets, and in a file that cannot be parsed anything may be a value.
"""

import os
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

KNOWN_KEYS: Final = ("access_key_id", "secret_key", "api_endpoint", "organization_id")

_READABLE_BY_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH
_POSITION: Final = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")


class BrokenConfigFileError(Exception):
    """The file is there and cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What the file says.

    Attributes:
        path: Where it is; `None` when there is no home folder.
        exists: Whether there is such a file.
        chosen: The profile that it picks itself, if any.
        profiles: The known settings of each profile.
        exposed: Whether it holds a secret that other users of this machine may read.
    """

    path: Path | None
    exists: bool = False
    chosen: str | None = None
    profiles: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    exposed: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets of all profiles."""
        found = (profile.get("secret_key") for profile in self.profiles.values())
        return tuple(secret for secret in found if secret)


def read_config_file(home: Path | None) -> ConfigFile:
    """Return the file of the user whose home folder is `home`; a missing one is empty.

    Raises:
        BrokenConfigFileError: It cannot be read or parsed.
    """
    if home is None:
        return ConfigFile(None)
    path = home / ".crusoe" / "config"
    try:
        with path.open("rb") as file:
            content = file.read()
            mode = os.fstat(file.fileno()).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ConfigFile(path)
    except OSError as error:
        raise BrokenConfigFileError(f"{path} cannot be read: {error.strerror}.") from None
    parsed = _parse(path, content)
    return replace(parsed, exposed=bool(parsed.secrets and mode & _READABLE_BY_OTHERS))


def _parse(path: Path, content: bytes) -> ConfigFile:
    import tomllib  # noqa: PLC0415 - in pipelines there is no such file

    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise BrokenConfigFileError(f"{path} is not UTF-8 text.") from None
    # Not only a TOMLDecodeError: a number can be too long, and nesting too deep.
    except (ValueError, RecursionError) as error:
        raise BrokenConfigFileError(
            f"{path} is not valid TOML{_position(error)}. Values must be in quotes, as in "
            'secret_key = "…", and every profile is a table that stands there once.'
        ) from None
    chosen = document.get("profile")
    if chosen is not None and not isinstance(chosen, str):
        raise BrokenConfigFileError(f"{path}: profile must be a string, the name of a table.")
    tables = {name: table for name, table in document.items() if isinstance(table, dict)}
    profiles = {name: _settings(path, name, table) for name, table in tables.items()}
    return ConfigFile(path, exists=True, chosen=(chosen or "").strip() or None, profiles=profiles)


def _settings(path: Path, profile: str, table: dict[str, Any]) -> dict[str, str]:
    settings = {key: table[key] for key in KNOWN_KEYS if key in table}
    for key, value in settings.items():
        if not isinstance(value, str):
            raise BrokenConfigFileError(
                f"{path}: {key} of profile {profile} must be a string, in quotes."
            )
    return {key: value.strip() for key, value in settings.items() if value.strip()}


def _position(error: Exception) -> str:
    # The parser's own text may quote what it found.
    match = _POSITION.search(str(error))
    if match is None:
        return ""
    return f" (line {match[1]}, column {match[2]})" if match[1] else " (at its end)"
