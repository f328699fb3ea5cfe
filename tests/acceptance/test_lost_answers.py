"""Lost answers in company: with create_before_destroy, provisioners, other keys, and late ones."""

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.state import Key
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
NOT_CREATED = "Storage token not created"
SECRET_LOST = "Storage token created, but its secret was lost"
UNSURE = "Storage token may have been created"
NO_SLOT = "No free slot for the storage token"
FIRST = ""
SECOND = 'expires_at = "2040-01-01T00:00:00Z"'
REFUSED_DELETION = Answer(403, '{"code": "unauthorized", "message": "no"}')


def token(body: str = "", *, name: str = "t", lifecycle: bool = True) -> str:
    """Return a token that is created before its predecessor is destroyed."""
    life = "  lifecycle {\n    create_before_destroy = true\n  }\n" if lifecycle else ""
    wait = '  timeouts {\n    create = "2s"\n  }\n'
    return f'resource "crusoe_storage_token" "{name}" {{\n  {body}\n{life}{wait}}}\n'


def other_than(old: Key, crusoe: Crusoe) -> Key:
    """Return the one key that there is beside another."""
    keys = crusoe.simulator.cloud.keys()
    (new,) = (key for key in keys if key != old)
    return new


def check_settled(workspace: Workspace, crusoe: Crusoe, others: int = 0) -> None:
    """Check that the state has its tokens, whole, and that there are `others` beside them."""
    listed = crusoe.simulator.cloud.keys()
    keys = {key.access_key_id: key for key in listed}
    instances = workspace.instances()
    assert len(keys) == len(instances) + others
    for instance in instances.values():
        key = keys[instance.attributes["access_key_id"]]
        assert instance.attributes["secret_key"] == key.secret_key
        assert not instance.tainted
    assert workspace.plan().succeeded().actions == {}


def test_a_lost_answer_in_a_replacement_at_the_limit_needs_one_more_apply(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The new key is revoked at once, so the old one stays whole and the slot is free again."""
    workspace.write(token(FIRST))
    workspace.apply().succeeded()
    (old,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    workspace.write(token(SECOND))

    error = workspace.apply().failed_with(NOT_CREATED, address=ADDRESS)

    assert "was revoked at once" in error.detail
    assert crusoe.simulator.cloud.keys() == [old]
    workspace.apply().succeeded()
    check_settled(workspace, crusoe)


def test_a_lost_answer_that_leaves_a_key_says_what_to_do_and_it_works(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The old token and the tainted one hold both slots; the command that is given frees one."""
    workspace.write(token(FIRST))
    workspace.apply().succeeded()
    (old,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    crusoe.simulator.faults.add(Fault("delete", times=None, answer=REFUSED_DELETION))
    workspace.write(token(SECOND))

    error = workspace.apply().failed_with(SECRET_LOST, address=ADDRESS)

    crusoe.simulator.faults.clear()
    new = other_than(old, crusoe)
    assert f"crusoe storage tokens delete {new.key_uuid}" in error.detail
    crusoe.simulator.cloud.remove_key(new.key_uuid)
    workspace.apply().succeeded()
    check_settled(workspace, crusoe)


@pytest.mark.parametrize("way", ["delete", "lifecycle", "untaint"])
def test_a_provisioner_that_fails_in_a_replacement_at_the_limit_has_a_way_out(
    workspace: Workspace, crusoe: Crusoe, way: str
) -> None:
    """Old and new hold both slots, so nothing can be created first; the error says what works."""
    failing = '  provisioner "local-exec" {\n    command = "test ! -e broken"\n  }'
    workspace.write(token(f"{FIRST}\n{failing}"))
    workspace.apply().succeeded()
    (old,) = crusoe.simulator.cloud.keys()
    (workspace.folder / "broken").touch()
    workspace.write(token(f"{SECOND}\n{failing}"))
    workspace.apply().failed()
    (workspace.folder / "broken").unlink()

    error = workspace.apply().failed_with(NO_SLOT, address=ADDRESS)

    for words in ("create_before_destroy", "terraform untaint"):
        assert words in error.detail
    if way == "delete":
        crusoe.simulator.cloud.remove_key(other_than(old, crusoe).key_uuid)
    elif way == "untaint":
        workspace.run("untaint", ADDRESS).succeeded()
    else:
        workspace.write(token(f"{SECOND}\n{failing}", lifecycle=False))
    workspace.apply().succeeded()
    check_settled(workspace, crusoe)


@pytest.mark.parametrize("before", [True, False], ids=["just before", "just after"])
def test_a_key_of_the_same_alias_made_by_somebody_is_never_revoked(
    workspace: Workspace, crusoe: Crusoe, before: bool
) -> None:
    """One that was there before is not ours; one that came with ours cannot be told from it."""
    crusoe.simulator.cloud.key_limit = 5
    workspace.write(token('alias = "t"'))
    held = crusoe.simulator.faults.add(Fault("create", hold="before", cut="after"))
    if before:
        crusoe.simulator.cloud.add_key(crusoe.user, alias="t")

    running = workspace.start("apply", "-json", "-auto-approve")
    held.wait_arrived()
    if not before:
        crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
    held.release()
    running.wait().failed_with(NOT_CREATED if before else UNSURE, address=ADDRESS)

    assert len(crusoe.simulator.cloud.keys()) == (1 if before else 2)
    assert workspace.instances() == {}


def test_a_lost_answer_beside_a_second_token_of_the_same_alias_takes_only_its_own(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Creations take turns, so the other one is known by the time of the loss, or comes after."""
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    workspace.write('resource "crusoe_storage_token" "t" {\n  count = 2\n  alias = "t"\n}\n')

    workspace.apply().failed_with(NOT_CREATED)

    assert len(crusoe.simulator.cloud.keys()) == len(workspace.instances()) == 1
    workspace.apply().succeeded()
    check_settled(workspace, crusoe)


def test_a_colleagues_key_of_the_same_alias_is_not_touched(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """It appears during the POST, under another user."""
    colleague = crusoe.simulator.cloud.add_user("ops@acme.example", crusoe.organization)
    held = crusoe.simulator.faults.add(Fault("create", hold="before", cut="after"))
    workspace.write(token('alias = "t"'))

    running = workspace.start("apply", "-json", "-auto-approve")
    held.wait_arrived()
    theirs = crusoe.simulator.cloud.add_key(colleague, alias="t")
    held.release()
    running.wait().failed_with(NOT_CREATED, address=ADDRESS)

    assert crusoe.simulator.cloud.keys() == [theirs]


@pytest.mark.parametrize("kind", ["resource", "ephemeral"])
def test_a_post_carried_out_after_the_time_out_is_not_denied(
    workspace: Workspace, crusoe: Crusoe, kind: str
) -> None:
    """Nothing new is listed, and still the error claims no more than that, and says how to look."""
    late = crusoe.simulator.faults.add(Fault("create", cut="before", late=60.0))
    block = f'{kind} "crusoe_storage_token" "t" {{\n  alias = "t"\n}}\n'
    workspace.write('provider "crusoe" {\n  request_timeout = "2s"\n}\n' + block)
    summary = UNSURE if kind == "resource" else "Ephemeral storage token not created"

    run = workspace.apply() if kind == "resource" else workspace.plan()

    error = run.failed_with(summary)
    assert "may still be carried out" in error.detail
    assert "crusoe storage tokens list" in error.detail
    late.release()
    late.wait_happened()
    assert len(crusoe.simulator.cloud.keys()) == 1
