"""The documentation says what is true."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import docs
from crusoe_provider import version
from harness.sandbox import SOURCE_WITH_HOST
from schema import elements

REPOSITORY = Path(__file__).parents[2]
PROVIDER = REPOSITORY / "provider" / "crusoe_provider"
SCHEMA = elements(
    json.loads((REPOSITORY / "schemas" / "provider-schema.json").read_text(encoding="utf-8"))
)
REPORTING = {"Problem", "add_error", "add_warning", "RequestError", "Diagnosis", "failing"}
# Errors of the commands for people, whose text is all there is.
OF_COMMANDS = {"InstallationError", "SearchError"}
# Tables of headlines, by the kind of error.
HEADLINES = {"_HEADLINES", "_UNKNOWN"}
# What functions say of an argument, by its flaw.
FLAWS = {"_IDENTITY": "identity", "_CIPHERTEXT": "ciphertext"}


def attributes() -> Iterator[tuple[str, dict[str, object]]]:
    """Yield every attribute of the schema, with a name for messages."""
    blocks = [("provider", SCHEMA["provider"]["block"])]
    kinds = ("resource", "data_source", "ephemeral_resource", "list_resource", "action")
    for kind in (f"{name}_schemas" for name in kinds):
        blocks += [(f"{kind}.{name}", s["block"]) for name, s in SCHEMA[kind].items()]
    for name, block in blocks:
        nested = {n: b["block"] for n, b in block.get("block_types", {}).items()}
        for inner in (block, *nested.values()):
            for attribute, definition in inner["attributes"].items():
                yield f"{name}.{attribute}", definition


def markdown() -> list[Path]:
    """Return every page that people read."""
    return [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def summaries() -> set[str]:
    """Return the first line of every message in the provider's code, as far as it is fixed."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in PROVIDER.rglob("*.py")]
    constants = {name: value for tree in trees for name, value in assignments(tree)}
    found: set[str] = set()
    for name in HEADLINES & constants.keys():
        for value in getattr(constants[name], "values", ()):
            found |= texts(value, constants)
    for tree in trees:
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and call.args:
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                found |= texts(call.args[0], constants) if name in REPORTING else set()
    # Not the text of a flaw, which is told with its argument.
    return {text.rstrip(".") for text in found if text != "…."} | set(flaws(constants))


def flaws(constants: dict[str, ast.expr]) -> Iterator[str]:
    """Yield what `decrypt` says of its arguments."""
    for name, argument in FLAWS.items():
        values = getattr(constants[name], "values", ())
        yield from (f"{argument} {text}" for value in values for text in texts(value, constants))


def assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the constants of a module."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def texts(value: ast.expr, constants: dict[str, ast.expr]) -> set[str]:
    """Return the texts that an expression may stand for; of a tuple, its first one."""
    match value:
        case ast.Constant(value=str() as text):
            return {text}
        case ast.JoinedStr():
            parts = (p.value if isinstance(p, ast.Constant) else "…" for p in value.values)
            return {re.sub("…[… ]*…", "…", "".join(map(str, parts)))}
        case ast.Name() if value.id in constants:
            return texts(constants[value.id], constants)
        case ast.Starred(value=inner) | ast.Tuple(elts=[inner, *_]):
            return texts(inner, constants)
        case ast.IfExp():
            return texts(value.body, constants) | texts(value.orelse, constants)
    return set()


def test_the_reference_is_the_one_that_is_generated() -> None:
    """`make docs` writes it anew."""
    for path, text in docs.pages().items():
        assert (docs.DOCS / path).read_text(encoding="utf-8") == text, path
    generated = {docs.DOCS / path for path in docs.pages()}
    folders = (
        *("resources", "data-sources", "ephemeral-resources", "functions"),
        *("list-resources", "actions"),
    )
    assert {file for folder in folders for file in (docs.DOCS / folder).rglob("*")} < generated


def test_the_registry_can_read_each_page() -> None:
    """It takes the start page without a subcategory, and every other one with these three."""
    pages = [page for page in docs.DOCS.rglob("*.md") if page.parent.name != "development"]

    for page in pages:
        start, matter, _ = page.read_text(encoding="utf-8").split("---\n", 2)
        names = {"page_title", "description"}
        if page != docs.DOCS / "index.md":
            names.add("subcategory")
        assert start == "", page
        assert set(yaml.safe_load(matter)) == names, page


def test_the_registry_can_read_the_schema() -> None:
    """It has the form that Terraform prints."""
    document = json.loads(docs.SCHEMA.read_text(encoding="utf-8"))

    assert document.keys() == {"format_version", "provider_schemas"}
    assert list(document["provider_schemas"]) == [SOURCE_WITH_HOST]


