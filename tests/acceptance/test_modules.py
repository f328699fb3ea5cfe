"""What modules do with tokens: every one of these held, and has to stay so."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.sandbox import PLUGIN, REQUIRED
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

REQUIRED_WITH_ALIASES = """
terraform {
  required_providers {
    crusoe = {
      source                = "crusoe-community/crusoe"
      configuration_aliases = [crusoe.first, crusoe.second]
    }
  }
}
"""


def token(name: str, *lines: str, alias: str = "t") -> str:
    """Return a resource block."""
    body = "".join(f"  {line}\n" for line in (f'alias = "{alias}"', *lines))
    return f'resource "crusoe_storage_token" "{name}" {{\n{body}}}\n'


def moved(source: str, target: str) -> str:
    """Return a `moved` block."""
    return f"moved {{\n  from = {source}\n  to   = {target}\n}}\n"


def attributes(
    workspace: Workspace, address: str = "crusoe_storage_token.t"
) -> Mapping[str, object]:
    """Return the values of one token."""
    return workspace.instances()[address].attributes


def test_a_module_gets_the_provider_blocks_of_two_users(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """By `configuration_aliases`: each token belongs to the user of its block."""
    other = crusoe.simulator.cloud.add_user("ops@acme.example", crusoe.organization)
    users = {"first": crusoe.user, "second": other}
    workspace.write(REQUIRED_WITH_ALIASES, name="pair/versions.tf")
    workspace.write(
        "".join(token(name, f"provider = crusoe.{name}", alias=name) for name in users),
        name="pair/main.tf",
    )
    blocks = "".join(
        f'provider "crusoe" {{\n  alias         = "{name}"\n'
        f'  access_key_id = "{user.access_key_id}"\n  secret_key    = "{user.secret_key}"\n}}\n'
        for name, user in users.items()
    )
    workspace.write(
        f"""{blocks}
module "pair" {{
  source    = "./pair"
  providers = {{
    crusoe.first  = crusoe.first
    crusoe.second = crusoe.second
  }}
}}
"""
    )
    workspace.run("get").succeeded()

    workspace.apply().succeeded()

    for name, user in users.items():
        assert [key.alias for key in crusoe.simulator.cloud.keys(user)] == [name]
    assert workspace.plan().actions == {}
    workspace.destroy().succeeded()
    assert crusoe.simulator.cloud.keys() == []


def test_moves_between_modules_and_from_count_to_for_each_change_nothing(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Nor do `state mv`, and `state rm` with an import after it."""
    workspace.write(token("t", "count = 2"))
    workspace.apply().succeeded()
    keys = crusoe.simulator.cloud.keys()
    workspace.write(REQUIRED, name="keys/versions.tf")
    workspace.write(token("t", 'for_each = toset(["a", "b"])'), name="keys/main.tf")
    module = 'module "keys" {\n  source = "./keys"\n}\n'
    inside = 'module.keys.crusoe_storage_token.t["{}"]'
    workspace.write(
        module
        + moved("crusoe_storage_token.t[0]", inside.format("a"))
        + moved("crusoe_storage_token.t[1]", inside.format("b"))
    )
    workspace.run("get").succeeded()
    assert workspace.plan().succeeded().actions == {}
    workspace.apply().succeeded()

    workspace.write(token("first") + token("second"))
    for old, new in (("a", "first"), ("b", "second")):
        workspace.run("state", "mv", inside.format(old), f"crusoe_storage_token.{new}").succeeded()
    workspace.run("state", "rm", "crusoe_storage_token.second").succeeded()
    first = attributes(workspace, "crusoe_storage_token.first")
    (second,) = (key for key in keys if key.access_key_id != first["access_key_id"])
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = second.secret_key
    workspace.import_("crusoe_storage_token.second", second.key_uuid).succeeded()
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]

    assert workspace.plan().succeeded().actions == {}
    assert attributes(workspace, "crusoe_storage_token.second")["secret_key"] == second.secret_key
    assert crusoe.simulator.cloud.keys() == keys


