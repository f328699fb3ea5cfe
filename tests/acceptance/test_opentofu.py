"""What only OpenTofu has, as its guide and its example show it.

Each test is skipped, by name, with Terraform: make acceptance TERRAFORM=/path/to/tofu
"""

import re
from pathlib import Path

import pytest

from harness.workspace import Workspace
from support.profiles import add_users, write_file
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "opentofu.md"
CODE = re.compile(r"^```terraform\n(.*?)^```", re.MULTILINE | re.DOTALL)
NO_SLOT = "No free slot for the storage token"
CI = "crusoe_storage_token.ci"


def guide(heading: str) -> str:
    """Return the last piece of code in a section of the guide."""
    section = GUIDE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    found: list[str] = CODE.findall(section.partition("\n## ")[0])
    return found[-1]


def owners(crusoe: Crusoe) -> dict[str, str]:
    """Return the user of each key, by the key's alias."""
    keys = crusoe.simulator.cloud.keys()
    return {key.alias: key.user_id for key in keys}


@pytest.mark.needs_terraform(None, opentofu="1.9")
@pytest.mark.parametrize("source", ["example", "guide"])
def test_a_provider_block_for_each_user(workspace: Workspace, crusoe: Crusoe, source: str) -> None:
    """Each makes and revokes its keys with its own credentials; a user leaves in two applies."""
    users = add_users(crusoe, ("backups", "ci"))
    write_file(workspace.home, users)
    workspace.variables = {"CRUSOE_API_ENDPOINT": crusoe.simulator.endpoint}
    workspace.variables["CRUSOE_ALLOW_ENDPOINT"] = crusoe.simulator.endpoint
    if source == "example":
        workspace.use_example("opentofu-users")
    else:
        workspace.write(guide("Many users"))

    workspace.apply().succeeded()
    assert owners(crusoe) == {name: user.id for name, user in users.items()}
    assert workspace.plan("-detailed-exitcode").exit_code == 0
    workspace.apply('-var=leaving=["ci"]').succeeded()
    assert owners(crusoe) == {"backups": users["backups"].id}
    left = workspace.plan("-detailed-exitcode", '-var=users=["backups"]')

    assert left.exit_code == 0
    assert {r.user for r in crusoe.simulator.api.requests.all("delete")} == {users["ci"].email}


@pytest.mark.needs_terraform(None, opentofu="1.8")  # variables in the encryption block
def test_state_and_plan_are_encrypted(workspace: Workspace, crusoe: Crusoe) -> None:
    """The secret is not to be found in any file, and its output is what Crusoe has made."""
    workspace.variables["TF_VAR_state_passphrase"] = "correct horse battery staple"
    workspace.write(guide("Encrypted state and plans"), name="encryption.tf")
    resource = 'resource "crusoe_storage_token" "ci" {\n  alias = "ci"\n}\n'
    output = (
        'output "s" {\n  value     = crusoe_storage_token.ci.secret_key\n  sensitive = true\n}\n'
    )
    workspace.write(resource)
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()
    workspace.write(resource + output)

    workspace.plan(out="p").succeeded()
    held = [file.read_bytes() for file in workspace.folder.rglob("*") if file.is_file()]
    workspace.apply("p").succeeded()

    assert "encrypted_data" in (workspace.folder / "terraform.tfstate").read_text()
    held += [file.read_bytes() for file in workspace.folder.rglob("*") if file.is_file()]
    assert not any(key.secret_key.encode() in content for content in held)
    assert workspace.output_json() == {"s": key.secret_key}
    assert workspace.plan("-detailed-exitcode").exit_code == 0


@pytest.mark.needs_terraform(None, opentofu="1.9")
def test_what_is_excluded_keeps_its_slot(workspace: Workspace, crusoe: Crusoe) -> None:
    """It is left alone, and counts."""
    tokens = [f'resource "crusoe_storage_token" "{n}" {{\n  alias = "{n}"\n}}\n' for n in "abc"]
    workspace.write(tokens[0] + tokens[1])
    excluded = "-exclude=crusoe_storage_token.b"
    workspace.apply(excluded).succeeded()
    assert crusoe.aliases() == ["a"]
    workspace.apply().succeeded()
    workspace.write(tokens[2])

    refused = workspace.plan("-exclude=crusoe_storage_token.a", excluded)
    plan = workspace.plan(excluded, out="p").succeeded()

    refused.failed_with("Plan needs more storage tokens than a user may have")
    assert plan.actions == {"crusoe_storage_token.a": "delete", "crusoe_storage_token.c": "create"}
    workspace.apply("p").succeeded()
    assert crusoe.aliases() == ["b", "c"]


@pytest.mark.needs_terraform(None, opentofu="1.11")
def test_a_token_is_switched_off_and_on(workspace: Workspace, crusoe: Crusoe) -> None:
    """Off it is revoked, and on again it is another one at the same address."""
    workspace.write(guide("Switching a token on and off"))
    workspace.apply().succeeded()
    (first,) = crusoe.simulator.cloud.keys()

    workspace.apply("-var=uploads=false").succeeded()
    assert crusoe.simulator.cloud.keys() == []
    workspace.apply().succeeded()

    (second,) = crusoe.simulator.cloud.keys()
    assert second != first
    assert set(workspace.instances()) == {"crusoe_storage_token.uploads"}


@pytest.mark.needs_terraform(None, opentofu="1.12")
def test_a_replacement_that_forgets_fails_soon_and_says_how_to_go_on(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Both slots are taken, and the old token is in no state; what the message says helps."""
    code = guide("What destroy = false does to a token")
    other = crusoe.simulator.cloud.add_key(crusoe.user, alias="other")
    workspace.write(code)
    workspace.apply().succeeded()
    keys = crusoe.simulator.cloud.keys()
    (old,) = (key for key in keys if key != other)
    changed = code.replace(
        'alias = "ci"', 'alias      = "ci"\n  expires_at = "2040-01-01T00:00:00Z"'
    )
    workspace.write(changed)

    failed = workspace.apply()

    error = failed.failed_with(NO_SLOT, address=CI)
    assert "destroy = false" in error.detail
    assert old.access_key_id in error.detail
    (waited,) = re.findall(r"within (\d+)s", error.detail)
    assert int(waited) < 30  # the time-out itself is two minutes
    assert workspace.instances() == {}
    workspace.write(changed.replace("destroy = false", "destroy = true"))
    workspace.import_(CI, old.access_key_id).succeeded()
    workspace.apply().succeeded()
    assert crusoe.aliases() == ["ci", "other"]
    keys = crusoe.simulator.cloud.keys()
    assert old not in keys
