"""What `install` says that is left to do; test_install.py pastes it and asks Terraform."""

import json
from pathlib import Path

import pytest

from crusoe_provider.cli.installation import HOSTS, NAME, SOURCE, terraform_platform
from crusoe_provider.cli.plugin_search import Surroundings
from crusoe_provider.cli.remaining_steps import remaining_steps

BLOCK = "provider_installation {\n  direct {}\n}\n"


class Machine:
    """A machine on which the plugin was installed just now."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work = folder / "home", folder / "work"
        self.work.mkdir()
        self.environ: dict[str, str] = {"XDG_DATA_DIRS": str(folder / "share")}
        self.mirror = self.home / ".terraform.d" / "plugins"
        self.plugins = self.package(self.mirror, "0.1.0")

    def package(self, mirror: Path, version: str) -> list[Path]:
        plugins = []
        for host in HOSTS:
            folder = mirror / host / SOURCE / version / terraform_platform()
            folder.mkdir(parents=True)
            plugins.append(folder / f"{NAME}_v{version}")
            plugins[-1].touch()
        return plugins

    def told(self) -> list[str]:
        products = [Surroundings(host, self.environ, self.home, self.work) for host in HOSTS]
        return list(remaining_steps(self.plugins, self.mirror, products))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_where_all_is_well_nothing_is_left(machine: Machine) -> None:
    assert machine.told() == []


@pytest.mark.parametrize("name", [".terraformrc", ".tofurc", ".terraform.d/more.tfrc"])
def test_a_block_in_any_file_of_the_home_folder_is_told(machine: Machine, name: str) -> None:
    """Once, where it counts for Terraform and for OpenTofu."""
    path = machine.home / name
    path.write_text(BLOCK)

    (text,) = machine.told()

    assert text.startswith(f"But {path} has a provider_installation block, so Terraform looks only")
    assert f'    path    = "{machine.mirror}"' in text


@pytest.mark.parametrize("variable", ["TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG"])
def test_a_block_in_a_file_that_a_variable_names_is_told(machine: Machine, variable: str) -> None:
    """A relative path is the working folder's."""
    path = machine.work / "ci.tfrc"
    path.write_text(BLOCK)
    machine.environ[variable] = path.name

    (text,) = machine.told()

    assert text.startswith(f"But {path} has a provider_installation block")


def test_a_block_that_leads_there_is_well(machine: Machine) -> None:
    """Also by another path to the same folder."""
    link = machine.home / "link"
    link.symlink_to(machine.mirror)
    block = f'provider_installation {{\nfilesystem_mirror {{\npath = "{link}"\n}}\n}}\n'
    (machine.home / ".terraformrc").write_text(block)

    assert machine.told() == []


def test_what_is_found_in_the_mirrors_of_a_block_is_said(machine: Machine) -> None:
    other = machine.home / "other"
    machine.package(other, "0.0.9")
    block = f'provider_installation {{\nfilesystem_mirror {{\npath = "{other}"\n}}\n}}\n'
    (machine.home / ".terraformrc").write_text(block)

    first, second = machine.told()

    for host, text in zip(HOSTS, (first, second), strict=True):
        assert f"looks only where that says, and finds {other / host / SOURCE}" in text


def test_what_is_taken_before_it_is_said(machine: Machine) -> None:
    """Where only the working folder knows of that, too."""
    newer = machine.package(machine.work / "terraform.d" / "plugins", "0.2.0")

    assert machine.told() == [
        f"But {path} is taken before it (implied local mirror)." for path in newer
    ]


def test_an_override_is_told(machine: Machine) -> None:
    """A mirror is of no use with it."""
    program = machine.home / "bin" / NAME
    program.parent.mkdir()
    program.touch()
    overrides = f'dev_overrides {{\n"{SOURCE}" = "{program.parent}"\n}}'
    path = machine.home / ".terraformrc"
    path.write_text(f"provider_installation {{\n{overrides}\ndirect {{}}\n}}\n")

    assert machine.told() == [f"But {program} is taken before it (dev_overrides in {path})."]


def test_one_that_runs_already_is_told(machine: Machine) -> None:
    machine.environ["TF_REATTACH_PROVIDERS"] = json.dumps({SOURCE: {"Pid": 1}})

    (text,) = machine.told()

    assert text.startswith("But another one is taken before it (TF_REATTACH_PROVIDERS")


def test_the_folder_that_init_has_noted_is_told(machine: Machine) -> None:
    (machine.work / ".terraform").mkdir()
    (machine.work / ".terraform" / "plugin_path").write_text('["/srv/terraform"]')

    (text,) = machine.told()

    assert text.startswith("But in this folder Terraform looks only into /srv/terraform (terraform")


def test_a_configuration_that_is_not_read_is_told(machine: Machine) -> None:
    (machine.home / ".terraformrc").write_text("provider_installation {")

    (text,) = machine.told()

    assert text.startswith("But it cannot be told whether it will be taken. The CLI configuration")
    assert "Correct the file" in text


@pytest.mark.parametrize(
    ("environ", "named"), [({}, "~/.terraformrc"), ({"TF_CLI_CONFIG_FILE": "/x"}, "/x")]
)
def test_a_folder_of_its_own_needs_a_block(
    machine: Machine, environ: dict[str, str], named: str
) -> None:
    """In the file that counts."""
    machine.environ |= environ
    machine.mirror = machine.home / "mirror"
    machine.plugins = machine.package(machine.mirror, "0.1.0")

    (text,) = machine.told()

    assert f"({named}) says so:\n\n  provider_installation {{\n" in text
    assert text.endswith("\n  }")