def test_lifecycle_settings_and_conditions(workspace: Workspace, crusoe: Crusoe) -> None:
    """`ignore_changes` on each argument, `replace_triggered_by`, conditions and a check block."""
    changes = {
        "alias": ('"a"', '"b"'),
        "expires_at": ('"2040-01-01T00:00:00Z"', '"2041-01-01T00:00:00Z"'),
        "rotate_when_changed": ('{ n = "1" }', '{ n = "2" }'),
        "organization_id": (
            f'"{crusoe.organization.id}"',
            '"00000000-0000-0000-0000-000000000000"',
        ),
        "timeouts": None,
    }
    ignored = ", ".join(changes)

    def body(which: int) -> str:
        lines = "".join(
            f"  {name} = {values[which]}\n" for name, values in changes.items() if values
        )
        return (
            f'resource "crusoe_storage_token" "t" {{\n{lines}'
            f'  timeouts {{\n    create = "{which + 1}m"\n  }}\n'
            f"  lifecycle {{\n    ignore_changes       = [{ignored}]\n"
            "    replace_triggered_by = [terraform_data.revision]\n"
            '    postcondition {\n      condition     = self.status == "enabled"\n'
            '      error_message = "disabled"\n    }\n  }\n}\n'
        )

    revision = 'resource "terraform_data" "revision" {{\n  input = {}\n}}\n'
    check = (
        'check "there" {\n  data "crusoe_storage_tokens" "all" {}\n'
        "  assert {\n    condition     = length(data.crusoe_storage_tokens.all.tokens) == 1\n"
        '    error_message = "not one"\n  }\n}\n'
    )
    workspace.write(body(0) + revision.format(1) + check)
    assert workspace.apply().succeeded().warnings == ()
    (old,) = crusoe.simulator.cloud.keys()

    workspace.write(body(1) + revision.format(1) + check)
    # What a check reads is read again in every apply.
    assert set(workspace.plan().succeeded().actions.values()) == {"read"}
    workspace.write(body(0) + revision.format(2) + check)
    plan = workspace.plan(out="p").succeeded()
    assert plan.actions["crusoe_storage_token.t"] == "replace"
    workspace.apply("p").succeeded()

    (new,) = crusoe.simulator.cloud.keys()
    assert new.access_key_id != old.access_key_id
    assert attributes(workspace)["access_key_id"] == new.access_key_id
    # A condition that does not hold leaves the token, and the state knows it.
    workspace.write(body(0).replace('"enabled"', '"disabled"') + revision.format(2) + check)
    assert "disabled" in workspace.plan().failed().text
    assert crusoe.simulator.cloud.keys() == [new]


@pytest.mark.needs_terraform("1.10", opentofu="1.11")  # ephemeral variables
def test_a_provider_block_takes_its_settings_from_anywhere(
    crusoe: Crusoe, workspace: Workspace, tmp_path: Path
) -> None:
    """From an ephemeral variable and from a remote state."""
    folder = tmp_path / "base"
    folder.mkdir()
    with Workspace(folder, plugin=PLUGIN) as base:
        base.write(f'output "organization" {{\n  value = "{crusoe.organization.id}"\n}}\n')
        base.apply().succeeded()
    del workspace.variables["CRUSOE_SECRET_KEY"], workspace.variables["CRUSOE_ACCESS_KEY_ID"]
    workspace.variables["TF_VAR_secret_key"] = crusoe.user.secret_key
    workspace.write(
        f"""
        variable "secret_key" {{
          type      = string
          ephemeral = true
        }}
        data "terraform_remote_state" "base" {{
          backend = "local"
          config  = {{
            path = "{base.folder}/terraform.tfstate"
          }}
        }}
        provider "crusoe" {{
          access_key_id   = "{crusoe.user.access_key_id}"
          secret_key      = var.secret_key
          organization_id = data.terraform_remote_state.base.outputs.organization
        }}
        resource "crusoe_storage_token" "t" {{}}
        """
    )

    workspace.apply().succeeded()

    assert attributes(workspace)["organization_id"] == crusoe.organization.id
    assert workspace.plan().succeeded().actions == {}
    workspace.destroy().succeeded()
    assert crusoe.user.secret_key not in (workspace.folder / "terraform.tfstate.backup").read_text()
    assert crusoe.simulator.cloud.keys() == []
