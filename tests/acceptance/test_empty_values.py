"""What a module hands on that has no value counts as not set: no replacement, no endless diff."""

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
EMPTY = """
  alias               = ""
  expires_at          = ""
  expires_after       = ""
  renew_before        = ""
  organization_id     = ""
  rotate_when_changed = {}
  timeouts {
    create = ""
  }
"""


def token(body: str = "") -> str:
    """Return a resource block with these arguments."""
    return f'resource "crusoe_storage_token" "t" {{\n{body}}}\n'


def apply(workspace: Workspace, body: str) -> None:
    """Apply a token; it is not replaced, and the plan after it is empty."""
    workspace.write(token(body))
    plan = workspace.plan(out="p").succeeded()
    assert set(plan.actions.values()) <= {"create", "update"}, plan.changes[ADDRESS]
    workspace.apply("p").succeeded()
    assert workspace.plan().succeeded().actions == {}


@pytest.mark.parametrize("bodies", [("", EMPTY, ""), (EMPTY, "", EMPTY)], ids=["null", "empty"])
def test_nothing_and_empty_are_the_same_in_both_directions(
    workspace: Workspace, crusoe: Crusoe, bodies: tuple[str, ...]
) -> None:
    """One token throughout."""
    for body in bodies:
        apply(workspace, body)

    (only,) = crusoe.simulator.cloud.keys()
    assert workspace.instances()[ADDRESS].attributes["access_key_id"] == only.access_key_id
    assert workspace.instances()[ADDRESS].attributes["secret_key"] == only.secret_key


