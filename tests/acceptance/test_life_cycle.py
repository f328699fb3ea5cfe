"""A storage token from plan to destroy, as users see it."""

import pytest

from crusoe_simulator.faults import Fault
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = [pytest.mark.acceptance, pytest.mark.cold_and_warm]

TOKEN = 'resource "crusoe_storage_token" "ci" { alias = "ci" }\n'
ADDRESS = "crusoe_storage_token.ci"
OTHER_EXPIRY = "Storage token has another expiry than asked for"


def test_a_token_is_created_kept_and_revoked(workspace: Workspace, crusoe: Crusoe) -> None:
    """The whole life: exact plan, the key at Crusoe, no changes afterwards, gone at the end."""
    workspace.write(TOKEN)

    plan = workspace.plan(out="p").succeeded()
    assert plan.actions == {ADDRESS: "create"}
    assert crusoe.simulator.cloud.keys() == []
    workspace.apply("p").succeeded()
    (key,) = crusoe.simulator.cloud.keys()
    state = workspace.instances()[ADDRESS].attributes
    assert (state["access_key_id"], state["secret_key"]) == (key.access_key_id, key.secret_key)
    assert (state["id"], state["alias"], state["status"]) == (key.key_uuid, "ci", "enabled")
    assert (state["user_id"], state["organization_id"]) == (crusoe.user.id, crusoe.organization.id)
    assert (state["expires_at"], state["created_at"]) == (None, key.created_at)
    assert workspace.plan("-detailed-exitcode").succeeded().exit_code == 0
    workspace.destroy().succeeded()
    assert crusoe.simulator.cloud.keys() == []
    assert workspace.instances() == {}


def test_a_plan_knows_the_organization_and_what_the_configuration_says(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """What is known is shown; what only the creation tells is not."""
    workspace.write(
        """
        resource "crusoe_storage_token" "ci" {
          alias      = "ci"
          expires_at = "2040-01-01T00:00:00Z"
        }
        """
    )

    change = workspace.plan().succeeded().changes[ADDRESS]

    after = {name: value for name, value in (change.after or {}).items() if value is not None}
    assert after == {
        "alias": "ci",
        "expires_at": "2040-01-01T00:00:00Z",
        "organization_id": crusoe.organization.id,
        "ready_for_renewal": False,
    }
    assert change.unknown == {
        "id",
        "access_key_id",
        "secret_key",
        "status",
        "created_at",
        "user_id",
    }


def test_the_secret_survives_every_refresh(workspace: Workspace, crusoe: Crusoe) -> None:
    """Crusoe never lists it; the state keeps it."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()

    for _ in range(2):
        workspace.refresh().succeeded()
        workspace.apply().succeeded()

    assert workspace.instances()[ADDRESS].attributes["secret_key"] == key.secret_key


def test_a_changed_alias_replaces_the_token(workspace: Workspace, crusoe: Crusoe) -> None:
    """Crusoe cannot change a key, so there is a new one, and the plan says why."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    workspace.write(TOKEN.replace('alias = "ci"', 'alias = "cd"'))

    plan = workspace.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "replace"}
    assert plan.changes[ADDRESS].replaced_because_of == {"alias"}
    workspace.apply("p").succeeded()
    assert crusoe.aliases() == ["cd"]


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("crusoe_storage_token", ""),
        ("crusoe_storage_token", 'expires_after = "200d"'),
        ("crusoe_storage_rotating_token", ""),
        ("crusoe_storage_rotating_token", 'expires_after = "200d"'),
    ],
)
def test_defaults_and_limits_of_the_server_are_no_contradiction(
    workspace: Workspace, crusoe: Crusoe, resource: str, body: str
) -> None:
    """An organization may name keys, and bound their life; who asked for more is told."""
    crusoe.simulator.speak("alias-default", "expiry-bounded")
    workspace.write(f'resource "{resource}" "t" {{\n  {body}\n}}\n')

    applied = workspace.apply().succeeded()

    (key,) = crusoe.simulator.cloud.keys()
    warning = applied.warned_of(OTHER_EXPIRY)
    assert key.access_key_id in warning.detail
    state = workspace.instances()[f"{resource}.t"].attributes
    # An expiry that counts from the creation is the one that is listed, so that it counts.
    assert (state["alias"], state["expires_at"]) == (None, key.expire_at if body else None)
    plan = workspace.plan().succeeded()
    assert (plan.actions, plan.warnings) == ({}, ())


@pytest.mark.parametrize("resource", ["crusoe_storage_token", "crusoe_storage_rotating_token"])
def test_an_expiry_that_cannot_be_read_is_said_to_be_that(
    workspace: Workspace, crusoe: Crusoe, resource: str
) -> None:
    """The state keeps the one that was asked for, which renews and ends in time."""
    crusoe.simulator.speak("expiry-go")
    workspace.write(f'resource "{resource}" "t" {{\n  expires_after = "90d"\n}}\n')

    warning = workspace.apply().succeeded().warned_of(OTHER_EXPIRY)

    (key,) = crusoe.simulator.cloud.keys()
    assert "+0000 UTC" in warning.detail
    assert "cannot be read" in warning.detail
    assert workspace.instances()[f"{resource}.t"].attributes["expires_at"] == key.expire_at
    plan = workspace.plan().succeeded()
    assert (plan.actions, plan.warnings) == ({}, ())


