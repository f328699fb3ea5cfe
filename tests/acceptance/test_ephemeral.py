"""Ephemeral tokens: there while they are needed, and nowhere afterwards."""

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from crusoe_simulator.faults import Fault
from crusoe_simulator.state import Key
from harness.process import EXIT_SECONDS, Running, still_running
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

REFUSED = "Plan needs more storage tokens than a user may have"
NO_SLOT = "No free slot for the ephemeral storage token"
NOT_CREATED = "Ephemeral storage token not created"
EPHEMERAL = 'ephemeral "crusoe_storage_token" "upload" {\n  alias = "upload"\n}\n'
UPLOAD = """
resource "terraform_data" "upload" {{
  provisioner "local-exec" {{
    command = "{command}"
    environment = {{
      AWS_ACCESS_KEY_ID     = ephemeral.crusoe_storage_token.upload.access_key_id
      AWS_SECRET_ACCESS_KEY = ephemeral.crusoe_storage_token.upload.secret_key
    }}
  }}
}}
"""
WRITE = "printenv AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY > used"


@pytest.fixture
def made(crusoe: Crusoe) -> dict[str, Key]:
    """All keys that were there at some time, by access key ID."""
    keys: dict[str, Key] = {}

    def note(*_: object) -> None:
        there = crusoe.simulator.cloud.keys()
        keys.update({key.access_key_id: key for key in there})

    crusoe.simulator.api.observers.append(note)
    return keys


def writes(crusoe: Crusoe) -> list[str]:
    """Return what was written at Crusoe, in order."""
    return [r.operation for r in crusoe.simulator.api.requests.all() if r.method != "GET"]


def test_a_token_is_lent_to_a_provisioner_and_revoked(
    workspace: Workspace, crusoe: Crusoe, made: dict[str, Key]
) -> None:
    """One for the plan and one for the apply; neither reaches the state or the plan file."""
    workspace.write(EPHEMERAL + UPLOAD.format(command=WRITE))

    workspace.plan(out="p").succeeded()
    assert writes(crusoe) == ["create", "delete"]
    result = workspace.apply("p", json_ui=False).succeeded()

    assert writes(crusoe) == ["create", "delete"] * 2
    assert crusoe.simulator.cloud.keys() == []
    access_key_id, secret_key = (workspace.folder / "used").read_text().split()
    assert made[access_key_id].secret_key == secret_key
    for key in made.values():
        assert key.alias == "upload"
        for text in (json.dumps(workspace.state()), json.dumps(workspace.show_json("p"))):
            assert key.secret_key not in text
            assert key.access_key_id not in text
        assert key.secret_key not in result.text


def test_a_token_always_expires(workspace: Workspace, made: dict[str, Key]) -> None:
    """After an hour, or after what the configuration says."""
    workspace.write(EPHEMERAL)
    workspace.plan().succeeded()
    workspace.write(EPHEMERAL.replace('"upload"\n}', '"upload"\n  expires_after = "10m"\n}'))
    workspace.plan().succeeded()

    lives = [datetime.fromisoformat(key.expire_at) - datetime.now(UTC) for key in made.values()]

    expected = (timedelta(hours=1), timedelta(minutes=10))
    for life, wanted in zip(sorted(lives, reverse=True), expected, strict=True):
        assert abs(life - wanted) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("line", "summary"),
    [
        ('expires_after = "soon"', "Invalid duration"),
        ('organization_id = "a/b"', "Invalid organization ID"),
    ],
)
def test_bad_arguments_are_found_by_validate(workspace: Workspace, line: str, summary: str) -> None:
    """On the attribute they concern."""
    workspace.write(f'ephemeral "crusoe_storage_token" "upload" {{\n  {line}\n}}\n')

    workspace.validate().failed_with(summary, attribute=line.split(" ", maxsplit=1)[0])


