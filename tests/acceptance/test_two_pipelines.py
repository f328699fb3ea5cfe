"""Two pipelines at once on one account: both end in a correct state or with a clear diagnostic."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crusoe_simulator.faults import Fault
from harness.result import Result
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

NO_SLOT = "No free slot for the storage token"
REFUSED = "Plan needs more storage tokens than a user may have"
APPLY = ("apply", "-json", "-auto-approve")


@pytest.fixture
def other(crusoe: Crusoe, executable: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The second pipeline: another state, the same credentials."""
    folder = tmp_path / "other"
    folder.mkdir()
    with Workspace(folder, plugin=executable, variables=crusoe.variables()) as workspace:
        yield workspace


def token(name: str, more: str = "") -> str:
    """Return a resource block that waits three seconds for a slot."""
    return (
        f'resource "crusoe_storage_token" "{name}" {{\n  alias = "{name}"\n  {more}\n'
        '  timeouts {\n    create = "3s"\n  }\n}\n'
    )


def known(*workspaces: Workspace) -> list[str]:
    """Return the access key IDs in the states of the workspaces, sorted."""
    return sorted(
        instance.attributes["access_key_id"]
        for workspace in workspaces
        for instance in workspace.instances().values()
    )


def existing(crusoe: Crusoe) -> list[str]:
    """Return the access key IDs of the keys there are, sorted."""
    keys = crusoe.simulator.cloud.keys()
    return sorted(key.access_key_id for key in keys)


def both(first: Workspace, second: Workspace) -> tuple[Result, Result]:
    """Apply in both at the same time."""
    running = first.start(*APPLY), second.start(*APPLY)
    return running[0].wait(), running[1].wait()


def test_what_fits_succeeds(workspace: Workspace, other: Workspace, crusoe: Crusoe) -> None:
    """Each state has its own key, and neither sees a difference afterwards."""
    workspace.write(token("a"))
    other.write(token("b"))

    for result in both(workspace, other):
        result.succeeded()

    assert crusoe.aliases() == ["a", "b"]
    assert known(workspace, other) == existing(crusoe)
    for each in (workspace, other):
        assert each.plan().succeeded().actions == {}


def test_what_does_not_fit_fails_by_name_and_loses_nothing(
    workspace: Workspace, other: Workspace, crusoe: Crusoe
) -> None:
    """Two for each at once, and two slots for both: both plans are made before any key is."""
    crusoe.simulator.faults.add(Fault("create", times=None, delay_before=0.3))
    for each in (workspace, other):
        each.write(token("a") + token("b"))
        each.plan(out="p").succeeded()
    running = [each.start("apply", "-json", "p") for each in (workspace, other)]

    results = [each.wait() for each in running]

    assert len(existing(crusoe)) == 2
    assert known(workspace, other) == existing(crusoe)
    assert sum(len(result.errors) for result in results) == 2
    assert {error.summary for result in results for error in result.errors} == {NO_SLOT}
    # Whoever comes again is told by the plan.
    short = next(each for each in (workspace, other) if len(each.instances()) < 2)
    short.plan().failed_with(REFUSED)


def test_both_replace_what_they_have(
    workspace: Workspace, other: Workspace, crusoe: Crusoe
) -> None:
    """At the limit; each deletion makes room for a creation, whoever's that is."""
    for n in (1, 2):
        workspace.write(token("a", f"rotate_when_changed = {{ n = {n} }}"))
        other.write(token("b", f"rotate_when_changed = {{ n = {n} }}"))
        for result in both(workspace, other):
            result.succeeded()

    assert crusoe.aliases() == ["a", "b"]
    assert known(workspace, other) == existing(crusoe)


def test_a_slot_that_the_other_has_taken_is_told_and_nothing_is_lost(
    workspace: Workspace, other: Workspace, crusoe: Crusoe
) -> None:
    """Between the deletion and the creation of a replacement the slot is anybody's."""
    cloud = crusoe.simulator.cloud
    stranger = cloud.add_key(crusoe.user, alias="stranger")
    workspace.write(token("a"))
    workspace.apply().succeeded()
    workspace.write(token("a", "rotate_when_changed = { n = 1 }"))
    workspace.apply().succeeded()
    workspace.write(token("a", "rotate_when_changed = { n = 2 }"))
    held = crusoe.simulator.faults.add(Fault("create", hold="before"))
    replacing = workspace.start(*APPLY)
    held.wait_arrived()
    other.write(token("b"))
    other.apply().succeeded()

    held.release()
    error = replacing.wait().failed_with(NO_SLOT)

    assert error.address == "crusoe_storage_token.a"
    assert "stranger" in error.detail
    assert sorted([*known(workspace, other), stranger.access_key_id]) == existing(crusoe)
    # Once there is room again, the next apply sets it right.
    other.destroy().succeeded()
    workspace.apply().succeeded()
    assert crusoe.aliases() == ["a", "stranger"]


def test_a_key_that_the_other_has_revoked_already_is_gone_for_both(
    workspace: Workspace, other: Workspace, crusoe: Crusoe
) -> None:
    """Both states have it, after an import; the one that comes later does not fail over it."""
    workspace.write(token("a"))
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()
    other.write(token("a"))
    other.import_("crusoe_storage_token.a", key.key_uuid).succeeded()
    deleting = crusoe.simulator.faults.add(Fault("delete", hold="before"))
    mine = workspace.start("destroy", "-json", "-auto-approve")
    deleting.wait_arrived()

    other.destroy().succeeded()
    deleting.release()

    mine.wait().succeeded()
    assert existing(crusoe) == []
