"""Which plugin Terraform is going to take; test_install.py asks the real Terraform."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from crusoe_provider.cli.installation import HOSTS, NAME, SOURCE, terraform_platform
from crusoe_provider.cli.plugin_search import (
    Found,
    SearchError,
    Surroundings,
    find_plugin,
    locked_version,
)
from crusoe_provider.cli.report import Line, Status
from crusoe_provider.cli.terraform_check import terraform_lines
from crusoe_provider.cli.terraform_files import UnreadableFileError, parse


class Machine:
    """A home folder and a working folder, with nothing else around."""

    def __init__(self, folder: Path) -> None:
        self.home, self.folder, self.bin = (folder / n for n in ("home", "work", "bin"))
        for new in (self.home, self.folder, self.bin):
            new.mkdir()
        self.environ = {"XDG_DATA_DIRS": str(folder / "share"), "PATH": str(self.bin)}

    def find(self, host: str = HOSTS[0]) -> Found:
        return find_plugin(Surroundings(host, self.environ, self.home, self.folder))

    def lines(self) -> list[Line]:
        return list(terraform_lines(self.environ, self.home, self.folder))

    def configure(self, text: str, name: str = ".terraformrc") -> Path:
        path = self.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def script(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def terraform(self, says: str = 'echo \'{"terraform_version": "1.11.4"}\'') -> Path:
        return self.script(self.bin / "terraform", says)

    def package(self, mirror: Path, version: str, host: str = HOSTS[0], says: str = "") -> Path:
        folder = mirror / host / SOURCE / version / terraform_platform()
        return self.script(folder / f"{NAME}_v{version}", says or f"echo {NAME} {version}")

    def lock(self, version: str) -> None:
        entry = f'version = "{version}"\n  hashes = [\n    "h1:x",\n  ]'
        text = f'# Written by Terraform.\n\nprovider "{HOSTS[0]}/{SOURCE}" {{\n  {entry}\n}}\n'
        (self.folder / ".terraform.lock.hcl").write_text(text)

    @property
    def implied(self) -> Path:
        return self.home / ".terraform.d" / "plugins"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def installation(*methods: str) -> str:
    return "provider_installation {\n" + "\n".join(methods) + "\n}\n"


def mirror(path: Path, more: str = "") -> str:
    return f'filesystem_mirror {{\n path = "{path}"\n {more}\n}}'


# -- Where it is -----------------------------------------------------------------------------------


def test_nothing_anywhere_is_a_question_for_the_registry(machine: Machine) -> None:
    found = machine.find()

    assert (found.path, found.elsewhere) == (None, f"registry {HOSTS[0]}")
    assert machine.implied in found.looked_in


def test_the_newest_of_the_implied_mirrors_is_taken(machine: Machine) -> None:
    """Then the registry is not asked. Versions are compared as numbers."""
    machine.package(machine.implied, "0.9.0")
    shared = machine.home / ".local" / "share" / "terraform" / "plugins"
    newest = machine.package(shared, "0.10.0")
    machine.package(shared, "0.10.0-rc1")

    found = machine.find()

    assert (found.path, found.version, found.elsewhere) == (newest, "0.10.0", None)


def test_the_version_of_the_lock_file_goes_before_a_newer_one(machine: Machine) -> None:
    """`terraform init` takes another only with `-upgrade`."""
    shared = machine.home / ".local" / "share" / "terraform" / "plugins"
    locked = machine.package(shared, "0.1.0")
    machine.package(machine.implied, "0.2.0")
    machine.lock("0.1.0")

    found = machine.find()

    assert (found.path, found.version) == (locked, "0.1.0")


def test_opentofu_has_a_registry_and_folders_of_its_own(machine: Machine) -> None:
    own = machine.package(machine.implied, "0.1.0", HOSTS[1])

    assert machine.find(HOSTS[1]).path == own
    assert machine.find().path is None


def test_a_block_takes_the_place_of_the_implied_mirrors(machine: Machine) -> None:
    machine.package(machine.implied, "0.1.0")
    path = machine.configure(installation("direct {}"))

    found = machine.find()

    assert (found.path, found.how) == (None, f"provider_installation in {path}")
    assert found.elsewhere == f"registry {HOSTS[0]}"


@pytest.mark.parametrize(
    ("more", "is_found"),
    [
        ("", True),
        (f'include = ["{SOURCE}"]', True),
        (f'include = ["{HOSTS[0]}/crusoe-community/*"]', True),
        ('include = ["*/*"]', True),
        ('include = ["hashicorp/*"]', False),
        (f'include = ["{HOSTS[1]}/*/*"]', False),
        (f'include = ["*/*"]\n exclude = ["{SOURCE.upper()}"]', False),
        ("include = []", False),
    ],
)
def test_patterns_say_what_a_mirror_is_for(machine: Machine, more: str, is_found: bool) -> None:
    """`exclude` goes before `include`."""
    folder = machine.folder.parent / "mirror"
    machine.package(folder, "0.1.0")
    machine.configure(installation(mirror(folder, more)))

    found = machine.find()

    assert (found.path is not None) is is_found
    assert found.elsewhere is None


def test_a_packed_release_is_found(machine: Machine) -> None:
    """As `terraform providers mirror` puts it there. It is not started."""
    folder = machine.folder.parent / "mirror"
    packed = folder / HOSTS[0] / SOURCE / f"{NAME}_0.2.0_{terraform_platform()}.zip"
    packed.parent.mkdir(parents=True)
    packed.touch()
    machine.configure(installation(mirror(folder)))
    machine.terraform()

    assert (machine.find().path, machine.find().version) == (packed, "0.2.0")
    assert machine.lines()[1].message.endswith("; not started")


@pytest.mark.parametrize("variable", ["TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG"])
def test_a_variable_names_another_configuration(machine: Machine, variable: str) -> None:
    """Then no other file counts."""
    machine.configure("this is not read {")
    plugin = machine.script(machine.folder / "plugin" / NAME, "")
    text = installation(f'dev_overrides {{\n "{SOURCE}" = "{plugin.parent}"\n}}', "direct {}")
    path = machine.configure(text, "other.tfrc")
    machine.environ[variable] = str(path)

    found = machine.find()

    assert (found.path, found.runs_in_place) == (plugin, True)
    assert found.how == f"dev_overrides in {path}"


def test_a_variable_that_names_no_file_leaves_the_implied_mirrors(machine: Machine) -> None:
    """Terraform warns of it, and goes on."""
    machine.environ["TF_CLI_CONFIG_FILE"] = "/nowhere"
    plugin = machine.package(machine.implied, "0.1.0")

    assert machine.find().path == plugin


def test_files_beside_the_configuration_count_too(machine: Machine) -> None:
    """`~/.terraform.d/*.tfrc`."""
    machine.configure(installation("direct {}"), ".terraform.d/more.tfrc")

    assert "more.tfrc" in machine.find().how


def test_opentofu_has_a_configuration_of_its_own(machine: Machine) -> None:
    """Or takes Terraform's where it has none."""
    machine.configure(installation("direct {}"))
    assert ".terraformrc" in machine.find(HOSTS[1]).how

    machine.configure("", ".tofurc")
    assert machine.find(HOSTS[1]).how == "implied local mirror"