def test_every_attribute_says_what_people_need() -> None:
    """A default where it may be left out, and an example value unless it is a secret."""
    for name, attribute in attributes():
        description = attribute["description"]
        assert isinstance(description, str)
        if attribute.get("optional"):
            assert re.search(r"default|exactly one of|instead of", description, re.IGNORECASE), name
        if not attribute.get("sensitive"):
            assert "Example: `" in description, name


def test_what_replaces_a_token_says_so() -> None:
    """In the description of each attribute whose change replaces it."""
    for kind in ("crusoe_storage_token", "crusoe_storage_rotating_token"):
        block = SCHEMA["resource_schemas"][kind]["block"]
        for name, attribute in block["attributes"].items():
            if attribute.get("optional"):
                assert re.search("replac", attribute["description"]), name


def page_of(kind: str, name: str) -> str:
    """Return the page of an element, or of the provider."""
    if not name:
        return docs.pages()[Path("index.md")]
    folder = kind.removesuffix("_schemas").replace("_", "-") + "s"
    return docs.pages()[Path(folder, f"{name.removeprefix('crusoe_')}.md")]


def test_objects_have_their_members_in_the_reference() -> None:
    """Each with its type, as the registry shows nested attributes."""
    blocks = [("", "", SCHEMA["provider"]["block"])]
    kinds = ("resource_schemas", "data_source_schemas", "ephemeral_resource_schemas")
    blocks += [(k, name, s["block"]) for k in kinds for name, s in SCHEMA[k].items()]
    found = 0
    for kind, name, block in blocks:
        for attribute, definition in block["attributes"].items():
            match definition["type"]:
                case [_, ["object", members]]:
                    _, _, nested = page_of(kind, name).partition(f'id="nestedatt--{attribute}"')
                    lines = nested.partition("<a ")[0].partition("\n## ")[0]
                    listed = re.findall(r"^- `(\w+)` \(\w+\) \S", lines, re.MULTILINE)
                    assert set(listed) == set(members)
                    found += 1
    assert found == 2


def test_the_index_tells_where_credentials_come_from() -> None:
    """With every variable that the provider reads."""
    code = "".join(path.read_text(encoding="utf-8") for path in PROVIDER.rglob("*.py"))
    variables = set(re.findall(r"\bCRUSOE_[A-Z_]*[A-Z]\b", code))
    _, _, rest = page_of("", "").partition("## Authentication")

    rows = set(re.findall(r"^\| `(CRUSOE_\w+)`", rest, re.MULTILINE))
    assert rows == variables


def test_a_secret_in_the_state_is_announced_at_the_top() -> None:
    """Before the example that people copy; where nothing is stored, nothing is announced."""
    for name, schema in SCHEMA["resource_schemas"].items():
        head, _, _ = page_of("resource_schemas", name).partition("## Example Usage")
        assert "secret_key" in schema["block"]["attributes"]
        assert "~> **Security notice**" in head
        assert ("`encrypt_to`" in head) == ("encrypt_to" in schema["block"]["attributes"])
    ephemeral = page_of("ephemeral_resource_schemas", "crusoe_storage_token")
    assert "Security notice" not in ephemeral


def test_no_default_sends_readers_elsewhere() -> None:
    """Each attribute is read by itself."""
    for name, attribute in attributes():
        assert "see there" not in str(attribute["description"]), name


def test_every_message_is_explained() -> None:
    """Somebody who looks for what they have read finds it in the guide."""
    text = (docs.DOCS / "guides" / "troubleshooting.md").read_text(encoding="utf-8")
    guide = " ".join(text.split())
    found = summaries()

    assert len(found) > 80
    for summary in found:
        _, _, rest = summary.partition(" not ")
        assert f"**{summary}**" in guide or (rest and f"**… not {rest}**" in guide), summary


def test_every_error_of_the_commands_is_explained() -> None:
    """By its first sentence, in which an ellipsis stands for what differs."""
    text = (docs.DOCS / "guides" / "troubleshooting.md").read_text(encoding="utf-8")
    guide = " ".join(text.split())
    found: set[str] = set()
    for file in (PROVIDER / "cli").glob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in OF_COMMANDS:
                found |= texts(call.args[0], {})

    assert len(found) == 6
    for message in found:
        first = re.split(r"\. |\.$|\n", message)[0]
        assert f"**{first}**" in guide, message


def test_every_message_is_printed_by_some_test() -> None:
    """As far as a reader of the tests can tell: each stands in one, which expects it."""
    files = [path for path in (REPOSITORY / "tests").rglob("*.py") if path != Path(__file__)]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    # Texts that are broken over lines, and values in them.
    code = re.sub(r'"\s*\n\s*f?"', "", code)

    for summary in summaries():
        parts = map(re.escape, summary.split("…"))
        assert re.search(".{1,40}".join(parts), code), summary


@pytest.mark.parametrize("page", markdown(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Those to other files of the repository."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_changelog_knows_the_version() -> None:
    """The newest entry is the version that the code says."""
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", text, re.MULTILINE)

    assert newest is not None
    assert newest[1] == version.__version__
