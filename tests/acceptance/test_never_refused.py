"""What only destroys or refreshes is never refused for what an ordinary plan is refused for."""

from collections.abc import Callable
from typing import Final

import pytest

from harness.result import Result
from harness.workspace import Workspace
from support.clock_fixtures import MovableTime
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

Prepare = Callable[[Workspace, MovableTime, Crusoe], None]


def token(*lines: str) -> str:
    """Return a resource block with these arguments."""
    return 'resource "crusoe_storage_token" "t" {\n' + "".join(f"  {x}\n" for x in lines) + "}\n"


def _too_many(workspace: Workspace, _time: MovableTime, _crusoe: Crusoe) -> None:
    workspace.write(token())
    workspace.apply().succeeded()
    workspace.write(token() + token("count = 3").replace('"t"', '"more"'))
    workspace.plan().failed()


def _passed(workspace: Workspace, time: MovableTime, _crusoe: Crusoe) -> None:
    soon = f'expires_at = "{time.after(hours=1)}"'
    workspace.write(token(soon))
    workspace.apply().succeeded()
    time.advance(hours=2)
    workspace.write(token(soon, 'alias = "new"') + token(soon).replace('"t"', '"more"'))
    workspace.plan().failed()


def _expired(workspace: Workspace, time: MovableTime, _crusoe: Crusoe) -> None:
    workspace.write(token(f'expires_at = "{time.after(days=90)}"', 'renew_before = "14d"'))
    workspace.apply().succeeded()
    time.advance(days=100)
    workspace.plan().failed()


def _ephemeral(workspace: Workspace, _time: MovableTime, _crusoe: Crusoe) -> None:
    workspace.write(token("count = 2"))
    workspace.apply().succeeded()
    workspace.write(token("count = 2") + 'ephemeral "crusoe_storage_token" "e" {}\n')
    workspace.plan().failed()


def _vendor(workspace: Workspace, _time: MovableTime, crusoe: Crusoe) -> None:
    workspace.write(token())
    workspace.apply().succeeded()
    crusoe.simulator.cloud.add_key(crusoe.user)
    workspace.write(token() + token().replace('"t"', '"more"'))
    workspace.plan().failed()


def _no_such_profile(workspace: Workspace, _time: MovableTime, _crusoe: Crusoe) -> None:
    workspace.write(token())
    workspace.apply().succeeded()
    more = token('profile = "nope"').replace('"t"', '"more"')
    workspace.write(token() + more + more.replace("storage_token", "storage_rotating_token"))
    workspace.plan().failed()


def _no_such_profile_any_more(workspace: Workspace, _time: MovableTime, _crusoe: Crusoe) -> None:
    workspace.write(token())
    workspace.apply().succeeded()
    workspace.write(token('profile = "nope"'))
    workspace.plan().failed()


def _a_profile_that_is_refused(workspace: Workspace, _time: MovableTime, _crusoe: Crusoe) -> None:
    workspace.write(token())
    workspace.apply().succeeded()
    workspace.write(
        'provider "crusoe" {\n  profiles = {\n'
        '    wrong = { access_key_id = "CKIDNOBODY", secret_key = "d3Jvbmc" }\n  }\n}\n'
        + token('profile = "wrong"')
    )
    workspace.plan().failed()


def _several_organizations(workspace: Workspace, _time: MovableTime, crusoe: Crusoe) -> None:
    cloud = crusoe.simulator.cloud
    user = cloud.add_user("both@acme.example", crusoe.organization, cloud.add_organization("2nd"))
    workspace.variables |= crusoe.variables(user)
    there = f'organization_id = "{crusoe.organization.id}"'
    workspace.write(token(there))
    workspace.apply().succeeded()
    workspace.write(token(there) + token().replace('"t"', '"more"'))
    workspace.plan().failed()


def _owners_unknown(workspace: Workspace, _time: MovableTime, crusoe: Crusoe) -> None:
    cloud, address = crusoe.simulator.cloud, "crusoe_storage_token.t"
    workspace.write(token())
    workspace.import_(address, cloud.add_key(crusoe.user).key_uuid).succeeded()
    colleague = cloud.add_user("ops@acme.example", crusoe.organization)
    cloud.add_key(colleague)
    crusoe.simulator.speak("owner-s3-user")
    workspace.write(
        'provider "crusoe" {\n  profiles = {\n    ops = {\n'
        f'      access_key_id = "{colleague.access_key_id}"\n'
        f'      secret_key    = "{colleague.secret_key}"\n    }}\n  }}\n}}\n'
        + token('profile = "ops"')
    )
    workspace.plan().failed()


REASONS: Final[dict[str, Prepare]] = {
    "too many tokens": _too_many,
    "an expires_at that has passed": _passed,
    "an expired token with renew_before": _expired,
    "an ephemeral token without a slot": _ephemeral,
    "a slot of somebody else": _vendor,
    "a profile that does not exist": _no_such_profile,
    "a profile that exists no more": _no_such_profile_any_more,
    "a profile whose credentials are refused": _a_profile_that_is_refused,
    "a profile of whom nobody knows which tokens are theirs": _owners_unknown,
    "an organization that cannot be told": _several_organizations,
}


def _saved_destruction(workspace: Workspace) -> Result:
    workspace.plan("-destroy", out="d").succeeded()
    return workspace.apply("d")


@pytest.mark.parametrize("prepare", REASONS.values(), ids=REASONS.keys())
def test_a_destroy_and_a_refresh_pass_where_a_plan_is_refused(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe, prepare: Prepare
) -> None:
    """The destroy leaves nothing of the state's."""
    prepare(timed, movable_time, crusoe)
    before = timed.instances().keys()
    keys = len(crusoe.simulator.cloud.keys())

    timed.refresh().succeeded()
    timed.destroy().succeeded()

    assert timed.instances() == {}
    assert len(crusoe.simulator.cloud.keys()) == keys - len(before)


def test_every_spelling_of_a_refresh_passes(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """With an ephemeral token that finds no slot: it is left out, with a warning."""
    _ephemeral(timed, movable_time, crusoe)
    keys = crusoe.simulator.cloud.keys()

    timed.run("refresh").succeeded()
    plan = timed.plan("-refresh-only").succeeded()

    plan.warned_of("Ephemeral storage token not created: no free slot")
    assert crusoe.simulator.cloud.keys() == keys


@pytest.mark.parametrize(
    "destroy",
    [
        lambda w: w.apply("-destroy"),
        _saved_destruction,
        lambda w: w.destroy("-target=crusoe_storage_token.t"),
    ],
    ids=["apply -destroy", "a saved plan", "a target"],
)
def test_every_spelling_of_a_destruction_passes(
    timed: Workspace,
    movable_time: MovableTime,
    crusoe: Crusoe,
    destroy: Callable[[Workspace], Result],
) -> None:
    """With too many tokens in the configuration."""
    _too_many(timed, movable_time, crusoe)

    destroy(timed).succeeded()

    assert crusoe.simulator.cloud.keys() == []