def test_an_override_that_leads_nowhere_is_a_problem(machine: Machine) -> None:
    machine.configure(installation(f'dev_overrides {{\n "{SOURCE}" = "/nowhere"\n}}'))

    with pytest.raises(SearchError, match="leads to /nowhere"):
        machine.find()


def test_an_override_of_another_provider_is_none(machine: Machine) -> None:
    machine.configure(installation('dev_overrides {\n "a/b" = "/nowhere"\n}', "direct {}"))

    assert not machine.find().runs_in_place


def test_what_init_has_noted_goes_first(machine: Machine) -> None:
    """`terraform init -plugin-dir`; also where TF_DATA_DIR names the folder."""
    folder = machine.folder.parent / "mirror"
    plugin = machine.package(folder, "0.1.0")
    machine.package(machine.implied, "9.0.0")
    machine.environ["TF_DATA_DIR"] = "data"
    (machine.folder / "data").mkdir()
    (machine.folder / "data" / "plugin_path").write_text(json.dumps([str(folder)]))

    found = machine.find()

    assert (found.path, found.elsewhere) == (plugin, None)
    assert found.how.startswith("terraform init -plugin-dir")


def test_a_provider_that_runs_already_is_taken(machine: Machine) -> None:
    machine.environ["TF_REATTACH_PROVIDERS"] = json.dumps({SOURCE: {"Pid": 1}})
    assert machine.find().how.startswith("TF_REATTACH_PROVIDERS")

    machine.environ["TF_REATTACH_PROVIDERS"] = json.dumps({"a/b": {}})
    assert machine.find().how == "implied local mirror"


