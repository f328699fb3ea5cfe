"""Write the reference part of `docs/`, in the layout and the form of the Terraform Registry.

`make docs` runs it, and a test compares. What there is to say about an element stands in its schema
(`schemas/provider-schema.json`) and in its examples (`examples/terraform/reference/`); the guides
are written by hand. The form is that of `tfplugindocs`.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from schema import elements

REPOSITORY: Final = Path(__file__).resolve().parents[1]
DOCS: Final = REPOSITORY / "docs"
EXAMPLES: Final = REPOSITORY / "examples" / "terraform" / "reference"
SCHEMA: Final = REPOSITORY / "schemas" / "provider-schema.json"
PREFIX: Final = "crusoe_"

# Folder of the registry's layout, key of the schema, words in the heading.
_ELEMENTS: Final = (
    ("resources", "resource_schemas", "Resource"),
    ("data-sources", "data_source_schemas", "Data Source"),
    ("ephemeral-resources", "ephemeral_resource_schemas", "Ephemeral Resource"),
    ("list-resources", "list_resource_schemas", "List Resource"),
    ("actions", "action_schemas", "Action"),
)
# What members of objects are: in the schema they have a type and no description.
_MEMBERS: Final = {
    "tokens": {
        "id": "Token ID, a UUID.",
        "access_key_id": "Access key ID for S3 clients.",
        "alias": "Its name; null if it has none.",
        "status": "`enabled` or `disabled`.",
        "created_at": "When it was created, as an RFC 3339 date and time.",
        "expires_at": "When it expires; null if it never does.",
        "expired": "Whether it has expired.",
        "user_id": "ID (a UUID) of the user to whom it belongs.",
    },
    "profiles": {
        "access_key_id": "Access key ID of a Crusoe API key of that user.",
        "secret_key": "Its secret.",
    },
}
_AUTHENTICATION: Final = """\
## Authentication

The provider signs its requests with an API key of Crusoe, as the Crusoe CLI does: an access key ID
and a secret key, from the console under *Security*. They are taken from the first of these that has
any, and always as a pair from one place:

1. `access_key_id` and `secret_key` in the provider block, or the `profile` that the block names;
2. `CRUSOE_ACCESS_KEY_ID` and `CRUSOE_SECRET_KEY` in the environment;
3. the profile of `~/.crusoe/config` that `CRUSOE_PROFILE` names, or the file's own `profile`, or
   `default`.

Credentials go to the endpoint of their source only. `terraform-provider-crusoe check` says which
are in use and whether they work: see [Check an installation](guides/check.md).

| Variable | What it sets |
| --- | --- |
| `CRUSOE_ACCESS_KEY_ID` | the access key ID; with `CRUSOE_SECRET_KEY` |
| `CRUSOE_SECRET_KEY` | the secret key; with `CRUSOE_ACCESS_KEY_ID` |
| `CRUSOE_PROFILE` | which profile of `~/.crusoe/config` applies |
| `CRUSOE_API_ENDPOINT` | the base URL of the API, where the provider block names none |
| `CRUSOE_ORGANIZATION_ID` | the organization, where the provider block names none |
| `CRUSOE_ALLOW_ENDPOINT` | endpoints that a provider block may send credentials to |
| `CRUSOE_STORAGE_TOKEN_SECRET` | the secret of the storage token that is imported |
| `CRUSOE_WARM_START` | `0` has each plugin process start by itself, which takes longer (Linux) |
| `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` | which proxy leads to the API; in small letters as well |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | who vouches for it; else the system (Linux), or certifi |
"""
_NOTICE: Final = """\
~> **Security notice** The secret of this token is stored {how} in the state of Terraform, and in \
saved plans. Keep both where only those can read them who may use the token. \
[Protecting the secret](../guides/protecting-the-secret.md) has the ways to do without.
"""
_GUIDES: Final = """\
## Guides

