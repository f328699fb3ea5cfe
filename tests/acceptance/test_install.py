"""What `terraform-provider-crusoe` does for people who start it by hand."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from crusoe_provider.cli.installation import (
    HOSTS,
    SOURCE,
    InstallationError,
    install,
    terraform_platform,
    uninstall,
)
from crusoe_provider.version import __version__
from harness.sandbox import PLUGIN, measuring
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'


@pytest.fixture
def bare(tmp_path: Path, crusoe: Crusoe) -> Iterator[Workspace]:
    """A Terraform without CLI configuration and without the plugin."""
    with Workspace(tmp_path, variables=crusoe.variables()) as workspace:
        (tmp_path / "terraform.tfrc").write_text("")
        yield workspace


def command(
    workspace: Workspace, *arguments: str, path: str = "/usr/bin:/bin"
) -> subprocess.CompletedProcess[str]:
    """Run the executable as a person does, with the workspace's home folder."""
    return subprocess.run(
        [PLUGIN, *arguments],
        env={"HOME": str(workspace.home), "PATH": path} | measuring(),
        capture_output=True,
        text=True,
        check=False,
    )


def checked(workspace: Workspace, crusoe: Crusoe) -> dict[str, Any]:
    """Run `check` where a person would, and return what it says of each thing."""
    done = subprocess.run(
        [PLUGIN, "check", "--json"],
        cwd=workspace.folder,
        env={
            "HOME": str(workspace.home),
            "PATH": f"{workspace.executable.parent}:/usr/bin:/bin",
            "TF_CLI_CONFIG_FILE": str(workspace.cli_configuration),
        }
        | crusoe.variables()
        | measuring(),
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0 if document["ok"] else 1, "")
    assert crusoe.user.secret_key not in done.stdout
    return {check["name"]: check for check in document["checks"]}


def pasted(output: str) -> str:
    """Return the block that a person would copy from the output."""
    start = output.index("  terraform {")
    return output[start : output.index("\n  }\n", start) + len("\n  }\n")]


def test_install_makes_terraform_find_the_plugin(bare: Workspace, crusoe: Crusoe) -> None:
    """Without a registry and without CLI configuration; and `uninstall` undoes it all.

    `check` says before what Terraform does then, and sends nothing but GETs.
    """
    assert checked(bare, crusoe)["plugin"]["status"] == "warning"
    installed = command(bare, "install")
    assert installed.returncode == 0, installed.stderr
    bare.write(pasted(installed.stdout) + TOKEN)
    found = checked(bare, crusoe)
    assert {check["status"] for check in found.values()} == {"ok"}
    assert found["plugin"]["details"]["path"] in installed.stdout
    assert found["plugin"]["details"]["version"] == __version__
    assert {r.method for r in crusoe.simulator.api.requests.all()} == {"GET"}

    bare.init().succeeded()
    bare.apply().succeeded()

    assert crusoe.aliases() == ["t"]
    assert checked(bare, crusoe)["tokens"]["details"]["used"] == 1
    bare.destroy().succeeded()
    undone = command(bare, "uninstall")
    assert undone.stdout.startswith(f"Version {__version__} was removed")
    # What was printed is found, though the program is in no folder of the path.
    assert installed.stdout.endswith(f"\nTo undo it: {shlex.quote(str(PLUGIN))} uninstall\n")
    assert list((bare.home / ".terraform.d" / "plugins").rglob("*crusoe*")) == []
    not_found = r"Failed to (query available|resolve) provider packages"  # Terraform, OpenTofu
    assert re.search(not_found, bare.init().failed().stderr)
    assert command(bare, "uninstall").stdout.startswith("Nothing to undo")


def test_install_takes_the_place_of_another_version(bare: Workspace) -> None:
    """A newer version that stayed would be taken by the next `terraform init`."""
    plugins = bare.home / ".terraform.d" / "plugins"
    newer = install(plugins, "99.0.0")
    assert command(bare, "install").returncode == 0

    assert not newer.plugins[0].exists()
    bare.write(f'terraform {{\nrequired_providers {{\ncrusoe = {{\nsource = "{SOURCE}"\n}}\n}}\n}}')
    assert f"v{__version__}" in bare.init().succeeded().stdout
    # And again over itself, which leaves the lock file valid.
    again = command(bare, "install")
    assert "was removed" not in again.stdout
    bare.init().succeeded()
    bare.validate().succeeded()