def test_a_file_that_cannot_be_read_is_a_problem(machine: Machine) -> None:
    """With the line, never the content: there may be tokens of registries in it."""
    machine.configure('credentials "x" {\n token = hunter2 !\n}')

    with pytest.raises(SearchError, match=r"\.terraformrc cannot be read here \(line 2\)") as error:
        machine.find()

    assert "hunter2" not in str(error.value)


# -- What is said of it ----------------------------------------------------------------------------


def test_terraform_and_a_plugin_that_starts_are_well(machine: Machine) -> None:
    terraform = machine.terraform()
    plugin = machine.package(machine.implied, "0.1.0")

    first, second = machine.lines()

    assert [first.status, second.status] == [Status.OK, Status.OK]
    assert first.message == f"Terraform 1.11.4 ({terraform})"
    assert second.message == f"Terraform finds 0.1.0, {plugin} (implied local mirror); it starts"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ('echo \'{"terraform_version": "0.15.5"}\'', "Terraform 0.15.5"),
        ("echo no JSON", "does not say which version it is"),
        ("echo broken >&2; exit 3", "exit code 3: broken"),
        (
            'echo \'{"terraform_version": "1.1.0"}\'; echo "Error: No more than one" >&2',
            "says: Error: No more than one",
        ),
    ],
)
def test_a_terraform_that_is_not_fit_is_a_problem(
    machine: Machine, says: str, message: str
) -> None:
    machine.terraform(says)

    line = machine.lines()[0]

    assert line.status is Status.PROBLEM
    assert message in line.message
    assert line.advice


def test_no_terraform_is_a_problem(machine: Machine) -> None:
    first, second = machine.lines()

    assert (first.status, second.status) == (Status.PROBLEM, Status.WARNING)
    assert "--no-terraform" in str(first.advice)


def test_both_products_are_looked_at(machine: Machine) -> None:
    machine.terraform()
    machine.script(machine.bin / "tofu", 'echo \'{"terraform_version": "1.9.0"}\'')

    lines = machine.lines()

    assert [line.name for line in lines] == ["terraform", "plugin"] * 2
    assert lines[2].message.startswith("OpenTofu 1.9.0")


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("exit 1", "exit code 1"),
        ("echo something else", "another program"),
        ("echo 'bad interpreter' >&2; exit 126", "bad interpreter"),
    ],
)
def test_a_plugin_that_does_not_start_is_a_problem(
    machine: Machine, says: str, message: str
) -> None:
    machine.terraform()
    machine.package(machine.implied, "0.1.0", says=says)

    line = machine.lines()[1]

    assert line.status is Status.PROBLEM
    assert message in line.message
    assert "install" in str(line.advice)


def test_a_plugin_whose_python_is_gone_is_a_problem(machine: Machine) -> None:
    machine.terraform()
    path = machine.package(machine.implied, "0.1.0")
    path.write_text("#!/nowhere/python\n")

    assert "No such file" in machine.lines()[1].message


def brought_along(machine: Machine, folder: Path) -> Path:
    """Put a plugin into a mirror; return the file that it makes when it is started."""
    machine.terraform()
    started = machine.folder / "started"
    machine.package(folder, "0.1.0", says=f"echo > {started}; echo {NAME} 0.1.0")
    return started


def test_a_plugin_that_the_repository_brings_is_not_started(machine: Machine) -> None:
    """Somebody else may have written it; Terraform, not this command, is asked to trust it."""
    started = brought_along(machine, machine.folder / "terraform.d" / "plugins")

    line = machine.lines()[1]

    assert (line.status, line.message.endswith("; not started")) == (Status.OK, True)
    assert not started.exists()


def linked_as_implied_mirror(machine: Machine, plugins: Path) -> None:
    link = machine.folder / "terraform.d" / "plugins"
    link.parent.mkdir()
    link.symlink_to(plugins)


def noted_by_init(machine: Machine, plugins: Path) -> None:
    noted = os.path.relpath(plugins, machine.folder)
    (machine.folder / ".terraform").mkdir()
    (machine.folder / ".terraform" / "plugin_path").write_text(json.dumps([noted]))


def named_through_a_link(machine: Machine, plugins: Path) -> None:
    (machine.folder / "mirror").symlink_to(plugins)
    machine.configure(installation(mirror(machine.folder / "mirror")))


def named_as_a_relative_path(machine: Machine, plugins: Path) -> None:
    (machine.folder / "mirror").symlink_to(plugins)
    machine.configure(installation(mirror(Path("mirror"))))


