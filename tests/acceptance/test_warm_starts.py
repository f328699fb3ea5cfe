"""Warm starts below the real Terraform, which nobody may notice but by the speed."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from werkzeug.wrappers import Request

import crusoe_provider
from crusoe_provider.version import __version__
from crusoe_simulator.faults import Fault
from crusoe_simulator.state import User
from harness import terraforms
from harness.process import EXIT_SECONDS, still_running
from harness.sandbox import PLUGIN
from harness.workspace import Workspace
from support.long_terraform import LongTerraform
from support.plugin_starts import Processes, seen_planning, seen_warm
from support.simulator_fixtures import Crusoe
from support.start_fixtures import are_warm

pytestmark = [pytest.mark.acceptance, pytest.mark.own_start]

only_warm = pytest.mark.skipif(not are_warm(), reason="plugins start cold")
only_root = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="only root can be another user"
)

TOKEN: Final = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
NOBODY: Final = 65534
# Another user, who may read what this one may: the interpreter may be in the home of this one.
AS_NOBODY: Final = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@pytest.mark.cold_and_warm
def test_plugins_start_as_they_are_told(
    workspace: Workspace, crusoe: Crusoe, plugins_start: str
) -> None:
    """Whatever runs both ways is worth what this is worth."""
    workspace.write(TOKEN)

    if plugins_start == "cold":
        (seen,) = seen_planning(crusoe, workspace)
        assert (len(seen.nurseries), len(seen.launchers), len(seen.cold)) == (0, 0, 1)
    else:
        (seen,) = seen_warm(lambda: seen_planning(crusoe, workspace))
        assert (len(seen.nurseries), len(seen.launchers), len(seen.cold)) == (1, 1, 0)


# -- Two users of one machine ---------------------------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder in which every user may make something, as in `/tmp`; pytest's is for one only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o1777)
        yield folder


@pytest.fixture
def temporary(shared: Path) -> Iterator[Path]:
    """The temporary folder of all users; nothing may be left in it."""
    folder = shared / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    yield folder
    assert list(folder.iterdir()) == []


def terraform_behind(command: str, file: Path) -> Path:
    """Write a program that runs Terraform after a command, in the same process; return it."""
    file.write_text(f'#!/bin/sh\n{command} "{terraforms.executable()}" "$@"\n')
    file.chmod(0o755)
    return file


@contextmanager
def terraform_of(user: int, folder: Path, crusoe: Crusoe, temporary: Path) -> Iterator[Workspace]:
    """Yield the Terraform of a user of this machine."""
    folder.mkdir()
    terraform = None
    if user != os.getuid():
        terraform = terraform_behind(f"exec {shlex.join(AS_NOBODY)}", folder / "terraform")
    # Some Terraforms leave a mark for their next process, which is to be found elsewhere.
    variables = crusoe.variables() | {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(folder)}
    with Workspace(folder, plugin=PLUGIN, variables=variables, terraform=terraform) as workspace:
        workspace.write(TOKEN)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, -1, follow_symlinks=False)
        yield workspace


@only_warm
@only_root
def test_two_users_at_once(crusoe: Crusoe, shared: Path, temporary: Path) -> None:
    """Each has a nursery of its own, and is served by processes of its own."""
    with (
        terraform_of(os.getuid(), shared / "mine", crusoe, temporary) as mine,
        terraform_of(NOBODY, shared / "theirs", crusoe, temporary) as theirs,
    ):
        seen = seen_warm(lambda: seen_planning(crusoe, mine, theirs))

        assert [len(each.nurseries) for each in seen] == [1, 1]
        assert [len(each.launchers) for each in seen] == [1, 1]
        assert [each.users for each in seen] == [{os.getuid()}, {NOBODY}]
        for workspace in (mine, theirs):
            workspace.apply().succeeded()
            assert workspace.plan().succeeded().actions == {}
            workspace.destroy().succeeded()


# Takes the name that the plugins of a process look under, and prints whatever it is sent.
PLANTED: Final = """
import os, pathlib, socket, sys

user, pid, plugin = sys.argv[1:]
started = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
status = os.stat(plugin)
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(f"\\0tf-plugin/{user}/{pid}-{started}/{status.st_dev:x}-{status.st_ino:x}")
    listener.listen()
    print("ready", flush=True)
    while True:
        with listener.accept()[0] as connection:
            got = b"nothing"
            try:
                connection.sendall(b"1|6|unix|/planted|grpc|\\n")
                got = connection.recv(100) or got
            except OSError:  # it has been left alone
                pass
            print(got.decode(), flush=True)