def test_install_into_a_folder_prints_what_terraform_needs_to_know(
    bare: Workspace, tmp_path: Path, crusoe: Crusoe
) -> None:
    """The CLI configuration that is printed is the one that works."""
    mirror = tmp_path / "some where"
    installed = command(bare, "install", "--plugin-dir", str(mirror))
    start = installed.stdout.index("  provider_installation {")
    configuration = installed.stdout[start : installed.stdout.index("\nTo undo it", start)]
    (tmp_path / "terraform.tfrc").write_text(configuration)
    bare.write(pasted(installed.stdout) + TOKEN)

    bare.init().succeeded()

    assert bare.plan().actions == {"crusoe_storage_token.t": "create"}
    assert (mirror / HOSTS[1] / SOURCE / __version__ / terraform_platform()).is_dir()
    plugin = checked(bare, crusoe)["plugin"]
    assert plugin["details"]["path"].startswith(str(mirror))
    assert plugin["details"]["how"] == f"provider_installation in {bare.cli_configuration}"
    undo = shlex.split(installed.stdout.partition("To undo it: ")[2])
    assert command(bare, *undo[1:]).returncode == 0
    assert list(mirror.iterdir()) == []


def test_the_installed_plugin_needs_nothing_of_the_environment(bare: Workspace) -> None:
    """Neither `PYTHONPATH` nor modules in the working folder can get between."""
    command(bare, "install")
    bare.write(pasted(command(bare, "install").stdout) + TOKEN)
    bare.write("raise SystemExit('wrong module')", name="grpc.py")
    bare.variables |= {"PYTHONPATH": str(bare.folder), "PYTHONHOME": "/nowhere"}

    bare.init().succeeded()

    assert bare.plan().actions == {"crusoe_storage_token.t": "create"}


def test_install_says_when_terraform_will_not_look(bare: Workspace) -> None:
    """With a `provider_installation` block there is no implied local mirror."""
    rc = bare.home / ".terraformrc"
    rc.write_text("provider_installation {\n  direct {}\n}\n")

    installed = command(bare, "install")

    # As printed, put where it says: a second block would be refused by Terraform.
    assert f"But {rc} has a provider_installation block" in installed.stdout
    _, mirror, exclude = re.split(r"\n\n(?=  )", installed.stdout.partition("\nBut ")[2])
    mirror, exclude = mirror.partition("\n\n")[0], exclude.partition("\n\n")[0]
    rc.write_text(f"provider_installation {{\n{mirror}\n  direct {{\n{exclude}\n  }}\n}}\n")
    bare.variables["TF_CLI_CONFIG_FILE"] = str(rc)
    bare.write(pasted(installed.stdout) + TOKEN)
    bare.init().succeeded()
    assert bare.plan().actions == {"crusoe_storage_token.t": "create"}
    assert "But" not in command(bare, "install").stdout


def test_install_says_nothing_of_a_product_that_is_not_there(
    bare: Workspace, tmp_path: Path
) -> None:
    """A configuration that leads Terraform to it need not lead OpenTofu there."""
    mirror, ours = bare.home / ".terraform.d" / "plugins", f"{HOSTS[0]}/{SOURCE}"
    (bare.home / ".terraformrc").write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n'
        f'    include = ["{ours}"]\n  }}\n  direct {{\n    exclude = ["{ours}"]\n  }}\n}}\n'
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, told in (("terraform", False), ("tofu", True)):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)

        done = command(bare, "install", path=f"{programs}:/usr/bin:/bin")

        assert done.returncode == 0, done.stderr
        assert ("provider_installation" in done.stdout) is told


def test_a_newer_version_in_another_mirror_is_no_problem(bare: Workspace, crusoe: Crusoe) -> None:
    """As long as the lock file has the one before; Terraform takes that one."""
    bare.write(pasted(command(bare, "install").stdout).replace(__version__, ">= 0.0.1") + TOKEN)
    bare.init().succeeded()
    for name in ("terraform", "opentofu"):
        install(bare.home / ".local" / "share" / name / "plugins", "99.0.0")

    found = checked(bare, crusoe)["plugin"]
    bare.init("-lockfile=readonly").succeeded()

    assert (found["status"], found["details"]["version"]) == ("ok", __version__)
    assert bare.plan().actions == {"crusoe_storage_token.t": "create"}


