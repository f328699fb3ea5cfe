"""The other commands of Terraform, and the examples with them."""

import json

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance


def test_modules_can_be_tested_with_mocks(workspace: Workspace) -> None:
    """`terraform test` without network or credentials, as users of modules write it."""
    workspace.variables.clear()
    workspace.use_example("quickstart")

    result = workspace.run("test", "-filter=tests/mocked.tftest.hcl").succeeded()

    assert "2 passed, 0 failed" in result.stdout


def test_modules_can_be_tested_against_an_api(workspace: Workspace, crusoe: Crusoe) -> None:
    """What the test creates is revoked at its end."""
    workspace.use_example("quickstart")

    result = workspace.run("test", "-filter=tests/real.tftest.hcl").succeeded()

    assert "2 passed, 0 failed" in result.stdout
    assert crusoe.simulator.cloud.keys() == []


def test_an_ephemeral_token_uploads_a_file(workspace: Workspace, crusoe: Crusoe) -> None:
    """The example runs; a stand-in for the AWS CLI notes what it was called with."""
    workspace.use_example("ephemeral-upload")
    bin_folder = workspace.folder / "bin"
    bin_folder.mkdir()
    aws = bin_folder / "aws"
    aws.write_text('#!/bin/sh\necho "$AWS_ACCESS_KEY_ID" "$@" > called\n')
    aws.chmod(0o700)
    (workspace.folder / "report.txt").write_text("hello")
    workspace.variables["PATH"] = f"{bin_folder}:/usr/bin:/bin"

    workspace.apply("-var=file=report.txt", "-var=bucket=reports").succeeded()

    access_key_id, *arguments = (workspace.folder / "called").read_text().split()
    assert access_key_id.startswith("CKIA")
    assert arguments[-2:] == ["report.txt", "s3://reports/"]
    assert crusoe.simulator.cloud.keys() == []


@pytest.mark.needs_terraform("1.11", opentofu="1.8")  # older ones show less
def test_commands_that_look_at_things_work(workspace: Workspace, crusoe: Crusoe) -> None:
    """`graph`, `show -json`, `console`, `state show`, `providers`."""
    workspace.write('resource "crusoe_storage_token" "t" { alias = "t" }\n')
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()

    graph = workspace.run("graph").succeeded()
    shown = workspace.show_json()
    console = workspace.console("crusoe_storage_token.t.access_key_id").succeeded()
    hidden = workspace.console("crusoe_storage_token.t.secret_key").succeeded()
    state = workspace.run("state", "show", "crusoe_storage_token.t").succeeded()
    providers = workspace.run("providers").succeeded()

    assert "crusoe_storage_token.t" in graph.stdout
    (resource,) = shown["values"]["root_module"]["resources"]
    assert resource["sensitive_values"]["secret_key"] is True
    assert json.loads(console.stdout) == key.access_key_id
    assert "(sensitive value)" in hidden.stdout
    assert key.secret_key not in state.stdout
    assert "crusoe-community/crusoe" in providers.stdout
