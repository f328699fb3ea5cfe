"""Users by the names of their profiles, for the provider block and for the file."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from crusoe_simulator.state import User
from support.simulator_fixtures import Crusoe


def add_users(crusoe: Crusoe, names: Iterable[str]) -> dict[str, User]:
    """Add a user of the organization for each profile."""
    add = crusoe.simulator.cloud.add_user
    return {name: add(f"{name}@acme.example", crusoe.organization) for name in names}


def write_file(home: Path, users: Mapping[str, User], **more: str) -> None:
    """Write the configuration file of Crusoe's CLI with these profiles.

    Args:
        home: The home folder.
        users: The users by profile.
        more: Further settings of each profile.
    """
    folder = home / ".crusoe"
    folder.mkdir(exist_ok=True)
    lines = []
    for name, user in users.items():
        lines += [
            f'["{name}"]',
            f'access_key_id = "{user.access_key_id}"',
            f'secret_key = "{user.secret_key}"',
            *(f'{key} = "{value}"' for key, value in more.items()),
        ]
    file = folder / "config"
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)


def provider_block(users: Mapping[str, User], body: str = "") -> str:
    """Return a provider block with these profiles."""
    entries = "".join(
        f'    "{name}" = {{\n      access_key_id = "{user.access_key_id}"\n'
        f'      secret_key = "{user.secret_key}"\n    }}\n'
        for name, user in users.items()
    )
    return f'provider "crusoe" {{\n{body}  profiles = {{\n{entries}  }}\n}}\n'


def token(name: str, profile: str | None = None, body: str = "") -> str:
    """Return a resource block; its alias is its name."""
    line = f'  profile = "{profile}"\n' if profile is not None else ""
    return f'resource "crusoe_storage_token" "{name}" {{\n  alias = "{name}"\n{line}  {body}\n}}\n'
