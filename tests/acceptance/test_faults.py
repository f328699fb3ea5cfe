"""Faults and interruptions at the worst moment: no key is lost, the next apply sets it right."""

import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import pytest

from crusoe_simulator.faults import Answer, Fault
from harness.process import EXIT_SECONDS, Running, still_running
from harness.result import Result
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
FEW_RETRIES = 'provider "crusoe" {\n  max_retries     = 0\n  request_timeout = "2s"\n}\n'
HTML = Answer(502, "<html>Bad gateway</html>", "text/html")

NOT_CREATED = "Storage token not created"
SECRET_LOST = "Storage token created, but its secret was lost"
UNSURE = "Storage token may have been created"
NOT_LISTED = "Storage token created, but not yet listed"


class End(Enum):
    """What is left of a creation."""

    KEPT = auto()
    """A key, and a state with its secret."""
    TAINTED = auto()
    """A key, and a tainted state without a secret."""
    NOTHING = auto()
    """Neither a key nor a state."""


@dataclass(frozen=True)
class Case:
    """A creation that goes wrong.

    Attributes:
        faults: Arguments of the faults; the first is held so that it can be interrupted.
        end: What is left, unless Terraform is killed.
        error: The error, if there is one.
        warning: The warning, if there is one.
        lag: The simulator's list lag.
    """

    faults: tuple[dict[str, Any], ...]
    end: End
    error: str | None = None
    warning: str | None = None
    lag: int = 0


CREATIONS = {
    "nothing": Case(({"operation": "create"},), End.KEPT),
    "cut before": Case(({"operation": "create", "cut": "before"},), End.NOTHING, UNSURE),
    "cut after": Case(({"operation": "create", "cut": "after"},), End.NOTHING, NOT_CREATED),
    "cut within": Case(({"operation": "create", "cut": "within"},), End.NOTHING, NOT_CREATED),
    "time-out": Case(({"operation": "create", "hold": "after"},), End.NOTHING, NOT_CREATED),
    "502 after": Case(
        ({"operation": "create", "answer": HTML, "carried_out": True},), End.NOTHING, NOT_CREATED
    ),
    "HTML": Case(
        ({"operation": "create", "answer": Answer(200, "<p>", "text/html"), "carried_out": True},),
        End.NOTHING,
        NOT_CREATED,
    ),
    "empty": Case(
        ({"operation": "create", "answer": Answer(200, ""), "carried_out": True},),
        End.NOTHING,
        NOT_CREATED,
    ),
    "no secret": Case(
        ({"operation": "create", "patch": {"secret_key": None}},), End.NOTHING, NOT_CREATED
    ),
    "500 before": Case(
        ({"operation": "create", "answer": Answer(500, "{}")},), End.NOTHING, UNSURE
    ),
    "cut after, and no way to revoke": Case(
        (
            {"operation": "create", "cut": "after"},
            {"operation": "delete", "times": None, "answer": HTML},
        ),
        End.TAINTED,
        SECRET_LOST,
    ),
    "list failing": Case(
        ({"operation": "create"}, {"operation": "list", "after": 2, "times": None, "answer": HTML}),
        End.KEPT,
        warning=NOT_LISTED,
    ),
    "list lagging": Case(({"operation": "create"},), End.KEPT, warning=NOT_LISTED, lag=-1),
}
REFUSALS = {
    str(status): Case(
        (
            {
                "operation": "create",
                "answer": Answer(status, f'{{"code": "{status}", "message": "not today"}}'),
            },
        ),
        End.NOTHING,
        NOT_CREATED,
    )
    for status in (400, 401, 403, 404, 429)
}
INTERRUPTIONS = {
    "Ctrl-C": Running.interrupt,
    "SIGINT to Terraform": Running.interrupt_terraform_only,
    "SIGTERM to Terraform": Running.terminate,
}
# Faults after the creation has reached Crusoe; one kind of interruption is enough for most.
INTERRUPTED = [
    *(("nothing", interrupt) for interrupt in INTERRUPTIONS),
    *(
        (fault, "Ctrl-C")
        for fault in ("cut after", "502 after", "empty", "list failing", "list lagging")
    ),
]


