"""What tokens are for: the key that Terraform makes opens the bucket, and for as long as told."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from crusoe_simulator.state import Key
from harness.sandbox import PLUGIN
from harness.workspace import Workspace
from s3_access import refusal
from support import aws_stand_in
from support.clock_fixtures import MovableTime
from support.s3_clients import BUCKET, Writer, client_of
from support.simulator_fixtures import Crusoe

pytestmark = [pytest.mark.acceptance, pytest.mark.s3]

TOKEN = """
    resource "crusoe_storage_token" "ci" {
      alias = "ci"
      %s
    }
    output "access_key_id" { value = crusoe_storage_token.ci.access_key_id }
    output "secret_key" {
      value     = crusoe_storage_token.ci.secret_key
      sensitive = true
    }
"""
# A workload whose credentials are in a file, and a rollout that is over when it uses the new ones.
ROLLOUT = """
    resource "terraform_data" "rollout" {{
      triggers_replace = crusoe_storage_token.ci.access_key_id

      provisioner "local-exec" {{
        command = <<-EOT
          cd "$FOLDER" && printf '%s' "$CREDENTIALS" > new && mv new credentials.json
          test -e used || exit 0
          until grep -qx "$KEY" used; do sleep 0.05; done
        EOT
        environment = {{
          FOLDER      = "{folder}"
          KEY         = crusoe_storage_token.ci.access_key_id
          CREDENTIALS = jsonencode({{
            access_key_id = crusoe_storage_token.ci.access_key_id
            secret_key    = crusoe_storage_token.ci.secret_key
          }})
        }}
      }}
    }}
"""


ROTATING_TYPE = "storage_rotating_token"
ROTATING = (TOKEN % 'rotate_after = "30d"').replace("storage_token", ROTATING_TYPE)


def hand_over(workspace: Workspace, folder: Path) -> str:
    """Give a workload the credentials of the outputs, as somebody does some time after an apply."""
    outputs = workspace.output_json()
    names = ("access_key_id", "secret_key")
    (folder / "new").write_text(json.dumps({name: outputs[name] for name in names}))
    (folder / "new").replace(folder / "credentials.json")
    return str(outputs["access_key_id"])


@pytest.fixture
def admin(crusoe: Crusoe) -> Key:
    """Somebody else's key, with which the bucket was made."""
    cloud = crusoe.simulator.cloud
    key = cloud.add_key(cloud.add_user("admin@acme.example", crusoe.organization))
    client_of(crusoe.simulator, key.access_key_id, key.secret_key).create_bucket(Bucket=BUCKET)
    return key


def client_by_outputs(crusoe: Crusoe, workspace: Workspace) -> Any:
    """Return a client with the key that the outputs name."""
    outputs = workspace.output_json()
    return client_of(crusoe.simulator, outputs["access_key_id"], outputs["secret_key"])


@pytest.mark.usefixtures("admin")
def test_the_key_opens_the_bucket_until_it_is_destroyed(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """At once, also for a client that has just been served."""
    workspace.write(TOKEN % "")
    workspace.apply().succeeded()
    client = client_by_outputs(crusoe, workspace)

    client.put_object(Bucket=BUCKET, Key="k", Body=b"Hello")
    assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"Hello"
    workspace.destroy().succeeded()

    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="k")) == "InvalidAccessKeyId"


