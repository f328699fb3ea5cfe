"""What Terraform's log holds, and what it never holds."""

import re
from pathlib import Path

import pytest

from crusoe_simulator.faults import Answer, Fault
from harness.workspace import LogLevel, Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'


def log_of_a_life(workspace: Workspace, level: LogLevel) -> str:
    """Return the log of a whole life cycle, from the plan to the destruction."""
    workspace.write(TOKEN)
    runs = [
        workspace.plan(out="p", log=level).succeeded(),
        workspace.apply("p", log=level).succeeded(),
        workspace.plan(log=level).succeeded(),
        workspace.apply("-replace=crusoe_storage_token.t", log=level).succeeded(),
        workspace.destroy(log=level).succeeded(),
    ]
    return "\n".join(run.log for run in runs)


def provider_lines(log: str) -> list[str]:
    """Return the lines that the plugin has written."""
    return [line for line in log.splitlines() if "@module=provider.crusoe_provider" in line]


def test_a_full_log_holds_no_secret_and_no_complaint(workspace: Workspace, crusoe: Crusoe) -> None:
    """At TRACE, through a whole life, with a fault on the way; Terraform's own lines included."""
    secrets: set[str] = {crusoe.user.secret_key}

    def note_secrets(*_: object) -> None:
        keys = crusoe.simulator.cloud.keys()
        secrets.update(key.secret_key for key in keys)

    crusoe.simulator.api.observers.append(note_secrets)
    crusoe.simulator.faults.add(Fault("list", answer=Answer(503, "{}")))

    log = log_of_a_life(workspace, "TRACE")

    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in log]
    assert "Bearer" not in log
    for complaint in (
        "failed to exit gracefully",
        "Traceback",
        "plugin process exited with error",
        "panic",
        "legacy plugin SDK",
    ):
        assert complaint not in log
    # Terraform has errors of its own there, about any plugin's closed pipes.
    assert not [line for line in provider_lines(log) if "[ERROR]" in line]


def test_each_request_and_each_call_has_a_debug_line(workspace: Workspace, crusoe: Crusoe) -> None:
    """With method, path, status, duration and attempt; or with its name and duration."""
    crusoe.simulator.faults.add(Fault("list", answer=Answer(503, "{}")))

    lines = provider_lines(log_of_a_life(workspace, "DEBUG"))

    requests = [line for line in lines if "Sent a request" in line]
    assert len(requests) == len(crusoe.simulator.api.requests.all())
    for line in requests:
        for field in ("method=", "path=/organizations/", "status=", "duration_ms=", "attempt="):
            assert field in line or "/users/identities" in line
    assert any("status=503" in line and "attempt=1" in line for line in requests)
    assert any("attempt=2" in line for line in requests)
    calls = [line for line in lines if "Served an RPC" in line]
    assert {match[1] for line in calls if (match := re.search(r"rpc=(\w+)", line))} >= {
        "ConfigureProvider",
        "PlanResourceChange",
        "ApplyResourceChange",
        "ReadResource",
    }
    assert all("duration_ms=" in line and "[DEBUG]" in line for line in calls)


def test_levels_are_those_of_terraform(workspace: Workspace) -> None:
    """At INFO there is nothing of all that."""
    assert provider_lines(log_of_a_life(workspace, "INFO")) == []


def test_the_providers_level_can_be_set_alone(workspace: Workspace, tmp_path: Path) -> None:
    """`TF_LOG_PROVIDER`, as with any provider."""
    log = tmp_path / "provider.log"
    workspace.variables |= {"TF_LOG_PROVIDER": "DEBUG", "TF_LOG_PATH": str(log)}
    workspace.write(TOKEN)

    workspace.plan().succeeded()

    assert provider_lines(log.read_text())
