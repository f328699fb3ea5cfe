"""How messages name a storage key, and the commands and blocks that they offer."""

from typing import TYPE_CHECKING, Final

from crusoe_provider.api.text import printable, shell_word

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey

# Added wherever the command is given.
NEWER_CLI: Final = "(newer versions of the CLI take the access key ID instead of the token ID)"


def describe_token(key: "StorageKey") -> str:
    """Return one line that tells a person which token `key` is."""
    facts = [
        f"access key ID {key.access_key_id}",
        f"token ID {key.key_uuid}" if key.key_uuid else "",
        f'alias "{printable(key.alias)}"' if key.alias else "no alias",
        f"created {key.created_at}" if key.created_at else "",
        f"expires {key.expire_at}" if key.expire_at else "never expires",
        key.status or "",
    ]
    return ", ".join(filter(None, facts))


def deletion_command(key: "StorageKey") -> str:
    """Return the CLI's command that deletes `key`.

    The CLI takes the token ID; newer versions take the access key ID.
    """
    return f"crusoe storage tokens delete {shell_word(key.key_uuid or key.access_key_id)}"


def import_block(key: "StorageKey") -> str:
    """Return a block that imports `key`, to be pasted once NAME is filled in.

    Terraform refuses the provider beside a resource block of that name. Without such a block newer
    versions need it: they take the resource for one of hashicorp/crusoe.
    """
    quoted = (key.key_uuid or key.access_key_id).replace("\\", "\\\\").replace('"', '\\"')
    # An ID of the API's is data: no template either.
    quoted = quoted.replace("${", "$${").replace("%{", "%%{")
    return (
        "  import {\n"
        "    to       = crusoe_storage_token.NAME\n"
        f'    id       = "{quoted}"\n'
        "    provider = crusoe # drop this line if there is a resource block of that NAME\n"
        "  }"
    )
