"""What refusals for want of a slot say: only what was seen, and ways out that work."""

import re
import time

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

REFUSED = "Plan needs more storage tokens than a user may have"
NO_SLOT = "No free slot for the storage token"
NO_EPHEMERAL_SLOT = "No free slot for the ephemeral storage token"
NOT_CHECKED = "Limit of storage tokens not checked"
GAP = "Clients lose access while the storage token is replaced"


def token(name: str, body: str = "") -> str:
    """Return a resource block; its alias is its name."""
    return f'resource "crusoe_storage_token" "{name}" {{\n  alias = "{name}"\n  {body}\n}}\n'


SHORT = 'timeouts {\n    create = "1s"\n  }'
EPHEMERAL = 'ephemeral "crusoe_storage_token" "{}" {{}}\n'


def say_nothing_of_states(detail: str) -> None:
    """Assert that a message offers nothing that could hit a key that is managed here."""
    for words in ("this state", "import {", "crusoe storage tokens delete"):
        assert words not in detail


# -- What may be managed here ----------------------------------------------------------------------


def test_an_apply_that_a_stranger_gets_ahead_of_says_nothing_of_states(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """A token of this very state is among those that it lists."""
    workspace.write(token("a"))
    workspace.apply().succeeded()
    workspace.write(token("a") + token("b", SHORT))
    workspace.plan(out="p").succeeded()
    crusoe.simulator.cloud.add_key(crusoe.user)

    error = workspace.apply("p").failed_with(NO_SLOT, address="crusoe_storage_token.b")

    say_nothing_of_states(error.detail)


def test_a_targeted_plan_says_nothing_of_states(workspace: Workspace, crusoe: Crusoe) -> None:
    """It does not load the rest of the state."""
    crusoe.simulator.cloud.add_key(crusoe.user)
    workspace.write(token("a"))
    workspace.apply().succeeded()
    workspace.write(token("a") + token("b"))

    error = workspace.plan("-target=crusoe_storage_token.b").failed_with(REFUSED)

    say_nothing_of_states(error.detail)
    assert "profiles = {" in error.detail


def test_tokens_of_another_provider_block_are_not_called_unmanaged(workspace: Workspace) -> None:
    """Two blocks of one user are two processes; neither sees the state of the other."""
    blocks = 'provider "crusoe" {}\nprovider "crusoe" {\n  alias = "two"\n}\n'
    other = token("other", "provider = crusoe.two\n  count = 2")
    workspace.write(blocks + other)
    workspace.apply().succeeded()
    workspace.write(blocks + other + token("b"))

    error = workspace.plan().failed_with(REFUSED, address="crusoe_storage_token.b")

    say_nothing_of_states(error.detail)


def test_the_import_that_is_offered_works_when_it_is_pasted(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """With and without a resource block of that name, as its comment says."""
    cloud = crusoe.simulator.cloud
    for alias in ("a", "b"):
        cloud.add_key(crusoe.user, alias=alias)
    workspace.write(token("a"))
    detail = workspace.plan().failed_with(REFUSED).detail
    found = re.search(r"^  import \{.*?^  \}", detail, re.DOTALL | re.MULTILINE)
    assert found
    block = found[0].replace("NAME", "a", 1)

    workspace.write(token("a") + re.sub(r"\n.*# drop this line.*", "", block))
    beside = workspace.plan().succeeded()
    workspace.write(block)
    alone = workspace.plan("-generate-config-out=generated.tf").succeeded()

    assert beside.changes["crusoe_storage_token.a"].importing
    assert alone.changes["crusoe_storage_token.a"].importing


def test_a_key_of_the_vendors_provider_has_a_possible_owner_and_ways_that_work(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Its state is none that this provider is shown."""
    for _ in range(2):
        crusoe.simulator.cloud.add_key(crusoe.user)
    workspace.write(token("a"))

    error = workspace.plan().failed_with(REFUSED)

    assert "not managed by a crusoe_storage_token of this state" in error.detail
    for words in ("crusoe_storage_s3_key", "moved block", "in the next"):
        assert words in error.detail


# -- Plans that end --------------------------------------------------------------------------------


def test_a_resource_and_an_ephemeral_token_for_one_slot_end_in_an_error_soon(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Where both are there at a time; no key is left."""
    stranger = crusoe.simulator.cloud.add_key(crusoe.user)
    needed = "depends_on = [ephemeral.crusoe_storage_token.e]"
    workspace.write(token("a", needed) + EPHEMERAL.format("e"))
    started = time.monotonic()

    plan = workspace.plan().failed()

    assert {error.summary for error in plan.errors} <= {REFUSED, NO_EPHEMERAL_SLOT}
    assert time.monotonic() - started < 60
    assert crusoe.simulator.cloud.keys() == [stranger]


def test_three_ephemeral_tokens_are_told_what_was_borrowed(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """They are what to reduce, and nothing is called a plan's."""
    # It refers to both others, so they are open when it comes, however slow the machine is.
    third = (
        'ephemeral "crusoe_storage_token" "g" {\n'
        '  alias = "for ${ephemeral.crusoe_storage_token.e.access_key_id} and '
        '${ephemeral.crusoe_storage_token.f.access_key_id}"\n}\n'
    )
    workspace.write(EPHEMERAL.format("e") + EPHEMERAL.format("f") + third)

    plan = workspace.plan()

    detail = plan.failed_with(NO_EPHEMERAL_SLOT).detail
    assert {error.summary for error in plan.errors} == {NO_EPHEMERAL_SLOT}
    assert "3 are to be borrowed in this run" in detail
    assert "The user has none yet" not in detail
    assert "Use fewer ephemeral tokens" in detail
    assert crusoe.simulator.cloud.keys() == []


# -- One operation at a time -----------------------------------------------------------------------


def test_with_one_operation_at_a_time_a_hopeless_plan_is_refused(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Two strangers' keys and an empty state: nothing in this state could free a slot."""
    for _ in range(2):
        crusoe.simulator.cloud.add_key(crusoe.user)
    workspace.write(token("a"))

    plan = workspace.plan("-parallelism=1")

    assert not plan.ok or [w.summary for w in plan.warnings] == [NOT_CHECKED]


def test_with_one_operation_at_a_time_a_target_beside_two_tokens_is_not_promised(
    workspace: Workspace,
) -> None:
    """Two tokens of this state stay; the plan warns or refuses, and the apply is quick."""
    workspace.write(token("a") + token("b"))
    workspace.apply().succeeded()
    workspace.write(token("a") + token("b") + token("c", SHORT))

    plan = workspace.plan("-parallelism=1", "-target=crusoe_storage_token.c", out="p")

    if plan.ok:
        plan.warned_of(NOT_CHECKED)
        error = workspace.apply("-parallelism=1", "p").failed_with(NO_SLOT)
        assert "finds the slot free" not in error.detail
        say_nothing_of_states(error.detail)


# -- create_before_destroy -------------------------------------------------------------------------


def test_create_before_destroy_without_a_slot_gives_up_soon(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Although its time-out is long; and the gap warning advises nothing that is set already."""
    life = "lifecycle {\n    create_before_destroy = true\n  }"
    workspace.write(token("a", life) + token("b"))
    workspace.apply().succeeded()
    workspace.write(token("a", f'rotate_when_changed = {{ n = "1" }}\n  {life}') + token("b"))
    workspace.apply().succeeded()
    workspace.write(token("a", f'rotate_when_changed = {{ n = "2" }}\n  {life}') + token("b"))
    plan = workspace.plan(out="p").succeeded()
    started = time.monotonic()

    error = workspace.apply("p").failed_with(NO_SLOT, address="crusoe_storage_token.a")

    assert time.monotonic() - started < 60  # the time-out itself is two minutes
    assert "create_before_destroy" in error.detail
    assert "with it, the creation fails" in plan.warned_of(GAP).detail
    assert crusoe.aliases() == ["a", "b"]
