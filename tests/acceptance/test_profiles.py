"""Many users in one provider block: a profile for each object."""

import json
import time

import pytest
from werkzeug.wrappers import Request, Response

from harness.workspace import Workspace
from support.profiles import add_users, provider_block, token, write_file
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
REFUSED = "Plan needs more storage tokens than a user may have"
NAMES = ("backups", "ci", "training")
SERVICES = """
resource "crusoe_storage_token" "service" {
  for_each = toset(["backups", "ci", "training"])

  profile = each.key
  alias   = each.key
}
"""


def owners(crusoe: Crusoe) -> dict[str, str]:
    """Return the users of all keys by alias."""
    keys = crusoe.simulator.cloud.keys()
    return {key.alias: key.user_id for key in keys}


# -- Where profiles come from ----------------------------------------------------------------------


def test_each_token_belongs_to_the_user_of_its_profile(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Refresh and destruction use the same credentials; each user costs one list."""
    users = add_users(crusoe, NAMES)
    write_file(workspace.home, users)
    workspace.write(SERVICES)
    requests = crusoe.simulator.api.requests

    workspace.apply().succeeded()
    assert owners(crusoe) == {name: user.id for name, user in users.items()}
    requests.clear()
    assert workspace.plan("-detailed-exitcode").exit_code == 0
    asked = sorted((r.operation, r.user) for r in requests.all())
    workspace.destroy().succeeded()

    assert asked == [("list", user.email) for user in users.values()]
    assert crusoe.simulator.cloud.keys() == []


def test_profiles_of_the_block_may_be_ephemeral_and_go_before_those_of_the_file(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """A pipeline needs no file, and no credential of its own; no secret is stored or logged."""
    users = add_users(crusoe, ("ci",))
    (impostor,) = add_users(crusoe, ("impostor",)).values()
    write_file(workspace.home, {"ci": impostor})
    del workspace.variables["CRUSOE_ACCESS_KEY_ID"], workspace.variables["CRUSOE_SECRET_KEY"]
    workspace.variables["TF_VAR_profiles"] = (
        f'{{"ci": {{"access_key_id": "{users["ci"].access_key_id}", '
        f'"secret_key": "{users["ci"].secret_key}"}}}}'
    )
    workspace.write(
        """
        variable "profiles" {
          type      = map(object({ access_key_id = string, secret_key = string }))
          ephemeral = true
          sensitive = true
        }
        provider "crusoe" {
          profiles = var.profiles
        }
        """
        + token("t", "ci")
    )

    result = workspace.apply(log="TRACE").succeeded()
    destroyed = workspace.destroy().succeeded()

    ours = [line for line in result.log.splitlines() if "provider.crusoe_provider" in line]
    (created,) = crusoe.simulator.api.requests.all("create")
    assert created.user == users["ci"].email
    for secret in (users["ci"].secret_key, impostor.secret_key):
        assert secret not in result.text + destroyed.text
        assert not any(secret in line for line in ours)
    assert any("profile=ci" in line for line in ours)


def test_an_object_without_a_profile_needs_credentials_of_the_block(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The error is on that object alone, and names both ways."""
    users = add_users(crusoe, ("ci",))
    workspace.variables = {"CRUSOE_API_ENDPOINT": crusoe.simulator.endpoint}
    workspace.write(provider_block(users) + token("a", "ci") + token("b"))

    error = workspace.apply().failed_with(
        "Missing Crusoe credentials", address="crusoe_storage_token.b"
    )

    assert '"ci"' in error.detail
    assert owners(crusoe) in ({}, {"a": users["ci"].id})
    workspace.write(provider_block(users) + token("a", "ci"))
    workspace.apply().succeeded()
    assert owners(crusoe) == {"a": users["ci"].id}


def test_a_profile_that_does_not_exist_is_an_error_on_the_argument(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """It lists those that do; nothing of any other object is affected."""
    users = add_users(crusoe, ("ci", "backups"))
    write_file(workspace.home, {"ci": users["ci"]})
    block = provider_block({"backups": users["backups"]})
    workspace.write(block + token("a", "ci"))
    workspace.apply().succeeded()
    workspace.write(block + token("a", "ci") + token("b", "cii"))

    plan = workspace.plan()

    error = plan.failed_with(
        "Unknown profile", address="crusoe_storage_token.b", attribute="profile"
    )
    assert len(plan.errors) == 1
    assert '"backups", "ci"' in error.detail
    for user in users.values():
        assert user.secret_key not in plan.text


@pytest.mark.parametrize(
    ("entry", "summary"),
    [
        ('{ access_key_id = "", secret_key = "c2VjcmV0" }', "Incomplete credentials"),
        ('{ access_key_id = "CK ID", secret_key = "c2VjcmV0" }', "Invalid access key ID"),
        ('{ access_key_id = "CKID", secret_key = "not base64!" }', "Invalid secret key"),
    ],
)
def test_a_bad_entry_is_found_by_validate(workspace: Workspace, entry: str, summary: str) -> None:
    """Without files, network and credentials."""
    workspace.write(f'provider "crusoe" {{\n  profiles = {{ ci = {entry} }}\n}}\n' + token("t"))

    error = workspace.validate().failed_with(summary, attribute="profiles")

    assert "ci" in error.detail
    assert "not base64!" not in error.detail


def test_the_example_serves_every_service(workspace: Workspace, crusoe: Crusoe) -> None:
    """From an ephemeral variable, without credentials in the environment."""
    users = add_users(crusoe, NAMES)
    del workspace.variables["CRUSOE_ACCESS_KEY_ID"], workspace.variables["CRUSOE_SECRET_KEY"]
    pairs = {
        name: {"access_key_id": user.access_key_id, "secret_key": user.secret_key}
        for name, user in users.items()
    }
    workspace.variables["TF_VAR_crusoe_profiles"] = json.dumps(pairs)
    workspace.use_example("service-tokens")

    workspace.apply().succeeded()

    assert owners(crusoe) == {name: user.id for name, user in users.items()}
    assert workspace.output_json()["free_slots"] == dict.fromkeys(NAMES, 1)
    assert workspace.plan("-detailed-exitcode").exit_code == 0


# -- Changes ---------------------------------------------------------------------------------------


def test_another_user_replaces_the_token_with_both_users_credentials(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The old one is revoked by its owner, the new one made by the new user."""
    users = add_users(crusoe, ("a", "b"))
    write_file(workspace.home, users)
    workspace.write(token("t", "a"))
    workspace.apply().succeeded()
    workspace.write(token("t", "b"))

    plan = workspace.plan(out="p")

    assert plan.actions == {ADDRESS: "replace"}
    assert plan.changes[ADDRESS].replaced_because_of == {"profile"}
    workspace.apply("p").succeeded()
    assert owners(crusoe) == {"t": users["b"].id}
    (deleted,) = crusoe.simulator.api.requests.all("delete")
    assert deleted.user == users["a"].email
    assert workspace.plan().actions == {}


def test_another_name_of_the_same_user_changes_in_place(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Also with another API key of that user, and to the credentials of the block and back."""
    again = crusoe.simulator.cloud.add_api_key(crusoe.user)
    write_file(workspace.home, {"one": crusoe.user, "two": again})
    workspace.write(token("t", "one"))
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()

    for profile in ("two", None, "", "one"):
        workspace.write(token("t", profile))
        assert set(workspace.plan().actions.values()) <= {"update"}
        workspace.apply().succeeded()
        assert workspace.instances()[ADDRESS].attributes["profile"] == profile
        assert workspace.plan().actions == {}

    assert crusoe.simulator.cloud.keys() == [key]


def test_a_profile_that_has_got_another_name_is_taken_up_without_a_refresh(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The state still has the old one; the message says how."""
    users = add_users(crusoe, ("old",))
    write_file(workspace.home, users)
    workspace.write(token("t", "old"))
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()
    write_file(workspace.home, {"new": users["old"]})
    workspace.write(token("t", "new"))

    error = workspace.plan().failed_with("Unknown profile")
    assert "-refresh=false" in error.detail
    workspace.apply("-refresh=false").succeeded()

    assert workspace.plan().actions == {}
    assert crusoe.simulator.cloud.keys() == [key]


def test_a_profile_known_after_the_apply_only_is_planned_honestly(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """A creation passes; an existing token is to be replaced, for all that is known."""
    users = add_users(crusoe, ("a", "b"))
    write_file(workspace.home, users)
    text = """
        resource "terraform_data" "profile" {
          triggers_replace = "{value}"
          input            = "{value}"
        }
        resource "crusoe_storage_token" "t" {
          alias   = "t"
          profile = terraform_data.profile.output
        }
        """
    workspace.write(text.replace("{value}", "a"))
    created = workspace.plan()
    workspace.apply().succeeded()
    workspace.write(text.replace("{value}", "b"))
    replaced = workspace.plan()
    workspace.apply().succeeded()

    assert created.actions[ADDRESS] == "create"
    assert "profile" in created.changes[ADDRESS].unknown
    assert replaced.actions[ADDRESS] == "replace"
    assert owners(crusoe) == {"t": users["b"].id}


def test_a_rotating_token_has_a_profile_too(workspace: Workspace, crusoe: Crusoe) -> None:
    """It rotates as that user; another name of the user rotates nothing, another user replaces."""
    users = add_users(crusoe, ("a", "b"))
    write_file(workspace.home, users | {"again": users["a"]})
    address = "crusoe_storage_rotating_token.t"
    text = (
        'resource "crusoe_storage_rotating_token" "t" {{\n  alias = "t"\n  profile = "{}"\n'
        '  rotate_when_changed = {{ n = "{}" }}\n}}\n'
    )
    workspace.write(text.format("a", 1))
    workspace.apply().succeeded()
    workspace.write(text.format("a", 2))
    workspace.apply().succeeded()
    keys = crusoe.simulator.cloud.keys()
    workspace.write(text.format("again", 2))
    renamed = workspace.plan()
    assert renamed.actions == {address: "update"}
    assert renamed.changes[address].unknown == frozenset()

    workspace.apply().succeeded()

    assert len(keys) == 2
    assert crusoe.simulator.cloud.keys() == keys
    assert workspace.plan().actions == {}
    workspace.write(text.format("b", 2))
    workspace.apply().succeeded()
    assert owners(crusoe) == {"t": users["b"].id}


# -- Whose tokens they are -------------------------------------------------------------------------


def test_credentials_of_somebody_else_drop_nothing(workspace: Workspace, crusoe: Crusoe) -> None:
    """The error names the profile; the token stays in the state."""
    users = add_users(crusoe, ("ci", "other"))
    write_file(workspace.home, users)
    workspace.write(token("t", "ci"))
    workspace.apply().succeeded()
    write_file(workspace.home, {"ci": users["other"]})
    crusoe.simulator.cloud.list_scope = "caller"

    error = workspace.plan().failed_with("Storage token belongs to another user")

    assert 'profile "ci"' in error.detail
    assert users["other"].email in error.detail
    assert ADDRESS in workspace.instances()
    assert owners(crusoe) == {"t": users["ci"].id}


@pytest.mark.parametrize("form", ["{id}@{profile}", "{org}/{key}@{profile}"])
def test_an_import_names_the_profile(workspace: Workspace, crusoe: Crusoe, form: str) -> None:
    """As aws does with regions; names of profiles may have an "@"."""
    profile = "ci@acme"
    users = add_users(crusoe, (profile,))
    write_file(workspace.home, users)
    key = crusoe.simulator.cloud.add_key(users[profile], alias="t")
    workspace.write(token("t", profile))

    without = workspace.import_(ADDRESS, key.key_uuid).failed_with("Storage token not found")
    workspace.import_(
        ADDRESS,
        form.format(
            id=key.key_uuid, key=key.access_key_id, org=crusoe.organization.id, profile=profile
        ),
    ).succeeded()

    assert "@<profile>" in without.detail.replace("\n", " ")
    assert workspace.instances()[ADDRESS].attributes["profile"] == profile
    assert workspace.plan().actions == {}


@pytest.mark.needs_terraform("1.14")
def test_profile_is_an_optional_part_of_the_identity(workspace: Workspace, crusoe: Crusoe) -> None:
    """In an import; and another name of the same user is still a change in place."""
    users = add_users(crusoe, ("ci",))
    write_file(workspace.home, users | {"again": users["ci"]})
    key = crusoe.simulator.cloud.add_key(users["ci"], alias="t")
    imported = (
        f"import {{\n  to = {ADDRESS}\n  identity = {{\n"
        f'    access_key_id = "{key.access_key_id}"\n    profile = "ci"\n  }}\n}}\n'
    )
    workspace.write(token("t", "ci") + imported)
    workspace.apply().succeeded()
    workspace.write(token("t", "again"))

    assert workspace.plan().actions == {ADDRESS: "update"}
    workspace.apply().succeeded()

    assert workspace.plan().actions == {}
    assert crusoe.simulator.cloud.keys() == [key]


def test_aliases_of_the_provider_become_profiles_without_a_replacement(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The recipe of the guide: `moved`, and one apply without a refresh."""
    users = add_users(crusoe, ("backups", "ci"))
    write_file(workspace.home, users)
    workspace.write(
        "".join(
            f'provider "crusoe" {{\n  alias = "{name}"\n  profile = "{name}"\n}}\n'
            f'resource "crusoe_storage_token" "{name}" {{\n  provider = crusoe.{name}\n'
            f'  alias = "{name}"\n}}\n'
            for name in users
        )
    )
    workspace.apply().succeeded()
    keys = crusoe.simulator.cloud.keys()
    workspace.write(
        SERVICES.replace('["backups", "ci", "training"]', '["backups", "ci"]')
        + "".join(
            f"moved {{\n  from = crusoe_storage_token.{name}\n"
            f'  to = crusoe_storage_token.service["{name}"]\n}}\n'
            for name in users
        )
    )

    plan = workspace.plan("-refresh=false", out="p")

    assert set(plan.actions.values()) == {"update"}
    workspace.apply("p").succeeded()
    assert workspace.plan("-detailed-exitcode").exit_code == 0
    assert crusoe.simulator.cloud.keys() == keys


# -- The limit -------------------------------------------------------------------------------------


def test_every_user_has_a_quota_and_the_refusal_names_its_profile(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Two each pass; a third of one user is refused, with the lines that lead out."""
    users = add_users(crusoe, ("a", "b"))
    write_file(workspace.home, users)
    two_each = "".join(token(f"{name}{n}", name) for name in users for n in (1, 2))
    workspace.write(two_each)
    workspace.apply().succeeded()
    workspace.write(two_each + token("a3", "a"))

    plan = workspace.plan()

    error = plan.failed_with(REFUSED, address="crusoe_storage_token.a3")
    assert len(plan.errors) == 1
    assert 'profile "a"' in error.detail
    assert users["a"].email in error.detail
    assert 'profile = "NAME"' in error.detail
    assert len(crusoe.simulator.cloud.keys()) == 4


def test_two_profiles_of_one_user_share_the_quota(workspace: Workspace, crusoe: Crusoe) -> None:
    """Exactly: what one of them frees or keeps counts for the other, whoever comes first."""
    again = crusoe.simulator.cloud.add_api_key(crusoe.user)
    write_file(workspace.home, {"one": crusoe.user, "two": again})
    workspace.write(token("a", "one") + token("b", "two") + token("c", "one"))
    workspace.plan().failed_with(REFUSED)
    workspace.write(token("a", "one") + token("b", "two"))
    workspace.apply().succeeded()

    workspace.write(token("a", "one") + token("b", "two") + token("c", "two"))
    workspace.plan().failed_with(REFUSED)
    workspace.plan("-refresh=false").failed_with(REFUSED)
    # One goes, one comes, under the other name.
    workspace.write(token("a", "one") + token("c", "one"))
    workspace.apply().succeeded()

    assert sorted(crusoe.aliases()) == ["a", "c"]


# -- Trouble ---------------------------------------------------------------------------------------


def test_the_trouble_of_one_user_is_no_trouble_of_the_others(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Wrong credentials, a missing permission: each an error of its own, the rest is done."""
    users = add_users(crusoe, ("a", "b"))
    wrong = crusoe.simulator.cloud.add_user("wrong@acme.example", crusoe.organization)
    stranger = crusoe.simulator.cloud.add_user("stranger@acme.example")
    stolen = {"wrong": wrong, "stranger": stranger}
    write_file(workspace.home, users | stolen)
    file = workspace.home / ".crusoe" / "config"
    file.write_text(file.read_text().replace(wrong.secret_key, "d3Jvbmctc2VjcmV0LWtleQ"))
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    block = 'provider "crusoe" {\n  key_limit = 0\n}\n'
    workspace.write(block + "".join(token(name, name) for name in users | stolen))

    result = workspace.apply().failed()

    assert owners(crusoe) == {name: user.id for name, user in users.items()}
    told = {error.address: error.detail for error in result.errors}
    assert set(told) == {"crusoe_storage_token.wrong", "crusoe_storage_token.stranger"}
    for name in stolen:
        assert f'profile "{name}"' in told[f"crusoe_storage_token.{name}"]
    workspace.write(block + "".join(token(name, name) for name in users))
    assert workspace.plan().actions == {}


def test_a_slow_user_does_not_hold_up_the_others(workspace: Workspace, crusoe: Crusoe) -> None:
    """Replacements with both slots taken are through while a creation of somebody else hangs."""
    users = add_users(crusoe, ("quick", "slow"))
    write_file(workspace.home, users)
    both = token("quick1", "quick") + token("quick2", "quick")
    workspace.write(both)
    workspace.apply().succeeded()
    requests = crusoe.simulator.api.requests
    requests.clear()

    def wait(request: Request, _response: Response) -> None:
        if request.method == "POST" and users["slow"].access_key_id in str(request.headers):
            time.sleep(8)

    crusoe.simulator.api.observers.append(wait)
    workspace.write(both + token("slow1", "slow"))

    workspace.apply(
        "-replace=crusoe_storage_token.quick1", "-replace=crusoe_storage_token.quick2"
    ).succeeded()

    (slow,) = (r for r in requests.all("create") if r.user == users["slow"].email)
    quick = [r for r in requests.all() if r.user == users["quick"].email]
    assert len([r for r in quick if r.operation == "create"]) == 2
    assert max(r.finished for r in quick) < slow.finished


# -- Elements --------------------------------------------------------------------------------------


def test_data_sources_and_ephemeral_tokens_have_a_profile_too(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """They look, and borrow, as that user."""
    users = add_users(crusoe, ("ci",))
    write_file(workspace.home, users)
    key = crusoe.simulator.cloud.add_key(users["ci"], alias="there")
    crusoe.simulator.cloud.list_scope = "caller"
    workspace.write(
        """
        data "crusoe_storage_token" "one" {
          profile = "ci"
          alias   = "there"
        }
        data "crusoe_storage_tokens" "all" {
          profile = "ci"
        }
        ephemeral "crusoe_storage_token" "lent" {
          profile = "ci"
        }
        output "found" {
          value = [
            data.crusoe_storage_token.one.id,
            data.crusoe_storage_tokens.all.keys_used,
            data.crusoe_storage_tokens.all.profile,
          ]
        }
        """
    )

    workspace.apply().succeeded()

    assert workspace.output_json()["found"][0] == key.key_uuid
    assert workspace.output_json()["found"][2] == "ci"
    assert {r.user for r in crusoe.simulator.api.requests.all()} == {users["ci"].email}
    # In the plan, and in the apply unless it is OpenTofu: nothing refers to it.
    assert crusoe.simulator.api.requests.all("create")
    assert crusoe.simulator.cloud.keys() == [key]
