"""Every configuration that people may copy: the examples, and the code in the guides."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from harness import features, terraforms
from harness.workspace import Workspace
from support import stand_in_plugin
from support.ready_plugins import Plugins, stand_in

pytestmark = pytest.mark.acceptance

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples" / "terraform"
FOLDERS = sorted({file.parent for file in EXAMPLES.rglob("*.tf")})
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
# For others than Terraform, or for more than can stand in a page: the form is checked, not more.
FENCE = re.compile(r"^```(terraform|hcl)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What Terraform knows from 1.14 on, and identities, which it knows from 1.12 on.
NEW = re.compile(r'^(action|list) "|^ *(action_trigger|identity =) \{', re.MULTILINE)
BY_IDENTITY = "import-by-identity.tf"
REQUIRED = """\
terraform {
  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}
"""


def snippets(*languages: str) -> Iterator[tuple[Path, int, str]]:
    """Yield the code in the pages, with the page and a number."""
    for page in PAGES:
        for n, (language, code) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")), 1):
            if language in languages:
                yield page, n, code


def example(value: object, code: str, name: str) -> ParameterSet:
    """Return a parameter that runs with a Terraform that knows what the code uses."""
    marks = [pytest.mark.needs_terraform("1.14")] if NEW.search(code) else []
    for feature in features.used_in(code):
        if feature.terraform is None:
            marks = [pytest.mark.needs_terraform(None, opentofu=feature.opentofu)]
    return pytest.param(value, marks=marks, id=name)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory, usual_plugins: Plugins) -> dict[str, Path]:
    """Stand-ins for the other providers that examples use."""
    folder = tmp_path_factory.mktemp("others")
    return {source: stand_in(usual_plugins, folder, source) for source in stand_in_plugin.RESOURCES}


@pytest.fixture
def empty(tmp_path: Path, executable: Path, others: dict[str, Path]) -> Iterator[Workspace]:
    """A workspace without any configuration, and with every provider that examples use."""
    with Workspace(tmp_path, plugin=executable, overrides=others) as workspace:
        (workspace.folder / "versions.tf").unlink()
        yield workspace


@pytest.mark.parametrize(
    "folder",
    [
        example(
            folder,
            "".join(f.read_text() for f in folder.glob("*.tf") if f.name != BY_IDENTITY),
            str(folder.relative_to(EXAMPLES)),
        )
        for folder in FOLDERS
    ],
)
def test_an_example_is_valid(folder: Path, empty: Workspace) -> None:
    """As it stands; those of the reference are parts, for which the provider is required here."""
    others = shutil.ignore_patterns(BY_IDENTITY)
    shutil.copytree(folder, empty.folder, ignore=others, dirs_exist_ok=True)
    if not any("required_providers" in file.read_text() for file in folder.glob("*.tf")):
        empty.write(REQUIRED, name="required.tf")

    validated = empty.validate().succeeded()

    assert validated.diagnostics == ()


@pytest.mark.needs_terraform("1.12", opentofu="1.12")
@pytest.mark.parametrize(
    "file", sorted(EXAMPLES.rglob(BY_IDENTITY)), ids=lambda file: file.parent.name
)
def test_an_import_by_identity_is_valid(file: Path, empty: Workspace) -> None:
    """Beside the resource that it is for."""
    empty.write(REQUIRED, name="required.tf")
    shutil.copy(file, empty.folder)
    shutil.copy(file.with_name("resource.tf"), empty.folder)

    assert empty.validate().succeeded().diagnostics == ()


@pytest.mark.parametrize(
    "code",
    [
        example(code, code, f"{page.stem}-{n}")
        for page, n, code in snippets("terraform")
        if "Written by `make docs`" not in page.read_text(encoding="utf-8")
        # A query file, which validate does not read.
        and not code.startswith("list ")
    ],
)
def test_code_in_the_pages_is_valid(code: str, empty: Workspace) -> None:
    """On its own, or with the import's target and the provider that the page takes for granted."""
    if "required_providers" not in code:
        empty.write(REQUIRED, name="required.tf")
    empty.write(code)

    validated = empty.validate().succeeded()

    assert validated.diagnostics == ()


@pytest.mark.needs_terraform("1.8", opentofu="1.8")
def test_code_in_the_pages_is_formatted(tmp_path: Path) -> None:
    """As `terraform fmt` writes it, the parts included that cannot be validated."""
    found = list(snippets("terraform", "hcl"))

    # Without this machine's settings, of which OpenTofu complains in its output.
    alone = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    assert len(found) > 20
    for page, n, code in found:
        command = [str(terraforms.executable()), "fmt", "-"]
        done = subprocess.run(
            command, input=code, env=alone, capture_output=True, text=True, check=False
        )
        assert done.stdout == code, f"{page.name}, number {n}: {done.stderr}"
