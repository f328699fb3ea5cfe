"""Terraform 1.12 and later: identity, `terraform query`, and the action that revokes."""

import json
from typing import Any

import pytest

from crusoe_simulator.faults import Answer, Fault
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_terraform("1.14")]

TOKEN = 'resource "crusoe_storage_token" "t" {\n  alias = "t"\n}\n'
QUERY = 'list "crusoe_storage_token" "mine" {\n  provider = crusoe\n}\n'
ACTION = """\
variable "leaked" {
  type    = string
  default = "none"
}

action "crusoe_storage_revoke_token" "leaked" {
  config {
    access_key_id = var.leaked
  }
}
"""
INVOKE = "-invoke=action.crusoe_storage_revoke_token.leaked"


def identity(workspace: Workspace, address: str = "crusoe_storage_token.t") -> Any:
    """Return the identity that the state has of a resource."""
    resources = workspace.show_json()["values"]["root_module"]["resources"]
    return next(r.get("identity") for r in resources if r["address"] == address)


def found(stdout: str) -> list[dict[str, Any]]:
    """Return what a query has found."""
    lines = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    return [line["list_resource_found"] for line in lines if "list_resource_found" in line]


# -- Identity --------------------------------------------------------------------------------------


def test_a_token_has_an_identity_from_its_creation_on(workspace: Workspace, crusoe: Crusoe) -> None:
    """And keeps it through refreshes; a replacement has its own."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    (first,) = crusoe.simulator.cloud.keys()
    before = identity(workspace)

    workspace.refresh().succeeded()
    after_refresh = identity(workspace)
    workspace.apply("-replace=crusoe_storage_token.t").succeeded()
    (second,) = crusoe.simulator.cloud.keys()

    assert before == after_refresh
    assert before["access_key_id"] == first.access_key_id
    assert before["organization_id"] == crusoe.organization.id
    assert identity(workspace)["access_key_id"] == second.access_key_id


def test_a_state_without_identities_fills_them_in(workspace: Workspace, crusoe: Crusoe) -> None:
    """An older Terraform drops them; the plan of a newer one is empty all the same."""
    del crusoe
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    path = workspace.folder / "terraform.tfstate"
    state = json.loads(path.read_text())
    instance = state["resources"][0]["instances"][0]
    del instance["identity"], instance["identity_schema_version"]
    path.write_text(json.dumps(state))

    plan = workspace.plan("-detailed-exitcode")
    workspace.refresh().succeeded()

    assert plan.exit_code == 0
    assert identity(workspace)["access_key_id"]


@pytest.mark.parametrize("with_organization", [True, False])
def test_a_token_is_imported_by_its_identity(
    workspace: Workspace, crusoe: Crusoe, with_organization: bool
) -> None:
    """The organization may be left out where there is one."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
    more = f'organization_id = "{crusoe.organization.id}"' if with_organization else ""
    workspace.write(
        TOKEN + "import {\n  to = crusoe_storage_token.t\n"
        f'  identity = {{\n    access_key_id = "{key.access_key_id}"\n    {more}\n  }}\n}}\n'
    )

    workspace.apply().succeeded()

    assert workspace.instances()["crusoe_storage_token.t"].attributes["id"] == key.key_uuid
    assert identity(workspace)["organization_id"] == crusoe.organization.id