def test_dev_override_is_a_configuration_that_works(
    bare: Workspace, tmp_path: Path, crusoe: Crusoe
) -> None:
    """As printed, it runs the plugin in place."""
    printed = command(bare, "dev-override").stdout.replace("direct {}", "")
    (tmp_path / "terraform.tfrc").write_text(printed)
    bare.write(f'terraform {{\nrequired_providers {{\ncrusoe = {{\nsource = "{SOURCE}"\n}}\n}}\n}}')
    bare.write(TOKEN, name="token.tf")

    assert bare.plan().actions == {"crusoe_storage_token.t": "create"}
    plugin = checked(bare, crusoe)["plugin"]
    assert plugin["details"]["how"] == f"dev_overrides in {bare.cli_configuration}"
    assert plugin["details"]["path"] == str(PLUGIN)


# Older ones add no checksum to a lock file that has other ones.
@pytest.mark.needs_terraform("1.2.6", opentofu="1.6")
def test_one_lock_file_serves_a_team(bare: Workspace, tmp_path: Path) -> None:
    """Launchers differ with the path of their Python; a lock file takes all that it is told.

    And a release in a mirror, packed, is the same for everybody. As the guide on pipelines says.
    """
    bare.write(pasted(command(bare, "install").stdout))
    bare.init().succeeded()
    plugins = bare.home / ".terraform.d" / "plugins"
    launchers = list(plugins.rglob(f"*_v{__version__}"))
    for launcher in launchers:
        launcher.write_text(f"{launcher.read_text()}# Of another machine.\n")
    shutil.rmtree(bare.folder / ".terraform")

    refused = bare.init("-lockfile=readonly").failed_with("Failed to install provider")
    bare.run("providers", "lock", f"-fs-mirror={plugins}").succeeded()
    bare.init("-lockfile=readonly").succeeded()

    detail = " ".join(refused.detail.split())
    assert "doesn't match any of the checksums previously recorded" in detail
    lock = bare.folder / ".terraform.lock.hcl"
    assert lock.read_text().count('"h1:') == 2
    mirror = tmp_path / "mirror"
    for host, system in product(HOSTS, (terraform_platform(), "plan9_386")):
        packages = mirror / host / SOURCE
        packages.mkdir(parents=True, exist_ok=True)
        with ZipFile(packages / f"terraform-provider-crusoe_{__version__}_{system}.zip", "w") as z:
            z.write(launchers[0], launchers[0].name)
    lock.unlink()
    platforms = [f"-platform={terraform_platform()}", "-platform=plan9_386"]
    bare.run("providers", "lock", f"-fs-mirror={mirror}", *platforms).succeeded()
    bare.init("-lockfile=readonly", f"-plugin-dir={mirror}").succeeded()
    bare.validate().succeeded()


def test_what_cannot_be_done_is_said(bare: Workspace, tmp_path: Path) -> None:
    """Without a traceback, and with an exit code that scripts notice."""
    file = tmp_path / "file"
    file.touch()

    refused = command(bare, "install", "--plugin-dir", str(file))
    unknown = command(bare, "instal")

    assert refused.returncode == 1
    assert refused.stderr.startswith("terraform-provider-crusoe install: ")
    assert "Traceback" not in refused.stderr
    assert unknown.returncode == 2
    assert "invalid choice" in unknown.stderr


def test_started_by_hand_it_says_what_it_is(bare: Workspace) -> None:
    """A person who starts the plugin is told how to use it; `--help` is no failure."""
    started, helped, version = command(bare), command(bare, "--help"), command(bare, "--version")

    assert started.returncode == 1
    assert "This is a Terraform plugin" in started.stderr
    assert helped.returncode == 0
    for text in ("This is a Terraform plugin", "install", "uninstall", "dev-override"):
        assert text in helped.stdout
    assert version.stdout == f"terraform-provider-crusoe {__version__}\n"


