"""The Python package, as pip builds and installs it."""

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from crusoe_provider.cli.installation import NAME
from crusoe_provider.version import __version__
from harness.terraforms import REPOSITORY
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clean export: what git knows, as it is now."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=REPOSITORY, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (REPOSITORY / name).exists():
            (folder / "export" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / "export" / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(
        [*command, str(folder / "export")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_installs_a_plugin_that_works(
    wheel: Path, crusoe: Crusoe, tmp_path: Path
) -> None:
    """`pip install` of it is all there is to do; dependencies are taken from the tests'."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    folder = next((environment / "lib").glob("python*/site-packages"))
    # After its own packages, which is where our dependencies are to be found and our code is not.
    (folder / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = [str(python), *("-m", "pip", "install", "--quiet", "--no-deps"), str(wheel)]
    subprocess.run(install, check=True)

    plugin = environment / "bin" / NAME
    asked = subprocess.run(
        [python, "-c", "import crusoe_provider; print(crusoe_provider.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    with Workspace(tmp_path, plugin=plugin, variables=crusoe.variables()) as workspace:
        workspace.write('resource "crusoe_storage_token" "t" { alias = "t" }')
        workspace.apply().succeeded()

    assert asked.stdout.startswith(str(environment))
    assert crusoe.aliases() == ["t"]


def test_the_page_on_a_package_index_leads_somewhere(wheel: Path) -> None:
    """It has none of the repository's files beside it, so links and pictures are absolute."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(name).decode()
    page = metadata.partition("\n\n")[2]
    targets = re.findall(r"\]\(([^)]+)\)", page)
    ours = "/crusoe-community/terraform-provider-crusoe"

    assert len(targets) > 20
    assert not [target for target in targets if not target.startswith("https://")]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)
    raw = f"https://raw.githubusercontent.com{ours}/v{__version__}/docs/images/"
    assert len(pictures) == 2
    assert all(picture.startswith(raw) for picture in pictures)
    assert f"https://github.com{ours}/blob/v{__version__}/docs/guides/rotation.md" in targets
    for label in ("Homepage", "Documentation", "Changelog", "Issues"):
        assert f"Project-URL: {label}, https://" in metadata


def test_the_wheel_holds_the_provider_and_the_simulator(wheel: Path) -> None:
    """Complete, with their types, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {
        str(file.relative_to(REPOSITORY / "provider"))
        for file in (REPOSITORY / "provider").rglob("*.py")
    }

    assert modules <= names
    assert {"crusoe_provider/py.typed", "crusoe_simulator/py.typed"} <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "crusoe_provider",
        "crusoe_simulator",
        "terraform_provider_crusoe",
    }
