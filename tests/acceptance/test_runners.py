"""What pipelines do with plans, states and machines."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import terraforms
from harness.sandbox import PLUGIN
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
REFUSED = "Plan needs more storage tokens than a user may have"


def test_a_refusal_is_for_machines_too(workspace: Workspace) -> None:
    """`plan -json` says which block of which file, and what stands there."""
    workspace.write('resource "crusoe_storage_token" "t" {\n  count = 3\n}\n')

    result = workspace.plan()

    result.failed_with(REFUSED)
    (error,) = (
        line["diagnostic"]
        for line in map(json.loads, result.stdout.splitlines())
        if line.get("@level") == "error"
    )
    assert error["address"].startswith("crusoe_storage_token.t[")
    assert (error["range"]["filename"], error["range"]["start"]["line"]) == ("main.tf", 1)
    assert 'resource "crusoe_storage_token" "t"' in error["snippet"]["code"]


def test_a_saved_plan_is_applied_on_another_runner(
    workspace: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """With another home, another folder and another TMPDIR."""
    workspace.write(TOKEN)
    workspace.plan(out="p").succeeded()
    runner = tmp_path / "runner"
    temporary = tmp_path / "tmp"
    for folder in (runner, temporary):
        folder.mkdir()
    variables = crusoe.variables() | {"TMPDIR": str(temporary)}
    with Workspace(runner, plugin=PLUGIN, variables=variables) as other:
        shutil.copytree(workspace.folder, other.folder, dirs_exist_ok=True)

        other.apply("p").succeeded()

        (key,) = crusoe.simulator.cloud.keys()
        state = other.instances()["crusoe_storage_token.t"].attributes
        assert state["secret_key"] == key.secret_key
        assert other.plan().succeeded().actions == {}
    assert list(temporary.iterdir()) == []


@dataclass
class StateServer:
    """An HTTP backend.

    Attributes:
        address: Its URL.
        document: The state that it has.
        broken: Whether it refuses to store one.
    """

    address: str = ""
    document: bytes = b""
    broken: bool = False
    pushes: list[int] = field(default_factory=list)


@contextmanager
def state_server() -> Iterator[StateServer]:
    """Serve a backend on this machine."""
    server = StateServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if server.document else 404)
            self.end_headers()
            self.wfile.write(server.document)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not server.broken:
                server.document = body
            self.send_response(500 if server.broken else 200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.address = f"http://127.0.0.1:{http.server_port}/state"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        http.shutdown()
        thread.join()


def test_a_backend_that_fails_loses_nothing(crusoe: Crusoe, tmp_path: Path) -> None:
    """Terraform writes `errored.tfstate`, secret and all, and `state push` makes it good."""
    with (
        state_server() as server,
        Workspace(tmp_path, plugin=PLUGIN, mirror=True, variables=crusoe.variables()) as workspace,
    ):
        backend = (
            f'terraform {{\n  backend "http" {{\n    address   = "{server.address}"\n'
            "    retry_max = 0\n  }\n}\n"
        )
        workspace.write(backend + TOKEN)
        workspace.init().succeeded()
        server.broken = True
        workspace.apply().failed()
        server.broken = False

        workspace.run("state", "push", "errored.tfstate").succeeded()

        (key,) = crusoe.simulator.cloud.keys()
        assert key.secret_key.encode() in server.document
        assert workspace.plan().succeeded().actions == {}


SETTINGS: list[dict[str, str]] = [
    {"HOME": "", "LANG": "C", "LC_ALL": "POSIX", "TZ": "Pacific/Kiritimati"},
    {"HOME": "/nonexistent", "LC_ALL": "tr_TR.UTF-8", "TZ": "No/Where", "TMPDIR": "/nonexistent"},
    {"HOME": "relative", "LANG": "", "TZ": ":", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error"},
    {"PYTHONPATH": "/nonexistent", "PYTHONSTARTUP": "/nonexistent"},
    {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    {"PYTHONHASHSEED": "0", "PYTHONDEVMODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONINSPECT": "1"},
]


def test_settings_of_the_machine_change_nothing(workspace: Workspace) -> None:
    """Home, locale, time zone, temporary folder, and what Python itself listens to."""
    token = 'resource "crusoe_storage_token" "t" {\n  alias         = "Schlüssel"\n'
    workspace.write(f'{token}  expires_after = "90d"\n}}\n')
    workspace.apply().succeeded()
    variables = dict(workspace.variables)

    for settings in SETTINGS:
        workspace.variables = variables | settings
        plan = workspace.plan().succeeded()
        assert (plan.actions, plan.diagnostics) == ({}, ()), settings


@contextmanager
def through(
    folder: Path, crusoe: Crusoe, line: str, *, plugin: bool = False
) -> Iterator[Workspace]:
    """A workspace whose Terraform, or plugin, is started by a line of a shell.

    Args:
        folder: An empty folder.
        crusoe: Whose user it acts as.
        line: The line, with the program and its arguments in place of `{}`.
        plugin: Whether only the plugin is.
    """
    program = PLUGIN if plugin else terraforms.executable()
    script = folder / program.name
    script.write_text("#!/bin/sh\n" + line.format(f'"{program}" "$@"') + "\n")
    script.chmod(0o700)
    (folder / "workspace").mkdir()
    with Workspace(
        folder / "workspace",
        plugin=script if plugin else PLUGIN,
        terraform=None if plugin else script,
        variables=crusoe.variables(),
    ) as workspace:
        yield workspace


def test_a_user_without_an_entry_in_the_password_file(crusoe: Crusoe, tmp_path: Path) -> None:
    """As containers have them: without a name, and without a home."""
    unshare = ["unshare", "--user", "--map-user=23456", "true"]
    if shutil.which("unshare") is None or subprocess.run(unshare, check=False).returncode:
        pytest.skip("this machine does not let a process be another user")
    line = "exec env --unset=HOME unshare --user --map-user=23456 {}"
    with through(tmp_path, crusoe, line) as workspace:
        workspace.write(TOKEN)
        workspace.apply().succeeded()
        assert workspace.plan().succeeded().actions == {}
        workspace.destroy().succeeded()
    assert crusoe.simulator.cloud.keys() == []


def test_few_descriptors_are_enough(crusoe: Crusoe, tmp_path: Path) -> None:
    """For as many calls at once as Terraform makes."""
    with through(tmp_path, crusoe, "ulimit -n 64\nexec {}") as workspace:
        workspace.write(TOKEN + 'data "crusoe_storage_tokens" "all" {\n  count = 40\n}\n')
        workspace.apply().succeeded()
        assert workspace.plan().succeeded().actions == {}


@pytest.mark.parametrize("megabytes", [300, 400, 600])
def test_too_little_memory_is_called_that(crusoe: Crusoe, tmp_path: Path, megabytes: int) -> None:
    """It works or fails soon, and is no defect; that no process stays the workspace checks.

    Which of them comes depends on when which thread takes what.
    """
    line = f"ulimit -v {megabytes * 1024}\nexec {{}}"
    with through(tmp_path, crusoe, line, plugin=True) as workspace:
        workspace.write(TOKEN)

        result = workspace.plan()

        assert "defect" not in result.text
        assert "Traceback" not in result.text
        if not result.ok:
            assert result.errors