def test_from_empty_values_to_real_ones_is_as_from_none(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """What Crusoe knows nothing of replaces nothing; the organization is the one that it was."""
    apply(workspace, EMPTY)
    workspace.apply().succeeded()
    apply(
        workspace,
        f"""
          organization_id     = "{crusoe.organization.id}"
          rotate_when_changed = {{ quarter = "1" }}
          timeouts {{
            create = "3m"
          }}
        """,
    )
    apply(workspace, "rotate_when_changed = {\n a = null\n}\n".replace("{\n", '{ quarter = "1",\n'))

    assert len(crusoe.simulator.cloud.keys()) == 1


def test_a_map_without_values_is_no_rotation(workspace: Workspace, crusoe: Crusoe) -> None:
    """To it from nothing, from it to a value: neither replaces."""
    crusoe.simulator.cloud.key_limit = 3
    provider = 'provider "crusoe" {\n  key_limit = 3\n}\n'
    maps = ("{}", "{ quarter = null }", "null")
    steps = ([""] * 3, [f"rotate_when_changed = {m}\n" for m in maps])
    for bodies in (*steps, ['rotate_when_changed = { quarter = "1" }\n'] * 3):
        tokens = (token(body).replace('"t"', f'"n{n}"') for n, body in enumerate(bodies))
        workspace.write(provider + "".join(tokens))
        plan = workspace.plan(out="p").succeeded()
        assert set(plan.actions.values()) <= {"create", "update"}
        workspace.apply("p").succeeded()
        assert workspace.plan().succeeded().actions == {}

    assert len(crusoe.simulator.api.requests.all("create")) == 3


def test_tokens_with_an_empty_organization_are_counted(workspace: Workspace) -> None:
    """It is the default one: a third is refused, and a replacement of one is not."""
    empty = 'organization_id = ""\n'
    two = token(f"count = 2\n{empty}")
    workspace.write(two)
    workspace.apply().succeeded()
    workspace.write(two + token(empty).replace('"t"', '"more"'))
    refused = workspace.plan()
    workspace.write(token(f'count = 2\n{empty}alias = "new"\n'))

    plan = workspace.plan().succeeded()

    error = refused.failed_with("Plan needs more storage tokens than a user may have")
    assert "; in this state" in error.detail
    assert set(plan.actions.values()) == {"replace"}


def test_empty_arguments_of_the_other_elements_are_not_set(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Provider block, ephemeral token and both data sources."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="a")
    workspace.write(
        f"""
        provider "crusoe" {{
          profile         = ""
          api_endpoint    = ""
          organization_id = ""
          request_timeout = ""
          profiles        = {{}}
        }}
        ephemeral "crusoe_storage_token" "e" {{
          alias           = ""
          expires_after   = ""
          organization_id = ""
        }}
        data "crusoe_storage_token" "d" {{
          id              = "{key.key_uuid}"
          access_key_id   = ""
          alias           = ""
          organization_id = ""
        }}
        data "crusoe_storage_tokens" "l" {{
          alias           = ""
          status          = ""
          organization_id = ""
        }}
        output "found" {{
          value = [data.crusoe_storage_token.d.alias, length(data.crusoe_storage_tokens.l.tokens)]
        }}
        """
    )

    workspace.apply().succeeded()

    assert workspace.output_json()["found"] == ["a", 1]


ROTATES = "crusoe_storage_rotating_token"
ROTATING = 'resource "crusoe_storage_rotating_token" "t" {{\n{}\n}}\n'
EMPTY_ROTATING = """
  alias                 = ""
  rotate_after          = ""
  rotate_when_changed   = {}
  revoke_previous_after = ""
  expires_after         = ""
  organization_id       = ""
  profile               = ""
  timeouts {
    create = ""
    update = ""
  }
"""


def test_a_rotating_token_takes_nothing_and_empty_for_the_same(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """In both directions, and from empty to a first value: no rotation, and no endless diff."""
    bodies = ("", EMPTY_ROTATING, "", "rotate_when_changed = { a = null }", EMPTY_ROTATING)
    organization = f'organization_id = "{crusoe.organization.id}"'
    for body in (*bodies, organization, EMPTY_ROTATING, 'rotate_when_changed = { quarter = "1" }'):
        workspace.write(ROTATING.format(body))
        plan = workspace.plan(out="p").succeeded()
        assert set(plan.actions.values()) <= {"create", "update"}, body
        workspace.apply("p").succeeded()
        assert workspace.plan().succeeded().actions == {}, body

    (only,) = crusoe.simulator.cloud.keys()
    state = workspace.instances()["crusoe_storage_rotating_token.t"].attributes
    assert (state["access_key_id"], state["generation"]) == (only.access_key_id, 1)


def test_rotating_tokens_with_an_empty_organization_are_counted(workspace: Workspace) -> None:
    """One that is destroyed frees its slots, one that stays keeps them."""
    empty = ROTATING.format('organization_id = ""')
    one, two, three = (empty.replace('"t"', f'"n{n}"') for n in range(3))
    workspace.write(one + two)
    workspace.apply().succeeded()

    workspace.write(one + three)
    (warning,) = workspace.plan().succeeded().warnings
    assert warning.summary == "No free slot for a later rotation"

    workspace.write(one + two + three)
    workspace.plan().failed_with("Plan needs more storage tokens than a user may have")


def test_an_empty_expiry_beside_one_that_counts_from_the_creation_is_refused(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Terraform takes it for a value, so that the expiry could not be stored; and what helps."""
    workspace.write(token('expires_at = ""\nexpires_after = "90d"\n'))

    error = workspace.plan().failed_with("Two expiries", attribute="expires_at")

    assert "null" in error.detail
    workspace.write(
        'resource "terraform_data" "none" { input = "" }\n'
        + token('expires_at = terraform_data.none.output\nexpires_after = "90d"\n')
    )
    workspace.apply().failed_with("Two expiries", attribute="expires_at")
    assert crusoe.simulator.cloud.keys() == []
    workspace.write(token('expires_at = null\nexpires_after = "90d"\n'))
    workspace.apply().succeeded()
    assert workspace.plan().succeeded().actions == {}


@pytest.mark.parametrize("resource", ["crusoe_storage_token", "crusoe_storage_rotating_token"])
def test_another_default_organization_forgets_no_key(
    workspace: Workspace, crusoe: Crusoe, resource: str
) -> None:
    """A token stays where it was made, as without the argument, until another one is named."""
    cloud = crusoe.simulator.cloud
    address, other = f"{resource}.t", cloud.add_organization("other")
    user = cloud.add_user("ops@acme.example", crusoe.organization, other)
    workspace.variables |= crusoe.variables(user)
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    empty = f'resource "{resource}" "t" {{\n  organization_id = ""\n}}\n'
    workspace.write(empty)
    workspace.apply().succeeded()
    (first,) = cloud.keys()
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = other.id

    plan = workspace.plan().succeeded()

    assert (plan.actions, plan.warnings) == ({}, ())
    if resource == ROTATES:
        # The successor is made where the key before it is, and so it is there that it is undone.
        workspace.write(empty.replace("{\n", '{\n  rotate_when_changed = { a = "1" }\n'))
        workspace.apply().succeeded()
        workspace.write(empty.replace("{\n", '{\n  rotate_when_changed = { a = "2" }\n'))
        workspace.apply().succeeded()
        keys = cloud.keys()
        assert {key.organization_id for key in keys} == {crusoe.organization.id}
    workspace.write(empty.replace('""', f'"{other.id}"'))
    plan = workspace.plan(out="p").succeeded()
    assert plan.changes[address].replaced_because_of == {"organization_id"}
    workspace.apply("p").succeeded()
    (second,) = cloud.keys()
    assert (second.organization_id, second == first) == (other.id, False)
    workspace.write(empty)
    workspace.apply().succeeded()
    assert cloud.keys() == [second]
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    workspace.destroy("-refresh=false").succeeded()
    assert cloud.keys() == []


@pytest.mark.parametrize("kinds", [("token", "rotating_token"), ("rotating_token", "token")])
def test_a_token_that_moves_to_another_type_is_looked_for_where_it_was_made(
    workspace: Workspace, crusoe: Crusoe, kinds: tuple[str, str]
) -> None:
    """Also when the default organization changes with it."""
    cloud = crusoe.simulator.cloud
    other = cloud.add_organization("other")
    user = cloud.add_user("ops@acme.example", crusoe.organization, other)
    workspace.variables |= crusoe.variables(user)
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    before, after = (f"crusoe_storage_{kind}" for kind in kinds)
    block = 'resource "{}" "t" {{\n  organization_id = ""\n}}\n'
    workspace.write(block.format(before))
    workspace.apply().succeeded()
    keys = cloud.keys()
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = other.id
    moved = f"moved {{\n  from = {before}.t\n  to   = {after}.t\n}}\n"
    workspace.write(block.format(after) + moved)

    applied = workspace.apply().succeeded()

    assert applied.warnings == ()
    assert cloud.keys() == keys
    assert workspace.plan().actions == {}
    workspace.destroy().succeeded()
    assert cloud.keys() == []


@pytest.mark.parametrize("options", [(), ("-refresh=false",)], ids=["refreshed", "not refreshed"])
@pytest.mark.parametrize("resource", ["crusoe_storage_token", ROTATES])
def test_a_tainted_token_is_revoked_where_it_is(
    workspace: Workspace, crusoe: Crusoe, resource: str, options: tuple[str, ...]
) -> None:
    """Terraform keeps from the deletion what is remembered of it, the organization too."""
    cloud = crusoe.simulator.cloud
    other = cloud.add_organization("second")
    user = cloud.add_user("both@acme.example", crusoe.organization, other)
    workspace.variables |= crusoe.variables(user)
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    workspace.write(f'resource "{resource}" "t" {{\n  organization_id = ""\n}}\n')
    workspace.apply().succeeded()
    workspace.run("taint", f"{resource}.t").succeeded()
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = other.id

    workspace.apply(*options).succeeded()

    (key,) = cloud.keys()
    state = workspace.instances()[f"{resource}.t"].attributes
    assert state["access_key_id"] == key.access_key_id
    workspace.run("taint", f"{resource}.t").succeeded()
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    workspace.destroy(*options).succeeded()
    assert cloud.keys() == []


@pytest.mark.parametrize("later", ["", "90d"])
def test_an_empty_date_beside_a_duration_that_only_the_apply_knows(
    workspace: Workspace, later: str
) -> None:
    """Where that turns out to be empty all is well; otherwise there are two expiries."""
    apply(workspace, '  expires_at = ""\n')
    workspace.write(
        f'resource "terraform_data" "d" {{\n  input = "{later}"\n}}\n'
        + token('  expires_at    = ""\n  expires_after = terraform_data.d.output\n')
    )
    workspace.plan(out="p").succeeded()

    applied = workspace.apply("p")

    if later:
        applied.failed_with("Two expiries")
    else:
        applied.succeeded()
        assert workspace.plan().succeeded().actions == {}
