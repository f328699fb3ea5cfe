"""The recipes for rotation, as they stand in the examples."""

import pytest

from harness.workspace import Workspace
from support.clock_fixtures import MovableTime
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance


def test_one_token_rotates_without_downtime(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """The new token exists, and its consumer has it, before the old one is revoked."""
    timed.use_example("rotation-create-before-destroy")
    timed.apply().succeeded()
    (old,) = crusoe.simulator.cloud.keys()
    assert timed.plan().actions == {}
    movable_time.advance(days=80)

    rotated = timed.apply().succeeded()

    (new,) = crusoe.simulator.cloud.keys()
    assert new != old
    text = rotated.stdout
    created = text.index("crusoe_storage_token.ci: Creation complete")
    updated = text.index("terraform_data.consumer: Modifications complete")
    assert created < updated < text.index("crusoe_storage_token.ci: Destroying")
    assert rotated.warnings == ()
    consumer = timed.instances()["terraform_data.consumer"].attributes["output"]["value"]
    assert consumer == {"access_key_id": new.access_key_id, "secret_key": new.secret_key}
    assert timed.plan().actions == {}


def test_two_tokens_take_turns_and_one_is_always_valid(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Each month the older one is replaced, and clients change to it; the other one stays."""
    workspace.use_example("rotation-two-tokens")
    used: list[str] = []
    alive: list[set[str]] = []
    for month in ("2026-11-05", "2026-11-25", "2026-12-05", "2027-01-05", "2027-02-28"):
        option = f"-var=now={month}T00:00:00Z"
        workspace.apply(option).succeeded()
        assert workspace.plan(option).actions == {}

        outputs = workspace.output_json()

        listed = crusoe.simulator.cloud.keys()
        keys = {key.access_key_id: key for key in listed}
        assert keys[outputs["access_key_id"]].secret_key == outputs["secret_key"]
        used.append(outputs["access_key_id"])
        alive.append(set(keys))

    assert used[0] == used[1]
    assert len(set(used)) == 4
    for n in range(1, len(used)):
        assert used[n - 1] in alive[n]  # who still uses the last one is not cut off
        assert len(alive[n] & alive[n - 1]) == (2 if n == 1 else 1)
