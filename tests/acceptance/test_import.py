"""Taking over tokens that exist already."""

import json

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.state import Key
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
UNKNOWN_SECRET = "Secret of the imported storage token is unknown"
NOT_FOUND = "Storage token not found"


@pytest.fixture
def key(crusoe: Crusoe) -> Key:
    """A key that somebody has made in the console."""
    return crusoe.simulator.cloud.add_key(crusoe.user, alias="t")


@pytest.mark.parametrize("form", ["{uuid}", "{access}", "{org}/{uuid}", "{org}/{access}"])
def test_a_token_is_imported_by_either_id(
    workspace: Workspace, crusoe: Crusoe, key: Key, form: str
) -> None:
    """The secret cannot be read, which is said, and replaces nothing."""
    identifier = form.format(
        uuid=key.key_uuid, access=key.access_key_id, org=crusoe.organization.id
    )
    workspace.write(TOKEN)

    result = workspace.import_(ADDRESS, identifier).succeeded()

    result.warned_of(UNKNOWN_SECRET)
    state = workspace.instances()[ADDRESS].attributes
    assert (state["id"], state["access_key_id"]) == (key.key_uuid, key.access_key_id)
    assert state["secret_key"] is None
    assert workspace.plan().actions == {}


def test_the_secret_of_an_imported_token_can_be_given(workspace: Workspace, key: Key) -> None:
    """From the environment, so that it is in no command line; it appears in no output."""
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = key.secret_key
    workspace.write(TOKEN)

    result = workspace.import_(ADDRESS, key.key_uuid).succeeded()

    assert result.warnings == ()
    assert key.secret_key not in result.text
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    assert workspace.plan().actions == {}
    assert workspace.instances()[ADDRESS].attributes["secret_key"] == key.secret_key