"""


@only_warm
@only_root
def test_a_name_that_another_user_has_taken(crusoe: Crusoe, shared: Path, temporary: Path) -> None:
    """All plugins of that command start cold; the other user gets nothing of them."""
    with terraform_of(os.getuid(), shared / "mine", crusoe, temporary) as mine:
        gate = shared / "gate"
        os.mkfifo(gate)
        # The harness asks for the version where somebody has chosen a Terraform.
        wait = f'[ "$1" = version ] || read _ < "{gate}"; exec'
        mine.executable = terraform_behind(wait, shared / "terraform")
        held = crusoe.simulator.faults.add(Fault("list", hold="before"))
        running = mine.start("plan")
        arguments = [str(os.getuid()), str(running.pid), str(PLUGIN)]
        planter = [*AS_NOBODY, sys.executable, "-I", "-c", PLANTED, *arguments]
        with subprocess.Popen(planter, stdout=subprocess.PIPE, text=True) as planted:
            try:
                assert planted.stdout
                assert planted.stdout.readline() == "ready\n"
                gate.write_text("\n")
                held.wait_arrived()
                seen = Processes(mine)
                held.release()
                running.wait().succeeded()
            finally:
                planted.kill()
            got = planted.stdout.read().splitlines()

    assert (len(seen.nurseries), len(seen.launchers), len(seen.cold)) == (0, 0, 1)
    assert set(got) == {"nothing"}


# -- A Terraform that is a library ----------------------------------------------------------------


@pytest.fixture
def own_plugin(tmp_path: Path) -> Path:
    """A plugin of this test alone, as `install` writes it; its package is in the same folder."""
    folder = tmp_path / "installed"
    package = Path(crusoe_provider.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    others = [path for path in sys.path if "site-packages" in path]
    plugin = folder / "terraform-provider-crusoe"
    plugin.write_text(
        f"#!{sys.executable} -IS\nimport sys\nsys.path += {[str(folder), *others]!r}\n"
        "from crusoe_provider.__main__ import main\nsys.exit(main())\n"
    )
    plugin.chmod(0o700)
    return plugin


@contextmanager
def long_terraform(workspace: Workspace) -> Iterator[LongTerraform]:
    """Yield a Terraform of a workspace that goes on; at its end nothing may be left of it."""
    environment = workspace._environment()
    with LongTerraform(workspace.folder, environment, workspace.logs / "long") as terraform:
        yield terraform
    left = still_running(workspace.plugin_processes(), EXIT_SECONDS)
    assert left == []


@only_warm
@pytest.mark.usefixtures("newest_terraform")
def test_commands_of_one_process_notice_what_has_changed(
    crusoe: Crusoe, own_plugin: Path, tmp_path: Path
) -> None:
    """Between them the configuration, the folder and the plugin itself may change."""
    agents: list[str] = []
    crusoe.simulator.api.observers.append(lambda request, _: agents.append(agent_of(request)))
    other = crusoe.simulator.cloud.add_user("other@acme.example", crusoe.organization)
    with (
        Workspace(tmp_path, plugin=own_plugin, variables=crusoe.variables()) as workspace,
        long_terraform(workspace) as terraform,
    ):
        workspace.write(TOKEN)
        seen_warm(lambda: [seen_within(terraform, crusoe, workspace)])
        assert users(crusoe) == {crusoe.user.email}

        workspace.write(provider_block(other) + TOKEN)
        terraform.run("plan")
        assert users(crusoe) == {other.email}

        elsewhere = workspace.write(TOKEN, name="elsewhere/main.tf").parent
        shutil.copy(workspace.folder / "versions.tf", elsewhere)
        terraform.run(f"-chdir={elsewhere}", "apply", "-auto-approve")
        assert users(crusoe) == {crusoe.user.email}
        assert set(agents) == {f"terraform-provider-crusoe/{__version__}"}

        agents.clear()
        (own_plugin.parent / "crusoe_provider" / "version.py").write_text('__version__ = "9.9.9"\n')
        terraform.run(f"-chdir={elsewhere}", "destroy", "-auto-approve")
        assert set(agents) == {"terraform-provider-crusoe/9.9.9"}
        assert crusoe.simulator.cloud.keys() == []


def agent_of(request: Request) -> str:
    """Return what a request says of the program that has sent it."""
    return request.headers["User-Agent"]


def users(crusoe: Crusoe) -> set[str | None]:
    """Return who has sent requests since this was last asked."""
    requests = crusoe.simulator.api.requests
    found = {request.user for request in requests.all()}
    requests.clear()
    return found


def provider_block(user: User) -> str:
    """Return a provider block with the credentials of a user."""
    return (
        f'provider "crusoe" {{\n  access_key_id = "{user.access_key_id}"\n'
        f'  secret_key = "{user.secret_key}"\n}}\n'
    )


def seen_within(terraform: LongTerraform, crusoe: Crusoe, workspace: Workspace) -> Processes:
    """Return the plugins while Terraform plans, and waits for the API."""
    held = crusoe.simulator.faults.add(Fault(hold="before"))
    terraform.begin("plan")
    held.wait_arrived()
    seen = Processes(workspace)
    held.release()
    terraform.end()
    return seen
