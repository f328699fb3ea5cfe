"""Faults and interruptions of a rotation: the current key works, and the next apply goes on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.state import Key
from harness.process import EXIT_SECONDS, Running, still_running
from harness.result import Result
from harness.workspace import Workspace
from support.rotating import ADDRESS, check_keys, rotating, state_of
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

FEW_RETRIES = 'provider "crusoe" {\n  max_retries     = 0\n  request_timeout = "2s"\n}\n'
HTML = Answer(502, "<html>Bad gateway</html>", "text/html")
NOT_ROTATED = "Storage token not rotated"
NOT_REVOKED = "Previous key of the storage token not revoked"
UNSURE = "Storage token may have been created"
NOT_LISTED = "Storage token created, but not yet listed"
UGLY = ("did not respond", "Traceback", "bug in the provider", "inconsistent")


def generation(n: int) -> str:
    """Return a configuration; another number rotates."""
    return FEW_RETRIES + rotating(f'rotate_when_changed = {{ n = "{n}" }}')


@dataclass(frozen=True)
class Case:
    """A rotation that goes wrong.

    Attributes:
        faults: Arguments of the faults; the first is held so that it can be interrupted.
        rotates: Whether there is a new key at the end.
        error: The error, if there is one.
        warning: The warning, if there is one.
        lag: The simulator's list lag.
    """

    faults: tuple[dict[str, Any], ...]
    rotates: bool
    error: str | None = None
    warning: str | None = None
    lag: int = 0


def lost(**fault: Any) -> Case:
    """Return a creation whose answer is lost."""
    return Case(({"operation": "create", **fault},), rotates=False, error=NOT_ROTATED)


CREATIONS = {
    "nothing": Case(({"operation": "create"},), rotates=True),
    "cut before": Case(({"operation": "create", "cut": "before"},), rotates=False, error=UNSURE),
    "cut after": lost(cut="after"),
    "cut within": lost(cut="within"),
    "time-out": lost(hold="after"),
    "502 after": lost(answer=HTML, carried_out=True),
    "no secret": lost(patch={"secret_key": None}),
    "500 before": Case(
        ({"operation": "create", "answer": Answer(500, "{}")},), rotates=False, error=UNSURE
    ),
    "403": Case(
        ({"operation": "create", "answer": Answer(403, "{}")},), rotates=False, error=NOT_ROTATED
    ),
    "list failing": Case(
        ({"operation": "create"}, {"operation": "list", "after": 2, "times": None, "answer": HTML}),
        rotates=True,
        warning=NOT_LISTED,
    ),
    "list lagging": Case(({"operation": "create"},), rotates=True, warning=NOT_LISTED, lag=-1),
}
DELETIONS = {
    "refused": Case(
        ({"operation": "delete", "times": None, "answer": Answer(403, "{}")},),
        rotates=False,
        error=NOT_REVOKED,
    ),
    "carried out, then 502": Case(
        ({"operation": "delete", "answer": HTML, "carried_out": True},),
        rotates=False,
        error=NOT_REVOKED,
    ),
    "cut after": Case(({"operation": "delete", "cut": "after"},), rotates=False, error=NOT_REVOKED),
}


@pytest.fixture
def rotated(workspace: Workspace, crusoe: Crusoe) -> Workspace:
    """A workspace with a token that has rotated once, and is to do so again."""
    for n in (1, 2):
        workspace.write(generation(n))
        workspace.apply().succeeded()
    check_keys(workspace, crusoe)
    workspace.write(generation(3))
    return workspace


def check_words(result: Result, case: Case) -> None:
    """Check that the output says what has happened, and nothing ugly."""
    if case.error:
        assert "\n\n" in result.failed_with(case.error, address=ADDRESS).detail
    if case.warning:
        result.warned_of(case.warning, address=ADDRESS)
    for ugly in UGLY:
        assert ugly not in result.text


def check_recovery(
    workspace: Workspace, crusoe: Crusoe, current: Key, begun: int, *, rotates: bool
) -> None:
    """Check that the old current key still works, and that the next apply finishes the rotation.

    Args:
        workspace: Where it went wrong.
        crusoe: The simulator.
        current: The current key before.
        begun: The generation before.
        rotates: Whether the rotation was carried out.
    """
    existing = crusoe.simulator.cloud.keys()
    assert current in existing
    assert not workspace.instances()[ADDRESS].tainted
    assert state_of(workspace)["generation"] == begun + rotates
    crusoe.simulator.faults.clear()
    crusoe.simulator.cloud.show_all_keys()
    workspace.apply().succeeded()
    assert check_keys(workspace, crusoe)[1] == current
    assert state_of(workspace)["generation"] == begun + 1
    assert workspace.plan("-detailed-exitcode").succeeded().exit_code == 0


@pytest.mark.parametrize(
    "cases",
    [
        {name: case for name, case in CREATIONS.items() if case.rotates},
        {name: case for name, case in CREATIONS.items() if not case.rotates},
        DELETIONS,
    ],
    ids=["creations that succeed", "creations that fail", "deletions"],
)
def test_a_rotation_that_goes_wrong_loses_nothing(
    rotated: Workspace, crusoe: Crusoe, cases: Mapping[str, Case], subtests: pytest.Subtests
) -> None:
    """Nothing is tainted, the output says what was, and the next apply goes on."""
    for n, (name, case) in enumerate(cases.items(), 3):
        with subtests.test(name):
            rotated.write(generation(n))
            current, _ = check_keys(rotated, crusoe)
            begun = state_of(rotated)["generation"]
            for fault in case.faults:
                crusoe.simulator.faults.add(Fault(**fault))
            crusoe.simulator.cloud.list_lag = case.lag

            result = rotated.apply()

            check_words(result, case)
            assert result.ok == (case.error is None)
            check_recovery(rotated, crusoe, current, begun, rotates=case.rotates)


@pytest.mark.parametrize("end", [Running.interrupt, Running.terminate, Running.kill])
def test_an_interrupted_rotation_is_carried_to_its_end_or_undone(
    rotated: Workspace,
    crusoe: Crusoe,
    end: Callable[[Running], None],
    subtests: pytest.Subtests,
) -> None:
    """Where Terraform lives it gets the result; where it was killed the new key is revoked."""
    for n, name in enumerate(("nothing", "cut after", "list failing"), 3):
        with subtests.test(name):
            rotated.write(generation(n))
            interrupt(rotated, crusoe, CREATIONS[name], end)


def interrupt(
    rotated: Workspace, crusoe: Crusoe, case: Case, end: Callable[[Running], None]
) -> None:
    """Interrupt a rotation when Crusoe has made the key, and check what becomes of it."""
    current, _ = check_keys(rotated, crusoe)
    begun = state_of(rotated)["generation"]
    held, *others = (Fault(**fault) for fault in case.faults)
    held.hold = "after"
    for fault in (held, *others):
        crusoe.simulator.faults.add(fault)
    running = rotated.start("apply", "-json", "-auto-approve")
    held.wait_arrived()
    plugins = rotated.plugin_processes()
    end(running)
    if end is not Running.kill:
        running.wait_for_output("Interrupt received")
    held.release()
    result = running.wait()
    left = still_running(plugins, EXIT_SECONDS)
    (rotated.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)

    assert not left
    assert not [ugly for ugly in UGLY if ugly in result.text]
    rotates = case.rotates and end is not Running.kill
    expected = {current.access_key_id}
    if rotates:
        expected.add(state_of(rotated)["access_key_id"])
    existing = crusoe.simulator.cloud.keys()
    assert {key.access_key_id for key in existing} == expected
    check_recovery(rotated, crusoe, current, begun, rotates=rotates)


def test_a_key_that_could_not_be_revoked_is_revoked_by_the_next_apply(
    rotated: Workspace, crusoe: Crusoe
) -> None:
    """Its answer was lost, and Crusoe refuses to delete it: it stays in sight."""
    crusoe.simulator.cloud.key_limit = 3
    rotated.write(
        'provider "crusoe" {\n  key_limit = 3\n}\n' + rotating('rotate_when_changed = { n = "3" }')
    )
    current, previous = check_keys(rotated, crusoe)
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    crusoe.simulator.faults.add(Fault("delete", times=None, answer=Answer(403, "{}")))

    error = rotated.apply().failed_with(NOT_ROTATED, address=ADDRESS)

    existing = crusoe.simulator.cloud.keys()
    (left,) = [key for key in existing if key not in (current, previous)]
    assert left.access_key_id in error.detail
    crusoe.simulator.faults.clear()
    rotated.write(
        'provider "crusoe" {\n  key_limit = 3\n}\n' + rotating('rotate_when_changed = { n = "2" }')
    )
    assert rotated.plan("-refresh=false").actions == {ADDRESS: "update"}
    rotated.apply().succeeded()
    assert check_keys(rotated, crusoe) == [current, previous]
    assert rotated.plan().actions == {}


def test_a_destruction_takes_what_is_left_to_revoke_too(rotated: Workspace, crusoe: Crusoe) -> None:
    """The key of a lost answer, that no attribute shows."""
    crusoe.simulator.cloud.key_limit = 3
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    crusoe.simulator.faults.add(Fault("delete", after=1, answer=Answer(403, "{}")))
    rotated.apply().failed()
    assert len(crusoe.simulator.cloud.keys()) == 2

    crusoe.simulator.faults.clear()
    rotated.destroy("-refresh=false").succeeded()

    assert crusoe.simulator.cloud.keys() == []


def test_ctrl_c_while_a_slot_is_waited_for_changes_nothing(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Somebody took the other slot between plan and apply."""
    workspace.write(generation(1))
    workspace.apply().succeeded()
    (current,) = check_keys(workspace, crusoe)
    workspace.write(generation(2))
    workspace.plan(out="p").succeeded()
    crusoe.simulator.cloud.add_key(crusoe.user, alias="somebody's")
    polled = crusoe.simulator.faults.add(Fault("list", after=1, hold="before"))

    running = workspace.start("apply", "-json", "p")
    polled.wait_arrived()
    polled.release()
    running.interrupt()
    result = running.wait()

    assert "asked to stop" in result.failed_with(NOT_ROTATED, address=ADDRESS).detail
    assert crusoe.simulator.api.requests.all("create")[1:] == []
    assert state_of(workspace)["access_key_id"] == current.access_key_id