def check_end(end: End, workspace: Workspace, crusoe: Crusoe) -> None:
    """Compare the state file with what there is at Crusoe."""
    keys = crusoe.simulator.cloud.keys()
    instances = workspace.instances()
    if end is End.NOTHING:
        assert (keys, instances) == ([], {})
        return
    (key,) = keys
    instance = instances[ADDRESS]
    assert instance.attributes["access_key_id"] == key.access_key_id
    if end is End.KEPT:
        assert instance.attributes["secret_key"] == key.secret_key
        assert not instance.tainted
    else:
        assert instance.attributes["secret_key"] is None
        assert instance.tainted


def check_recovery(workspace: Workspace, crusoe: Crusoe) -> None:
    """Check that the next apply leaves exactly one key, whose secret the state has."""
    crusoe.simulator.faults.clear()
    crusoe.simulator.cloud.show_all_keys()
    workspace.apply().succeeded()
    check_end(End.KEPT, workspace, crusoe)
    assert workspace.plan("-detailed-exitcode").succeeded().exit_code == 0


def start_held(workspace: Workspace, crusoe: Crusoe, case: Case) -> tuple[Running, Fault]:
    """Start an apply, and return it at the moment when Crusoe has made the key."""
    held, *others = (Fault(**fault) for fault in case.faults)
    held.hold = "after"
    for fault in (held, *others):
        crusoe.simulator.faults.add(fault)
    crusoe.simulator.cloud.list_lag = case.lag
    workspace.write('provider "crusoe" {\n  max_retries = 0\n}\n' + TOKEN)
    running = workspace.start("apply", "-json", "-auto-approve")
    held.wait_arrived()
    return running, held


def check_words(result: Result, case: Case) -> None:
    """Check that the output says what has happened, and nothing ugly."""
    if case.error:
        assert "\n\n" in result.failed_with(case.error, address=ADDRESS).detail
    if case.warning:
        result.warned_of(case.warning, address=ADDRESS)
    for ugly in ("did not respond", "Traceback", "bug in the provider"):
        assert ugly not in result.text


def go_wrong(workspace: Workspace, crusoe: Crusoe, case: Case) -> None:
    """Apply, and check what is said and what is left."""
    crusoe.simulator.faults.clear()
    for fault in case.faults:
        crusoe.simulator.faults.add(Fault(**fault))
    crusoe.simulator.cloud.list_lag = case.lag

    result = workspace.apply()

    check_words(result, case)
    assert result.ok == (case.error is None)
    check_end(case.end, workspace, crusoe)


@pytest.mark.parametrize(
    "name", [name for name, c in CREATIONS.items() if c.end is not End.NOTHING]
)
def test_a_creation_that_goes_wrong_loses_nothing(
    workspace: Workspace, crusoe: Crusoe, name: str
) -> None:
    """What is left is in the state, the output says so, and the next apply sets it right."""
    workspace.write(FEW_RETRIES + TOKEN)

    go_wrong(workspace, crusoe, CREATIONS[name])

    check_recovery(workspace, crusoe)


def test_a_creation_that_fails_leaves_nothing(
    workspace: Workspace, crusoe: Crusoe, subtests: pytest.Subtests
) -> None:
    """Whatever happens to it; each case begins where the one before has ended."""
    workspace.write(FEW_RETRIES + TOKEN)

    cases = {n: case for n, case in (CREATIONS | REFUSALS).items() if case.end is End.NOTHING}
    for name, case in cases.items():
        with subtests.test(name):
            go_wrong(workspace, crusoe, case)

    check_recovery(workspace, crusoe)
    # None was sent twice.
    assert len(crusoe.simulator.api.requests.all("create")) == len(cases) + 1