@pytest.mark.usefixtures("admin")
def test_an_expired_key_is_refused_and_the_next_apply_brings_another(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """The expiry in the plan is the one that S3 goes by."""
    timed.write(TOKEN % 'expires_after = "1h"')
    timed.apply().succeeded()
    expired = client_by_outputs(crusoe, timed)
    expired.put_object(Bucket=BUCKET, Key="k", Body=b"Hello")

    movable_time.advance(hours=1, seconds=1)  # it expires on a whole second

    assert refusal(lambda: expired.get_object(Bucket=BUCKET, Key="k")) == "InvalidAccessKeyId"
    timed.apply().succeeded()
    renewed = client_by_outputs(crusoe, timed)
    assert renewed.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"Hello"


@pytest.mark.usefixtures("admin")
def test_a_client_writes_through_a_rotation_with_create_before_destroy(
    workspace: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """It gets the new key before the old one is revoked, and never fails."""
    folder = tmp_path / "workload"
    folder.mkdir()
    rotation = "lifecycle {\n create_before_destroy = true\n }\n rotate_when_changed = { n = %d }"
    workspace.write(ROLLOUT.format(folder=folder), name="rollout.tf")
    workspace.write(TOKEN % (rotation % 0))
    workspace.apply().succeeded()
    with Writer(crusoe.simulator, folder) as writer:
        writer.wait_for_more()
        for n in (1, 2):
            workspace.write(TOKEN % (rotation % n))
            workspace.apply().succeeded()
            writer.wait_for_more()

    assert writer.failures == []
    assert len(set(writer.used)) == 3
    assert writer.used == sorted(writer.used, key=list(dict.fromkeys(writer.used)).index)


@pytest.mark.usefixtures("admin")
def test_a_client_writes_through_rotations_of_two_tokens_in_turn(
    workspace: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """It changes to the other key only after the apply, and never fails."""
    folder = tmp_path / "workload"
    folder.mkdir()
    workspace.use_example("rotation-two-tokens")
    workspace.apply("-var=now=2026-11-05T00:00:00Z").succeeded()
    keys = [hand_over(workspace, folder)]
    with Writer(crusoe.simulator, folder) as writer:
        writer.wait_for_more()
        for month in ("2026-12-05", "2027-01-05", "2027-02-05"):
            workspace.apply(f"-var=now={month}T00:00:00Z").succeeded()
            writer.wait_for_more()
            keys.append(hand_over(workspace, folder))
            writer.wait_for_more()

    assert writer.failures == []
    assert list(dict.fromkeys(writer.used)) == keys
    assert len(set(keys)) == 4


@pytest.mark.usefixtures("admin")
def test_clients_write_through_five_rotations_of_a_rotating_token(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe, tmp_path: Path
) -> None:
    """One is updated by the apply that rotates, another lags by a whole period; neither fails."""
    prompt, slow = tmp_path / "prompt", tmp_path / "slow"
    prompt.mkdir()
    slow.mkdir()
    timed.write(ROTATING + ROLLOUT.format(folder=prompt).replace("storage_token", ROTATING_TYPE))
    timed.apply().succeeded()
    hand_over(timed, slow)
    keys = [timed.output_json()["access_key_id"]]
    with Writer(crusoe.simulator, prompt) as updated, Writer(crusoe.simulator, slow) as lagging:
        for _ in range(5):
            updated.wait_for_more()
            lagging.wait_for_more()
            movable_time.advance(days=30)
            timed.apply().succeeded()
            keys.append(timed.output_json()["access_key_id"])
            updated.wait_for_more()
            lagging.wait_for_more()
            assert lagging.used[-1] == keys[-2]
            # On the last day before the next rotation.
            movable_time.advance(days=29)
            hand_over(timed, slow)
            lagging.wait_for_more()

    assert updated.failures == lagging.failures == []
    assert list(dict.fromkeys(updated.used)) == list(dict.fromkeys(lagging.used)) == keys
    assert len(set(keys)) == 6


def test_an_ephemeral_token_uploads_and_is_gone(
    workspace: Workspace, crusoe: Crusoe, admin: Key, tmp_path: Path
) -> None:
    """The example, with a stand-in for the AWS CLI."""
    workspace.use_example("ephemeral-upload")
    file = tmp_path / "report.txt"
    file.write_text("Hello")
    programs = tmp_path / "bin"
    programs.mkdir()
    aws = programs / "aws"
    note = tmp_path / "credentials"
    aws.write_text(
        f'#!/bin/sh\necho "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" > "{note}"\n'
        f'exec "{sys.executable}" "{aws_stand_in.__file__}" "$@"\n'
    )
    aws.chmod(0o755)
    workspace.variables |= {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "TF_VAR_file": str(file),
        "TF_VAR_bucket": BUCKET,
        "TF_VAR_endpoint": str(crusoe.simulator.s3_endpoint),
    }

    run = workspace.apply().succeeded()

    client = client_of(crusoe.simulator, admin.access_key_id, admin.secret_key)
    assert client.get_object(Bucket=BUCKET, Key="report.txt")["Body"].read() == b"Hello"
    assert crusoe.simulator.cloud.keys(crusoe.user) == []
    access_key_id, secret_key = note.read_text().split()
    lent = client_of(crusoe.simulator, access_key_id, secret_key)
    assert refusal(lent.list_buckets) == "InvalidAccessKeyId"
    assert secret_key not in run.text
    assert secret_key not in (workspace.folder / "terraform.tfstate").read_text()


@pytest.mark.usefixtures("admin")
def test_terraforms_own_state_can_live_in_the_bucket(
    workspace: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """The backend that the example of an S3 client shows, lock included."""
    workspace.write(TOKEN % "")
    workspace.apply().succeeded()
    outputs = workspace.output_json()
    folder = tmp_path / "other"
    folder.mkdir()
    variables = {
        "AWS_ACCESS_KEY_ID": outputs["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": outputs["secret_key"],
    }
    with Workspace(folder, plugin=PLUGIN, mirror=True, variables=variables) as other:
        other.write(
            f"""
            terraform {{
              backend "s3" {{
                bucket    = "{BUCKET}"
                key       = "app.tfstate"
                region    = "us-east-1"
                endpoints = {{ s3 = "{crusoe.simulator.s3_endpoint}" }}

                use_path_style              = true
                use_lockfile                = true
                skip_credentials_validation = true
                skip_metadata_api_check     = true
                skip_region_validation      = true
                skip_requesting_account_id  = true
                skip_s3_checksum            = true
              }}
            }}
            resource "terraform_data" "app" {{ input = "in the bucket" }}
            """
        )
        other.init().succeeded()
        other.apply().succeeded()

        assert other.plan().succeeded().actions == {}

        state = client_by_outputs(crusoe, workspace).get_object(Bucket=BUCKET, Key="app.tfstate")
        assert json.load(state["Body"])["resources"][0]["name"] == "app"
