"""Taking over keys from Crusoe's own provider with a `moved` block."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crusoe_provider.tokens.encryption import decrypt
from crusoe_simulator.state import Key
from harness.workspace import Workspace
from support.keys import AGE, AGE_IDENTITY
from support.ready_plugins import Plugins, stand_in
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parents[2] / "examples" / "terraform" / "move-from-vendor"
ADDRESS = "crusoe_storage_token.ci"


@pytest.fixture
def both(crusoe: Crusoe, plugins: Plugins, executable: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with our provider and a stand-in for Crusoe's own."""
    vendor = stand_in(plugins, tmp_path / "others", "crusoecloud/crusoe")
    with Workspace(
        tmp_path,
        plugin=executable,
        overrides={"crusoecloud/crusoe": vendor},
        variables=crusoe.variables(),
    ) as workspace:
        for file in EXAMPLE.glob("*.tf"):
            shutil.copy(file, workspace.folder)
        yield workspace


def write_state(workspace: Workspace, kind: str, attributes: dict[str, Any]) -> None:
    """Write a state file with one resource, in the form of Crusoe's own provider, version 1.1.1."""
    secret = [{"type": "get_attr", "value": "secret_access_key"}]
    instance = {
        "schema_version": 0,
        "attributes": attributes,
        "sensitive_attributes": [secret],
    }
    state = {
        "version": 4,
        "terraform_version": "1.8.0",
        "serial": 1,
        "lineage": "5c1d9b2e-0000-0000-0000-000000000000",
        "outputs": {},
        "resources": [
            {
                "mode": "managed",
                "type": kind,
                "name": "ci",
                "provider": 'provider["registry.terraform.io/crusoecloud/crusoe"]',
                "instances": [instance],
            }
        ],
        "check_results": None,
    }
    (workspace.folder / "terraform.tfstate").write_text(json.dumps(state))


def vendor_attributes(key: Key) -> dict[str, Any]:
    return {
        "key_id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "secret_access_key": key.secret_key,
        "alias": key.alias,
        "organization_id": key.organization_id,
        "expire_at": None,
        "status": "enabled",
        "created_at": key.created_at,
        "user_id": key.user_id,
    }


def without_organization(attributes: dict[str, Any]) -> dict[str, Any]:
    """The vendor's provider may not have stored it."""
    return attributes | {"organization_id": ""}


def as_it_is(attributes: dict[str, Any]) -> dict[str, Any]:
    return attributes


def with_expiry(attributes: dict[str, Any]) -> dict[str, Any]:
    """The expiry as the configuration there has it."""
    return attributes | {"expire_at": "2040-01-01T01:00:00+01:00"}