def test_without_a_free_slot_the_plan_says_so(workspace: Workspace, crusoe: Crusoe) -> None:
    """With what there is, and the ways out; nothing is created."""
    keys = [crusoe.simulator.cloud.add_key(crusoe.user) for _ in range(2)]
    workspace.write(EPHEMERAL)

    error = workspace.plan().failed_with(NO_SLOT, address="ephemeral.crusoe_storage_token.upload")

    assert all(key.access_key_id in error.detail for key in keys)
    assert writes(crusoe) == []


def test_it_counts_beside_the_tokens_that_a_plan_creates(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Two new ones and an ephemeral one are three at a time; one and one are fine."""
    token = 'resource "crusoe_storage_token" "t" {{\n  count = {}\n}}\n'
    workspace.write(EPHEMERAL + token.format(2))
    refused = workspace.plan()
    workspace.write(EPHEMERAL + token.format(1))

    workspace.apply().succeeded()

    assert {error.summary for error in refused.failed().errors} <= {REFUSED, NO_SLOT}
    assert len(crusoe.simulator.cloud.keys()) == 1


def test_an_apply_that_fails_leaves_nothing(workspace: Workspace, crusoe: Crusoe) -> None:
    """The provisioner fails; the token is revoked all the same."""
    workspace.write(EPHEMERAL + UPLOAD.format(command="exit 1"))

    workspace.apply().failed()

    assert crusoe.simulator.cloud.keys() == []


@pytest.mark.cold_and_warm
@pytest.mark.parametrize("end", [Running.interrupt, Running.kill], ids=["Ctrl-C", "SIGKILL"])
@pytest.mark.parametrize("when", ["while it is created", "while it is used"])
def test_whatever_ends_terraform_leaves_nothing(
    workspace: Workspace, crusoe: Crusoe, when: str, end: Callable[[Running], None]
) -> None:
    """The plugin revokes what Terraform cannot close any more."""
    for name in ("begun", "go"):
        os.mkfifo(workspace.folder / name)
    workspace.write(EPHEMERAL + UPLOAD.format(command="echo > begun; cat go"))
    held = None
    if when == "while it is created":
        held = crusoe.simulator.faults.add(Fault("create", hold="after"))

    running = workspace.start("apply", "-auto-approve")
    if held:
        held.wait_arrived()
    else:
        (workspace.folder / "begun").read_text()  # returns once the provisioner has begun
    plugins = workspace.plugin_processes()
    end(running)
    if held:
        if end is Running.interrupt:
            running.wait_for_output("Interrupt received")
        held.release()
    running.wait()
    left = still_running(plugins, EXIT_SECONDS)
    with contextlib.suppress(OSError):  # a provisioner that was not interrupted still waits
        os.close(os.open(workspace.folder / "go", os.O_WRONLY | os.O_NONBLOCK))

    assert not left
    assert crusoe.simulator.cloud.keys() == []


@pytest.mark.parametrize("made_by_somebody_else", [False, True])
def test_a_token_whose_secret_was_lost_is_revoked_at_once(
    workspace: Workspace, crusoe: Crusoe, made_by_somebody_else: bool
) -> None:
    """No state would keep it in sight; the key of somebody else is not touched."""
    fault = crusoe.simulator.faults.add(Fault("create", hold="after", cut="after"))
    workspace.write(EPHEMERAL)

    running = workspace.start("plan", "-json")
    fault.wait_arrived()
    if made_by_somebody_else:
        crusoe.simulator.cloud.add_key(crusoe.user, alias="upload")
    fault.release()
    error = running.wait().failed_with(NOT_CREATED)

    assert "was revoked at once" in error.detail
    assert len(crusoe.simulator.cloud.keys()) == int(made_by_somebody_else)


def test_a_token_that_somebody_has_revoked_already_is_fine(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The goal is reached."""
    closing = crusoe.simulator.faults.add(Fault("delete", hold="before"))
    workspace.write(EPHEMERAL)

    running = workspace.start("plan", "-json")
    closing.wait_arrived()
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.cloud.remove_key(key.key_uuid)
    closing.release()

    running.wait().succeeded()