def test_a_generated_configuration_plans_with_no_changes(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """`terraform plan -generate-config-out`, with an expiry and without."""
    cloud = crusoe.simulator.cloud
    keys = [
        cloud.add_key(crusoe.user, alias="a", expire_at="2040-01-01T00:00:00Z"),
        cloud.add_key(crusoe.user),
    ]
    workspace.write(
        "".join(
            f'import {{\n  to = crusoe_storage_token.t{n}\n  id = "{key.key_uuid}"\n}}\n'
            for n, key in enumerate(keys)
        )
    )

    plan = workspace.plan("-generate-config-out=generated.tf", out="p").succeeded()

    assert plan.actions == {}
    assert len(plan.changes) == 2
    workspace.apply("p").succeeded()
    assert workspace.plan().actions == {}
    assert cloud.keys() == sorted(keys, key=lambda key: key.created_at)


def test_an_imported_token_takes_up_renewal_and_rotation_without_a_replacement(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Adopting them is no reason for a new secret; nor is the missing one."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="t", expire_at="2040-01-01T00:00:00Z")
    workspace.write(
        f"""
        import {{
          to = {ADDRESS}
          id = "{key.key_uuid}"
        }}
        resource "crusoe_storage_token" "t" {{
          alias               = "t"
          expires_after       = "90d"
          renew_before        = "14d"
          rotate_when_changed = {{ n = "1" }}
        }}
        """
    )

    plan = workspace.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "update"}
    workspace.apply("p").succeeded()
    assert crusoe.simulator.cloud.keys() == [key]
    assert workspace.plan().actions == {}


def test_an_imported_token_without_an_expiry_is_replaced_by_one_that_has(
    workspace: Workspace, crusoe: Crusoe, key: Key
) -> None:
    """Crusoe cannot give it one. `rotate_when_changed` replaces nothing."""
    block = f'import {{\n  to = {ADDRESS}\n  id = "{key.key_uuid}"\n}}\n'
    block += 'resource "crusoe_storage_token" "t" {\n  alias = "t"\n  %s\n}\n'

    workspace.write(block % 'rotate_when_changed = { n = "1" }')
    assert workspace.plan().actions == {ADDRESS: "update"}
    workspace.write(block % 'expires_after = "90d"\n  renew_before = "14d"')
    plan = workspace.plan()

    assert plan.succeeded().actions == {ADDRESS: "replace"}
    assert plan.changes[ADDRESS].replaced_because_of == {"expires_at"}
    assert crusoe.simulator.cloud.keys() == [key]


@pytest.mark.parametrize("identifier", ["nothing-like-it", "", "/", "x/y/z"])
def test_an_unknown_id_is_told_with_what_there_is(
    workspace: Workspace, key: Key, identifier: str
) -> None:
    """So that the right one can be copied."""
    workspace.write(TOKEN)

    result = workspace.import_(ADDRESS, identifier).failed()

    assert workspace.instances() == {}
    if identifier == "nothing-like-it":
        text = " ".join(result.failed_with(NOT_FOUND).detail.split())
        assert key.key_uuid in text
        assert key.access_key_id in text


def test_a_token_of_another_user_cannot_be_imported(workspace: Workspace, crusoe: Crusoe) -> None:
    """It could not be deleted, nor its absence believed."""
    other = crusoe.simulator.cloud.add_user("ops@acme.example", crusoe.organization)
    key = crusoe.simulator.cloud.add_key(other, alias="t")
    workspace.write(TOKEN)

    error = workspace.import_(ADDRESS, key.key_uuid).failed_with(NOT_FOUND)

    assert other.id in error.detail


# -- A rotating token ------------------------------------------------------------------------------

ROTATING = "crusoe_storage_rotating_token.t"


@pytest.mark.parametrize("form", ["{a}", "{a_id}", "{a},{b}", "{a_id},{b_id}", "{org}/{a}, {b_id}"])
def test_a_rotating_token_is_imported_by_one_key_or_two(
    workspace: Workspace, crusoe: Crusoe, form: str
) -> None:
    """The current one first; the secret that is given is its own."""
    a, b = (crusoe.simulator.cloud.add_key(crusoe.user, alias="t") for _ in range(2))
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = a.secret_key
    workspace.write(TOKEN.replace("storage_token", "storage_rotating_token"))
    identifier = form.format(
        a=a.access_key_id,
        a_id=a.key_uuid,
        b=b.access_key_id,
        b_id=b.key_uuid,
        org=crusoe.organization.id,
    )

    workspace.import_(ROTATING, identifier).succeeded()

    state = workspace.instances()[ROTATING].attributes
    assert (state["id"], state["access_key_id"]) == (a.key_uuid, a.access_key_id)
    assert (state["secret_key"], state["generation"]) == (a.secret_key, 1)
    two = "," in form
    assert state["previous_access_key_id"] == (b.access_key_id if two else None)
    assert state["previous_secret_key"] is None
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    assert workspace.plan().actions == {}


@pytest.mark.parametrize("identifier", ["{a},nothing", "nothing,{a}", "{a},{a}", "{a},", ","])
def test_an_unknown_key_imports_no_rotating_token(
    workspace: Workspace, key: Key, identifier: str
) -> None:
    """Nor does one key that is to be both."""
    workspace.write(TOKEN.replace("storage_token", "storage_rotating_token"))

    result = workspace.import_(ROTATING, identifier.format(a=key.access_key_id))

    result.failed_with(NOT_FOUND)
    assert workspace.instances() == {}


def test_an_empty_id_names_no_key(workspace: Workspace, crusoe: Crusoe) -> None:
    """Not one that is listed without a token ID either; Terraform would revoke it in time."""
    mine = [{"access_key_id": f"CKIA{n}", "user_id": crusoe.user.id} for n in (1, 2)]
    listed = Answer(200, json.dumps({"items": mine}))
    crusoe.simulator.faults.add(Fault("list", times=None, answer=listed))
    workspace.write('resource "crusoe_storage_rotating_token" "r" {}\n' + TOKEN)

    workspace.import_("crusoe_storage_rotating_token.r", "CKIA1,").failed_with(NOT_FOUND)
    workspace.import_(ADDRESS, f"{crusoe.organization.id}/").failed_with(NOT_FOUND)

    assert workspace.instances() == {}


def test_one_secret_is_not_given_to_two_tokens(workspace: Workspace, crusoe: Crusoe) -> None:
    """A second use is an error that names both."""
    keys = [crusoe.simulator.cloud.add_key(crusoe.user, alias=alias) for alias in ("a", "b")]
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = keys[0].secret_key
    workspace.write(
        "".join(
            f'resource "crusoe_storage_token" "{key.alias}" {{\n  alias = "{key.alias}"\n}}\n'
            f'import {{\n  to = crusoe_storage_token.{key.alias}\n  id = "{key.key_uuid}"\n}}\n'
            for key in keys
        )
    )

    error = workspace.plan().failed_with("One secret for two imported tokens")

    assert all(key.key_uuid in error.detail for key in keys)
    assert keys[0].secret_key not in error.detail


def test_an_import_that_was_not_finished_takes_no_other_tokens_secret(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """It waits for its own, which a run without the other import gives it."""
    first, second = (crusoe.simulator.cloud.add_key(crusoe.user, alias=alias) for alias in "ab")
    tokens = [
        f'resource "crusoe_storage_token" "{key.alias}" {{\n  alias = "{key.alias}"\n%s}}\n'
        for key in (first, second)
    ]
    imports = [
        f'import {{\n  to = crusoe_storage_token.{key.alias}\n  id = "{key.key_uuid}"\n}}\n'
        for key in (first, second)
    ]
    failing = (
        'resource "terraform_data" "f" {\n  provisioner "local-exec" {\n'
        '    command = "exit 1"\n  }\n}\n'
    )
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = first.secret_key
    workspace.write(failing + imports[0] + tokens[0] % "  depends_on = [terraform_data.f]\n")
    workspace.apply().failed_with("local-exec provisioner error")
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = second.secret_key
    workspace.write(tokens[0] % "" + imports[1] + tokens[1] % "")

    error = workspace.plan().failed_with("One secret for two imported tokens")

    assert second.key_uuid in error.detail
    assert first.access_key_id in error.detail
    for key, text in (
        (first, tokens[0] % ""),
        (second, tokens[0] % "" + imports[1] + tokens[1] % ""),
    ):
        workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = key.secret_key
        workspace.write(text)
        workspace.apply().succeeded()
    stored = workspace.instances()
    for key in (first, second):
        state = stored[f"crusoe_storage_token.{key.alias}"].attributes
        assert state["secret_key"] == key.secret_key