@pytest.mark.parametrize("change", [as_it_is, without_organization, with_expiry])
def test_a_key_of_the_vendors_provider_moves_with_its_secret(
    both: Workspace, crusoe: Crusoe, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """No change is planned, nothing happens at Crusoe, and the next plan is empty too."""
    fields = {"expire_at": "2040-01-01T00:00:00Z"} if change is with_expiry else {}
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci-uploads", **fields)
    write_state(both, "crusoe_storage_s3_key", change(vendor_attributes(key)))
    if change is with_expiry:
        body = 'resource "crusoe_storage_token" "ci" {\n  expires_at = "2040-01-01T00:00:00Z"\n}\n'
        both.write(body, name="override.tf")

    plan = both.plan(out="p").succeeded()

    assert plan.actions == {}
    assert plan.changes[ADDRESS].previous_address == "crusoe_storage_s3_key.ci"
    both.apply("p").succeeded()
    state = both.instances()[ADDRESS].attributes
    assert state["secret_key"] == key.secret_key
    assert state["organization_id"] == crusoe.organization.id
    assert crusoe.simulator.cloud.keys() == [key]
    assert both.plan("-detailed-exitcode").exit_code == 0


@pytest.mark.parametrize("kind", ["token", "rotating_token"])
def test_a_key_that_moves_takes_up_recipients_in_place(
    both: Workspace, crusoe: Crusoe, kind: str
) -> None:
    """In the same apply. The state of the vendor's provider had the secret; the new one has not."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci-uploads")
    write_state(both, "crusoe_storage_s3_key", vendor_attributes(key))
    body = f'provider = crusoe-tokens\n  encrypt_to = ["{AGE}"]'
    both.write(moved(kind, body, "crusoe_storage_s3_key.ci"))
    address = f"crusoe_storage_{kind}.ci"

    plan = both.plan(out="p").succeeded()

    plan.warned_of("Earlier states still hold the secret", address=address)
    assert plan.actions == {address: "update"}
    both.apply("p").succeeded()
    assert key.secret_key not in json.dumps(both.state())
    encrypted = both.instances()[address].attributes["encrypted_secret_key"]
    assert decrypt(encrypted, AGE_IDENTITY) == key.secret_key
    assert crusoe.simulator.cloud.keys() == [key]
    assert both.plan("-detailed-exitcode").exit_code == 0


ROTATING = "crusoe_storage_rotating_token.ci"


def moved(kind: str, body: str, source: str) -> str:
    """Return a block of a type with the move to it."""
    target = f"crusoe_storage_{kind}.ci"
    return (
        f'resource "crusoe_storage_{kind}" "ci" {{\n  alias = "ci-uploads"\n  {body}\n}}\n'
        f"moved {{\n  from = {source}\n  to   = {target}\n}}\n"
    )


@pytest.mark.parametrize("change", [as_it_is, without_organization])
def test_a_key_of_the_vendors_provider_becomes_a_rotating_token(
    both: Workspace, crusoe: Crusoe, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """With its secret, as the current key of the first generation; its age counts."""
    key = crusoe.simulator.cloud.add_key(
        crusoe.user, alias="ci-uploads", created_at="2026-11-01T00:00:00Z"
    )
    write_state(both, "crusoe_storage_s3_key", change(vendor_attributes(key)))
    body = 'provider = crusoe-tokens\n  rotate_after = "3000d"'
    both.write(moved("rotating_token", body, "crusoe_storage_s3_key.ci"))

    plan = both.plan(out="p").succeeded()

    assert plan.actions == {ROTATING: "update"}
    assert plan.changes[ROTATING].unknown == frozenset()
    both.apply("p").succeeded()
    state = both.instances()[ROTATING].attributes
    assert state["secret_key"] == key.secret_key
    assert (state["id"], state["generation"]) == (key.key_uuid, 1)
    assert crusoe.simulator.cloud.keys() == [key]
    assert both.plan("-detailed-exitcode").exit_code == 0


@pytest.mark.parametrize("name", ["secret_key", "encrypted_secret_key"])
def test_a_storage_token_becomes_a_rotating_one_and_back(
    workspace: Workspace, crusoe: Crusoe, name: str
) -> None:
    """There and back without a change at Crusoe, as long as there is one key."""
    body = 'expires_after = "90d"\n  rotate_when_changed = { n = "1" }'
    if name == "encrypted_secret_key":
        body += f'\n  encrypt_to = ["{AGE}"]'
    workspace.write(moved("token", body, "crusoe_storage_token.before"))
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()
    secret = workspace.instances()[ADDRESS].attributes[name]
    assert secret
    for kind, address, source in (
        ("rotating_token", ROTATING, ADDRESS),
        ("token", ADDRESS, ROTATING),
    ):
        workspace.write(moved(kind, body, source))

        plan = workspace.plan(out="p").succeeded()

        assert plan.actions == {}
        assert plan.changes[address].previous_address == source
        workspace.apply("p").succeeded()
        assert workspace.instances()[address].attributes[name] == secret
        assert workspace.plan("-detailed-exitcode").exit_code == 0
    assert crusoe.simulator.cloud.keys() == [key]


def test_two_keys_do_not_become_one(workspace: Workspace, crusoe: Crusoe) -> None:
    """Nothing changes; the message says how to get there."""
    for n in (1, 2):
        workspace.write(
            f'resource "crusoe_storage_rotating_token" "ci" {{\n  alias = "ci-uploads"\n'
            f'  rotate_when_changed = {{ n = "{n}" }}\n}}\n'
        )
        workspace.apply().succeeded()
    workspace.write(moved("token", "", ROTATING))

    error = workspace.plan().failed_with("Two keys do not fit one storage token")

    assert "revoke_previous_after" in error.detail
    assert len(crusoe.simulator.cloud.keys()) == 2


def test_anything_else_cannot_be_moved(both: Workspace, crusoe: Crusoe) -> None:
    """The diagnostic says how to take it over all the same."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci-uploads")
    write_state(both, "crusoe_storage_bucket", vendor_attributes(key))
    main = both.folder / "main.tf"
    main.write_text(
        main.read_text().replace("crusoe_storage_s3_key.ci", "crusoe_storage_bucket.ci")
    )

    error = both.plan().failed_with("Move is not supported")

    assert "import" in error.detail