@pytest.mark.parametrize(
    "lead",
    [
        *(linked_as_implied_mirror, noted_by_init, named_through_a_link),
        named_as_a_relative_path,
    ],
)
def test_nor_is_one_that_the_repository_leads_to(
    machine: Machine, lead: Callable[[Machine, Path], None]
) -> None:
    """It may lie beside the working folder, in the same repository."""
    plugins = machine.folder.parent / "plugins"
    started = brought_along(machine, plugins)
    lead(machine, plugins)

    line = machine.lines()[1]

    assert (line.status, line.message.endswith("; not started")) == (Status.OK, True)
    assert not started.exists()


def test_nor_is_one_that_a_chosen_link_leads_to_in_there(machine: Machine) -> None:
    """The user has chosen the link, and a pull may change what is behind it."""
    plugins = machine.folder / "plugins"
    started = brought_along(machine, plugins)
    machine.implied.parent.mkdir()
    machine.implied.symlink_to(plugins)

    assert machine.lines()[1].message.endswith("; not started")
    assert not started.exists()


def test_a_mirror_beside_the_working_folder_that_the_user_names_is_trusted(
    machine: Machine,
) -> None:
    """As a path that the CLI configuration has, relative ones included."""
    started = brought_along(machine, machine.folder.parent / "mirror")
    machine.configure(installation(mirror(Path("../mirror"))))

    assert machine.lines()[1].status is Status.OK
    assert started.exists()


def test_a_lock_file_that_wants_another_version_is_a_problem(machine: Machine) -> None:
    """As `terraform init` would say."""
    machine.terraform()
    machine.package(machine.implied, "0.2.0")
    machine.lock("0.1.0")

    line = machine.lines()[1]

    assert line.status is Status.PROBLEM
    assert ".terraform.lock.hcl has version 0.1.0" in line.message
    assert "`terraform init -upgrade`" in str(line.advice)


def test_the_plugin_of_the_lock_file_is_the_one_that_is_started(machine: Machine) -> None:
    """Whatever newer one a mirror has, and however that does."""
    machine.terraform()
    locked = machine.package(machine.implied, "0.1.0")
    machine.package(machine.implied, "0.2.0", says="exit 1")
    machine.lock("0.1.0")

    line = machine.lines()[1]

    assert (line.status, line.details["version"]) == (Status.OK, "0.1.0")
    assert str(locked) in line.message


def test_a_lock_file_without_the_provider_says_nothing(machine: Machine) -> None:
    (machine.folder / ".terraform.lock.hcl").write_text('provider "a/b/c" {\n version = "1.0.0"\n}')

    around = Surroundings(HOSTS[0], {}, machine.home, machine.folder)
    assert locked_version(around) is None


def test_a_block_that_leaves_nothing_is_a_problem(machine: Machine) -> None:
    machine.terraform()
    machine.configure(installation(mirror(Path("/nowhere"))))

    line = machine.lines()[1]

    assert line.status is Status.PROBLEM
    assert "will find none" in line.message


def test_no_home_folder_is_no_failure(machine: Machine) -> None:
    assert find_plugin(Surroundings(HOSTS[0], {}, None, machine.folder)).path is None


# -- Terraform's files -----------------------------------------------------------------------------


def test_blocks_values_lists_and_comments_are_read() -> None:
    text = """
    # one comment
    plugin_cache_dir = "$HOME/.terraform.d" // another
    disable_checkpoint = true
    /* and
       a third */
    host "a.example" { services = { "x.v1" = "https://a" } }
    list = ["a", 'b',] """.replace("'b'", '"b\\"{"')

    body = parse(text)

    assert body.values == {
        "plugin_cache_dir": "$HOME/.terraform.d",
        "disable_checkpoint": True,
        "list": ["a", 'b"{'],
    }
    (host,) = body.of_kind("host")
    assert host.labels == ("a.example",)
    (services,) = host.body.of_kind("services")
    assert services.body.values == {"x.v1": "https://a"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a {", "its end"),
        ("a = ", "its end"),
        ("\n\na = }", "line 3"),
        ('a = "x', "line 1"),
        ("a = <<EOT\nx\nEOT", "line 1"),
        ('a = "\\q"', "line 1"),
        ("= 1", "line 1"),
        ("a", "its end"),
        ("a ]", "line 1"),
    ],
)
def test_what_is_not_read_is_said_by_its_line(text: str, where: str) -> None:
    with pytest.raises(UnreadableFileError, match=f"^{where}$"):
        parse(text)


def test_the_platform_is_the_running_one() -> None:
    """What Terraform would call it."""
    assert terraform_platform().startswith(f"{os.uname().sysname.lower()}_")