def test_a_long_path_still_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes no first line that is long or has blanks in the interpreter's path."""
    python = tmp_path / ("long " * 30) / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))

    (plugin, _) = install(tmp_path / "plugins", "0.0.1").plugins

    shown = subprocess.run([plugin, "--version"], capture_output=True, text=True, check=True)
    assert __version__ in shown.stdout
    assert uninstall(tmp_path / "plugins") == ("0.0.1",)


def test_removing_leaves_what_is_not_ours(tmp_path: Path) -> None:
    """Packages of other providers, for other systems, and packed ones stay."""
    folder = tmp_path / HOSTS[0]
    others = [
        folder / SOURCE / "1.0.0" / "plan9_mips" / "terraform-provider-crusoe_v1.0.0",
        folder / SOURCE / "terraform-provider-crusoe_1.0.0_plan9_mips.zip",
        folder / "hashicorp" / "null" / "1.0.0" / terraform_platform() / "x",
    ]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.touch()

    install(tmp_path, "1.0.0")
    assert uninstall(tmp_path) == ("1.0.0",)

    assert all(other.exists() for other in others)


def test_nothing_of_the_environment_gets_into_the_launcher(tmp_path: Path) -> None:
    """Where others can write they could plant modules: PYTHONPATH, and the current folder."""
    planted = tmp_path / "shared"
    planted.mkdir()
    (planted / "msgspec.py").write_text("raise SystemExit('planted')")
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    code = "import sys; from crusoe_provider.__main__ import main; sys.exit(main(sys.argv[1:]))"

    done = subprocess.run(
        [sys.executable, "-c", code, "install"],
        cwd=planted,
        env=environment | {"PYTHONPATH": str(planted)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (launcher, _) = tmp_path.rglob(f"terraform-provider-crusoe_v{__version__}")
    assert str(planted) not in launcher.read_text()
    assert "''" not in launcher.read_text().splitlines()[3]


def test_modules_of_the_user_do_not_break_the_script_of_pip(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """A `tf.py` and an `httpx.py` that PYTHONPATH leads to are for the user's own programs."""
    for name in ("tf", "httpx"):
        workspace.write("raise SystemExit('wrong module')", name=f"{name}.py")
    workspace.write(TOKEN)
    workspace.variables["PYTHONPATH"] = str(workspace.folder)

    workspace.apply().succeeded()

    assert crusoe.aliases() == ["t"]


def test_everybody_can_enter_the_folders(tmp_path: Path) -> None:
    """Whatever the umask: Terraform may be run by another user than the one who installs."""
    before = os.umask(0o077)
    try:
        plugins = install(tmp_path / "plugins", "0.0.1").plugins
    finally:
        os.umask(before)

    for plugin in plugins:
        assert plugin.stat().st_mode & 0o777 == 0o755
        for folder in plugin.parents:
            if folder == tmp_path:
                break
            assert folder.stat().st_mode & 0o777 == 0o755, folder


def test_links_are_not_followed(tmp_path: Path) -> None:
    """What one leads to is not ours to write into, or to delete."""
    elsewhere = tmp_path / "elsewhere"
    mirror = tmp_path / "mirror"
    install(elsewhere, "0.0.1")
    mirror.mkdir()
    (mirror / HOSTS[0]).symlink_to(elsewhere / HOSTS[0])

    with pytest.raises(InstallationError, match="symbolic link"):
        uninstall(mirror)
    with pytest.raises(InstallationError, match="symbolic link"):
        install(mirror, "0.0.1")

    assert (elsewhere / HOSTS[0] / SOURCE / "0.0.1").exists()


@pytest.mark.parametrize("name", ["line\nbreak", "bell\x07"])
def test_paths_with_control_characters_are_refused(tmp_path: Path, name: str) -> None:
    """They could end a line of the launcher."""
    with pytest.raises(InstallationError, match="control characters"):
        install(tmp_path / name, "0.0.1")


def test_a_python_whose_path_a_shell_would_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a long path needs a shell to start it."""
    python = tmp_path / ("long " * 30 + "$(id)") / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))

    with pytest.raises(InstallationError, match="shell"):
        install(tmp_path / "plugins", "0.0.1")