def test_an_identity_that_does_not_exist_is_told_with_both_ways(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """By ID and by identity, with what there is."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="other")
    workspace.write(
        TOKEN + "import {\n  to = crusoe_storage_token.t\n"
        '  identity = {\n    access_key_id = "CKIANONE"\n  }\n}\n'
    )

    error = workspace.plan().failed_with("Storage token not found")

    assert "CKIANONE" in error.detail
    assert key.access_key_id in error.detail
    assert "identity" in error.detail


# -- Query -----------------------------------------------------------------------------------------


def test_forgotten_tokens_are_found_and_brought_under_terraform(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Query, review, apply: nothing is added, changed or destroyed."""
    cloud = crusoe.simulator.cloud
    cloud.add_key(crusoe.user, alias="ci")
    cloud.add_key(crusoe.user, expire_at="2040-01-01T00:00:00Z")
    other = cloud.add_user("ops@acme.example", crusoe.organization)
    cloud.add_key(other, alias="theirs")
    workspace.write(QUERY, name="tokens.tfquery.hcl")

    query = workspace.run("query", "-json", "-generate-config-out=generated.tf").succeeded()
    plan = workspace.plan()
    applied = workspace.apply().succeeded()

    names = [result["display_name"] for result in found(query.stdout)]
    assert len(names) == 2
    assert names[0].startswith("ci (CKIA")
    assert names[1].startswith("no alias (CKIA")
    assert "expires 2040-01-01" in names[1]
    assert "2 to import, 0 to add, 0 to change, 0 to destroy" in plan.text
    assert "2 imported" in applied.text
    assert workspace.plan("-detailed-exitcode").exit_code == 0
    assert len(cloud.keys()) == 3


def test_filters_and_limit(workspace: Workspace, crusoe: Crusoe) -> None:
    """What is asked for, and no more."""
    cloud = crusoe.simulator.cloud
    for alias, status in (("a", "enabled"), ("b", "disabled")):
        cloud.add_key(crusoe.user, alias=alias, status=status)
    blocks = "".join(
        f'list "crusoe_storage_token" "{name}" {{\n  provider = crusoe\n  {body}\n}}\n'
        for name, body in (
            ("alias", 'config {\n    alias = "b"\n  }'),
            ("status", 'config {\n    status = "enabled"\n  }'),
            ("limit", "limit = 1"),
        )
    )
    workspace.write(blocks, name="tokens.tfquery.hcl")

    query = workspace.run("query", "-json").succeeded()

    results = {r["address"].rpartition(".")[2]: r["display_name"][0] for r in found(query.stdout)}
    assert results == {"alias": "b", "status": "a", "limit": "a"}
    assert len(found(query.stdout)) == 3


def test_a_query_that_crusoe_refuses_says_why(workspace: Workspace, crusoe: Crusoe) -> None:
    """One clear diagnostic; Terraform does not panic."""
    crusoe.simulator.faults.add(
        Fault("list", times=None, answer=Answer(403, '{"code": "403", "message": "no"}'))
    )
    workspace.write(QUERY, name="tokens.tfquery.hcl")

    query = workspace.run("query", "-json").failed()

    assert "Storage tokens not listed" in query.text
    assert "panic" not in query.text


# -- The action ------------------------------------------------------------------------------------


def test_a_leaked_key_is_revoked_where_the_plan_is_refused(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """It blocks the slot that the configuration needs; after it the plan goes through."""
    cloud = crusoe.simulator.cloud
    leaked = cloud.add_key(crusoe.user, alias="leaked")
    cloud.add_key(crusoe.user, alias="laptop")
    workspace.write(ACTION + TOKEN)
    workspace.plan().failed_with("Plan needs more storage tokens than a user may have")

    result = workspace.run(
        "apply", "-json", "-auto-approve", INVOKE, f"-var=leaked={leaked.access_key_id}"
    ).succeeded()
    workspace.apply().succeeded()

    assert "Storage token will be revoked" in result.text
    assert leaked.access_key_id in result.text
    assert sorted(crusoe.aliases()) == ["laptop", "t"]


@pytest.mark.parametrize("wanted", ["CKIANONE", "theirs", "null"])
def test_what_cannot_be_revoked_is_refused(
    workspace: Workspace, crusoe: Crusoe, wanted: str
) -> None:
    """An unknown key, one of somebody else, and none."""
    cloud = crusoe.simulator.cloud
    mine = cloud.add_key(crusoe.user, alias="mine")
    theirs = cloud.add_key(cloud.add_user("ops@acme.example", crusoe.organization), alias="x")
    value = {"theirs": theirs.access_key_id, "null": ""}.get(wanted, wanted)
    workspace.write(ACTION)

    result = workspace.run("apply", "-json", "-auto-approve", INVOKE, f"-var=leaked={value}")

    error = result.failed_with("Storage token not revoked")
    if wanted != "null":
        assert mine.access_key_id in error.detail
    assert len(cloud.keys()) == 2


def test_an_action_can_be_triggered_by_a_resource(workspace: Workspace, crusoe: Crusoe) -> None:
    """After the new token was created."""
    old = crusoe.simulator.cloud.add_key(crusoe.user, alias="old")
    workspace.write(
        ACTION + 'resource "crusoe_storage_token" "t" {\n  alias = "t"\n  lifecycle {\n'
        "    action_trigger {\n      events  = [after_create]\n"
        "      actions = [action.crusoe_storage_revoke_token.leaked]\n    }\n  }\n}\n"
    )

    workspace.apply(f"-var=leaked={old.access_key_id}").succeeded()

    assert crusoe.aliases() == ["t"]