@pytest.mark.cold_and_warm
@pytest.mark.parametrize(("name", "interruption"), INTERRUPTED)
def test_an_interrupted_creation_is_carried_to_its_end(
    workspace: Workspace, crusoe: Crusoe, name: str, interruption: str
) -> None:
    """The request had reached Crusoe, so its result reaches the state."""
    case = CREATIONS[name]
    running, held = start_held(workspace, crusoe, case)
    INTERRUPTIONS[interruption](running)
    # Terraform announces an interruption before it asks the plugin to stop.
    running.wait_for_output("Interrupt received")
    held.release()
    result = running.wait()

    assert "did not respond" not in result.text
    if case.error:
        result.failed_with(case.error, address=ADDRESS)
    check_end(case.end, workspace, crusoe)
    check_recovery(workspace, crusoe)


@pytest.mark.cold_and_warm
@pytest.mark.parametrize("name", ["nothing", "cut after", "list failing", "list lagging"])
def test_a_creation_whose_terraform_is_killed_is_undone(
    workspace: Workspace, crusoe: Crusoe, name: str
) -> None:
    """Nobody is left to store the secret; the plugin revokes the key and ends within seconds."""
    case = CREATIONS[name]
    running, held = start_held(workspace, crusoe, case)
    plugins = workspace.plugin_processes()
    running.kill()
    running.wait()
    held.release()
    left = still_running(plugins, EXIT_SECONDS)

    assert not left
    check_end(End.NOTHING, workspace, crusoe)
    (workspace.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    check_recovery(workspace, crusoe)


# -- Lost answers in company ----------------------------------------------------------------------


def test_several_new_tokens_after_a_lost_answer_are_named(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Nobody can tell which is ours, so none gets into the state; each has its command."""
    fault = crusoe.simulator.faults.add(Fault("create", hold="after", cut="after"))
    crusoe.simulator.cloud.key_limit = 5
    workspace.write(TOKEN)

    running = workspace.start("apply", "-json", "-auto-approve")
    fault.wait_arrived()
    crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
    fault.release()
    error = running.wait().failed_with(UNSURE, address=ADDRESS)

    assert workspace.instances() == {}
    keys = crusoe.simulator.cloud.keys()
    for key in keys:
        assert f"crusoe storage tokens delete {key.key_uuid}" in error.detail


def test_a_new_token_with_another_alias_is_not_taken_for_ours(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Somebody made one in the console at the same moment; it stays theirs."""
    fault = crusoe.simulator.faults.add(Fault("create", hold="before", cut="before"))
    workspace.write(TOKEN)

    running = workspace.start("apply", "-json", "-auto-approve")
    fault.wait_arrived()
    crusoe.simulator.cloud.add_key(crusoe.user, alias="somebody else's")
    fault.release()
    running.wait().failed_with(UNSURE, address=ADDRESS)

    assert workspace.instances() == {}
    assert crusoe.aliases() == ["somebody else's"]


def test_a_lost_answer_and_a_failing_list_are_told_with_a_way_to_look(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Nothing more can be known; the error says how to find out."""
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    crusoe.simulator.faults.add(Fault("list", after=2, times=None, answer=HTML))
    workspace.write(FEW_RETRIES + TOKEN)

    error = workspace.apply().failed_with(UNSURE, address=ADDRESS)

    assert "crusoe storage tokens list" in error.detail


# -- Waits ----------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_wait_for_a_slot_at_once(workspace: Workspace, crusoe: Crusoe) -> None:
    """Nothing was created, which the diagnostic says."""
    workspace.write(TOKEN)
    workspace.plan(out="p").succeeded()
    for _ in range(2):
        crusoe.simulator.cloud.add_key(crusoe.user)
    polled = crusoe.simulator.faults.add(Fault("list", after=1, hold="before"))

    running = workspace.start("apply", "-json", "p")
    polled.wait_arrived()
    polled.release()
    started = time.monotonic()
    running.interrupt()
    result = running.wait()

    assert "asked to stop" in result.failed_with(NOT_CREATED, address=ADDRESS).detail
    assert time.monotonic() - started < 30  # the wait itself would take two minutes
    assert crusoe.simulator.api.requests.all("create") == []


@pytest.mark.parametrize("operation", ["list", "delete"])
def test_ctrl_c_ends_a_back_off_at_once(
    workspace: Workspace, crusoe: Crusoe, operation: Any
) -> None:
    """The server wants us back in a minute; the user does not want to wait for that."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    fault = crusoe.simulator.faults.add(
        Fault(
            operation,
            times=None,
            hold="before",
            answer=Answer(429, "{}", headers={"Retry-After": "60"}),
        )
    )
    arguments = ("plan",) if operation == "list" else ("destroy", "-auto-approve")

    running = workspace.start(*arguments, "-json")
    fault.wait_arrived()
    running.interrupt()
    fault.release()
    result = running.wait(30).failed()

    assert "asked to stop" in result.text
    assert "did not respond" not in result.text
    check_recovery(workspace, crusoe)


# -- Deletions ------------------------------------------------------------------------------------

DELETIONS: dict[str, dict[str, Any]] = {
    "cut before": {"cut": "before"},
    "cut after": {"cut": "after"},
    "500 after": {"answer": Answer(500, "{}"), "carried_out": True},
    "HTML after": {"answer": HTML, "carried_out": True},
    "429": {"answer": Answer(429, "{}")},
    "404": {
        "answer": Answer(404, '{"code": "not_found", "message": "no such key"}'),
        "carried_out": True,
    },
}


@pytest.mark.parametrize("fault", DELETIONS.values(), ids=DELETIONS.keys())
def test_a_deletion_that_goes_wrong_is_tried_again(
    workspace: Workspace, crusoe: Crusoe, fault: dict[str, Any]
) -> None:
    """A key that is gone at the second attempt was deleted by the first."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    crusoe.simulator.faults.add(Fault("delete", **fault))

    workspace.destroy().succeeded()

    check_end(End.NOTHING, workspace, crusoe)


def test_a_deletion_that_fails_for_good_keeps_the_token_in_the_state(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """With an error; the next destroy finds it."""
    workspace.write(FEW_RETRIES + TOKEN)
    workspace.apply().succeeded()
    for answer in (Answer(403, "{}"), Answer(500, "{}"), Answer(200, "<p>", "text/html"), HTML):
        crusoe.simulator.faults.add(Fault("delete", times=None, answer=answer))

        workspace.destroy().failed_with("Storage token not deleted")

        check_end(End.KEPT, workspace, crusoe)
        crusoe.simulator.faults.clear()
    workspace.destroy().succeeded()
    check_end(End.NOTHING, workspace, crusoe)


@pytest.mark.cold_and_warm
@pytest.mark.parametrize("end", [Running.interrupt, Running.kill], ids=["Ctrl-C", "SIGKILL"])
def test_an_interrupted_deletion_is_carried_to_its_end(
    workspace: Workspace, crusoe: Crusoe, end: Any
) -> None:
    """The key is gone; if Terraform is gone too, the next run notices."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    held = crusoe.simulator.faults.add(Fault("delete", hold="before"))

    running = workspace.start("destroy", "-json", "-auto-approve")
    held.wait_arrived()
    plugins = workspace.plugin_processes()
    end(running)
    if end is Running.interrupt:
        running.wait_for_output("Interrupt received")
    held.release()
    result = running.wait()
    left = still_running(plugins, EXIT_SECONDS)

    assert not left
    assert "did not respond" not in result.text
    assert crusoe.simulator.cloud.keys() == []
    (workspace.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    if end is Running.interrupt:
        assert workspace.instances() == {}
    workspace.destroy().succeeded()
    assert workspace.instances() == {}