- [Getting started](guides/getting-started.md)
- [Try it without an account](guides/try-it.md)
- [Protecting the secret](guides/protecting-the-secret.md)
- [Rotation without downtime](guides/rotation.md)
- [The two-key limit](guides/key-limit.md)
- [A token for every service](guides/services.md)
- [Moving from the CLI, or from Crusoe's own provider](guides/migration.md)
- [Bring existing keys under Terraform](guides/adopting-tokens.md)
- [Check an installation](guides/check.md)
- [Pipelines](guides/pipelines.md)
- [Beside Crusoe's own provider](guides/vendor-provider.md)
- [Troubleshooting](guides/troubleshooting.md)
- [OpenTofu](guides/opentofu.md)
"""


def pages() -> dict[Path, str]:
    """Return every generated page, by its path below `docs/`."""
    schema = elements(json.loads(SCHEMA.read_text(encoding="utf-8")))
    found = {Path("index.md"): _index(schema["provider"]["block"])}
    for folder, key, kind in _ELEMENTS:
        for name, element in schema.get(key, {}).items():
            path = Path(folder, f"{name.removeprefix(PREFIX)}.md")
            found[path] = _element(path, name, kind, element["block"])
    for name, function in schema["functions"].items():
        path = Path("functions", f"{name}.md")
        found[path] = _function(path, name, function)
    return found


def _index(block: Mapping[str, Any]) -> str:
    return _page(
        "crusoe Provider",
        block["description"],
        "# crusoe Provider",
        block["description"],
        _example(Path("provider")),
        _AUTHENTICATION,
        _schema(block),
        _GUIDES,
        subcategory=False,
    )


def _element(path: Path, name: str, kind: str, block: Mapping[str, Any]) -> str:
    return _page(
        f"{name} {kind} - crusoe",
        block["description"],
        f"# {name} ({kind})",
        block["description"],
        _notice(kind, block),
        _example(path.with_suffix("")),
        _schema(block),
        _import(path.with_suffix("")),
    )


def _notice(kind: str, block: Mapping[str, Any]) -> str:
    attributes = block.get("attributes", {})
    if kind != "Resource" or "secret_key" not in attributes:
        return ""
    clear = "unencrypted" + (" (unless `encrypt_to` is set)" if "encrypt_to" in attributes else "")
    return _NOTICE.format(how=clear)


def _function(path: Path, name: str, function: Mapping[str, Any]) -> str:
    parameters = function["parameters"]
    signature = ", ".join(f"{p['name']} {_type(p['type'])}" for p in parameters)
    arguments = "\n".join(
        f"{n}. `{p['name']}` ({_type(p['type']).capitalize()}) {p['description']}"
        for n, p in enumerate(parameters, 1)
    )
    return _page(
        f"{name} Function - crusoe",
        function["summary"],
        f"# function: {name}",
        function["description"],
        _example(path.with_suffix("")),
        f"## Signature\n\n```text\n{name}({signature}) {_type(function['return_type'])}\n```",
        f"## Arguments\n\n{arguments}",
    )


def _page(title: str, summary: str, *parts: str, subcategory: bool = True) -> str:
    # The registry's tools refuse a subcategory on the index page.
    category = 'subcategory: ""\n' if subcategory else ""
    head = (
        "---\n# Written by `make docs`; change the schema or the examples instead.\n"
        f'page_title: "{title}"\n{category}description: |-\n  {summary}\n---\n'
    )
    return "\n".join([head, *(f"{part.rstrip()}\n" for part in parts if part)])


def _example(folder: Path) -> str:
    names = ("import.tf", "import-by-identity.tf")
    files = sorted((EXAMPLES / folder).glob("*.tf*"))
    (file,) = [file for file in files if file.name not in names]
    return f"## Example Usage\n\n```terraform\n{file.read_text(encoding='utf-8')}```"


def _import(folder: Path) -> str:
    block, command = EXAMPLES / folder / "import.tf", EXAMPLES / folder / "import.sh"
    if not block.exists():
        return ""
    return (
        "## Import\n\n"
        "With an [`import` block](https://developer.hashicorp.com/terraform/language/import), in "
        "Terraform 1.5 and later:\n\n"
        f"```terraform\n{block.read_text(encoding='utf-8')}```\n\n"
        f"{_import_by_identity(folder)}"
        "With the command:\n\n"
        f"```shell\n{command.read_text(encoding='utf-8')}```"
    )


def _import_by_identity(folder: Path) -> str:
    file = EXAMPLES / folder / "import-by-identity.tf"
    if not file.exists():
        return ""
    text = file.read_text(encoding="utf-8")
    return f"By its identity, in Terraform 1.12 and later:\n\n```terraform\n{text}```\n\n"


def _schema(block: Mapping[str, Any]) -> str:
    return "\n".join(["## Schema", "", *_attributes(block), *_nested(block)])


def _attributes(block: Mapping[str, Any]) -> Iterator[str]:
    attributes = block.get("attributes", {})
    groups = {
        "Required": [name for name, a in attributes.items() if a.get("required")],
        "Optional": [name for name, a in attributes.items() if a.get("optional")],
        "Read-Only": [
            name
            for name, a in attributes.items()
            if not a.get("required") and not a.get("optional")
        ],
    }
    for heading, names in groups.items():
        nested = block.get("block_types", {}) if heading == "Optional" else {}
        if not names and not nested:
            continue
        yield f"### {heading}\n"
        for name in sorted(names):
            attribute = attributes[name]
            sensitive = ", Sensitive" if attribute.get("sensitive") else ""
            below = f" (see [below for nested schema](#nestedatt--{name}))"
            yield (
                f"- `{name}` ({_type(attribute['type'], words=True)}{sensitive}) "
                f"{attribute['description']}{below if _members(attribute) else ''}"
            )
        for name, inner in sorted(nested.items()):
            yield (
                f"- `{name}` (Block) {inner['block']['description']} "
                f"(see [below for nested schema](#nestedblock--{name}))"
            )
        yield ""


def _members(attribute: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the members of the objects that an attribute holds, with their types."""
    match attribute["type"]:
        case [_, ["object", members]]:
            found: Mapping[str, Any] = members
            return found
    return {}


def _nested(block: Mapping[str, Any]) -> Iterator[str]:
    for name, attribute in sorted(block.get("attributes", {}).items()):
        if members := _members(attribute):
            group = "Required" if attribute.get("optional") else "Read-Only"
            yield f'<a id="nestedatt--{name}"></a>\n### Nested Schema for `{name}`\n\n{group}:\n'
            for member, kind in sorted(members.items()):
                yield f"- `{member}` ({_type(kind, words=True)}) {_MEMBERS[name][member]}"
            yield ""
    for name, inner in sorted(block.get("block_types", {}).items()):
        yield f'<a id="nestedblock--{name}"></a>\n### Nested Schema for `{name}`\n'
        for line in _attributes(inner["block"]):
            yield line.replace("### ", "", 1).replace("\n", ":\n") if "### " in line else line


def _type(kind: Any, *, words: bool = False) -> str:
    """Return a type as Terraform's configuration has it, or in the registry's words."""
    if isinstance(kind, str):
        return {"bool": "Boolean"}.get(kind, kind.capitalize()) if words else kind
    outer, inner = kind
    if outer == "object":
        return "Object" if words else "object"
    if words:
        return f"{outer.capitalize()} of {_type(inner, words=True)}"
    return f"{outer}({_type(inner)})"


def main() -> int:
    """Write the pages."""
    for path, text in pages().items():
        file = DOCS / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