@pytest.mark.parametrize("resource", ["crusoe_storage_token", "crusoe_storage_rotating_token"])
def test_another_expiry_is_told_when_the_list_shows_it(
    workspace: Workspace, crusoe: Crusoe, resource: str
) -> None:
    """Which may be at a later refresh only."""
    crusoe.simulator.speak("expiry-bounded")
    crusoe.simulator.cloud.list_lag = -1
    workspace.write(f'resource "{resource}" "t" {{}}\n')
    applied = workspace.apply().succeeded()
    assert OTHER_EXPIRY not in [warning.summary for warning in applied.warnings]
    crusoe.simulator.cloud.show_all_keys()

    workspace.apply().succeeded().warned_of(OTHER_EXPIRY)

    plan = workspace.plan().succeeded()
    assert (plan.actions, plan.warnings) == ({}, ())


def test_a_lost_answer_of_a_server_with_defaults_leaves_no_key_out_of_sight(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """It is not certain enough to be revoked, and is named."""
    crusoe.simulator.speak("alias-default", "expiry-bounded")
    crusoe.simulator.faults.add(Fault("create", cut="after"))
    workspace.write('resource "crusoe_storage_token" "t" {}\n')

    error = workspace.apply().failed_with("Storage token may have been created")

    (key,) = crusoe.simulator.cloud.keys()
    assert key.access_key_id in error.detail


def test_tokens_are_listed_oldest_first_and_without_secrets(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The list at Crusoe has no order; ours has."""
    cloud = crusoe.simulator.cloud
    other = cloud.add_user("ops@acme.example", crusoe.organization)
    for day, alias in ((3, "c"), (1, "a"), (2, "")):
        cloud.add_key(other, alias=alias, created_at=f"2026-01-0{day}T00:00:00Z")
    workspace.write(
        """
        data "crusoe_storage_tokens" "all" {}
        output "tokens" { value = data.crusoe_storage_tokens.all.tokens }
        """
    )

    workspace.apply().succeeded()

    tokens = workspace.output_json()["tokens"]
    assert [token["alias"] for token in tokens] == ["a", None, "c"]
    assert tokens[0] == {
        "id": cloud.keys()[0].key_uuid,
        "access_key_id": cloud.keys()[0].access_key_id,
        "alias": "a",
        "status": "enabled",
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": None,
        "expired": False,
        "user_id": other.id,
    }


def test_no_command_prints_the_secret_unless_it_is_asked_for(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Not the apply, not a plan, not `show`, not an output that was not asked for by name."""
    workspace.write(
        TOKEN
        + 'output "secret" {\n  value = crusoe_storage_token.ci.secret_key\n  sensitive = true\n}\n'
    )
    runs = [workspace.apply(json_ui=False).succeeded()]
    (key,) = crusoe.simulator.cloud.keys()

    runs += [workspace.plan(json_ui=False), workspace.run("show"), workspace.run("output")]
    runs += [workspace.destroy(json_ui=False).succeeded()]

    assert not [run.args for run in runs if key.secret_key in run.text]


def test_a_plan_without_changes_needs_one_request(workspace: Workspace, crusoe: Crusoe) -> None:
    """Two tokens are read from one list; nobody asks who the caller is, or where."""
    workspace.write('resource "crusoe_storage_token" "t" {\n  count = 2\n}\n')
    workspace.apply().succeeded()
    crusoe.simulator.api.requests.clear()

    workspace.plan().succeeded()

    assert [r.operation for r in crusoe.simulator.api.requests.all()] == ["list"]


def test_an_apply_sends_no_more_requests_than_it_needs(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The plan asks who, where and what there is; so does the apply, and lists once afterwards."""
    # Requests that take a moment, as over a real network, so that both creations overlap.
    crusoe.simulator.faults.add(Fault(times=None, delay_before=0.08))
    workspace.write('resource "crusoe_storage_token" "t" {\n  count = 2\n}\n')
    workspace.plan(out="p").succeeded()
    planned = [r.operation for r in crusoe.simulator.api.requests.all()]
    crusoe.simulator.api.requests.clear()

    workspace.apply("p").succeeded()

    applied = [r.operation for r in crusoe.simulator.api.requests.all()]
    assert sorted(planned) == ["identity", "list", "organizations"]
    assert sorted(applied[:3]) == ["identity", "list", "organizations"]
    assert applied[3:] == ["create", "create", "list"]


def test_who_is_asking_is_found_out_beside_the_list(workspace: Workspace, crusoe: Crusoe) -> None:
    """Also where the organization is configured, so that nothing comes before."""
    crusoe.simulator.faults.add(Fault(times=None, delay_before=0.08))
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    workspace.write('resource "crusoe_storage_token" "t" {}\n')

    workspace.plan().succeeded()

    (identity,) = crusoe.simulator.api.requests.all("identity")
    (listed,) = crusoe.simulator.api.requests.all("list")
    assert len(crusoe.simulator.api.requests.all()) == 2
    assert identity.started < listed.finished
    assert listed.started < identity.finished
