"""Reality that has moved: what the next plan says of it."""

import pytest

from crusoe_simulator.faults import Answer, Fault
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
ADDRESS = "crusoe_storage_token.t"


@pytest.fixture
def applied(workspace: Workspace) -> Workspace:
    """A workspace with one token in its state."""
    workspace.write(TOKEN)
    workspace.apply().succeeded()
    return workspace


def test_a_token_deleted_elsewhere_is_planned_anew(applied: Workspace, crusoe: Crusoe) -> None:
    """The warning says which it was and when it was last seen; the apply makes a new one."""
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.cloud.remove_key(key.key_uuid)

    plan = applied.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "create"}
    warning = plan.warned_of("Storage token no longer exists")
    assert key.access_key_id in warning.detail
    assert f"last seen there on {key.created_at[:10]}" in warning.detail
    applied.apply("p").succeeded()
    assert crusoe.aliases() == ["t"]


def test_destroying_a_token_deleted_elsewhere_succeeds(applied: Workspace, crusoe: Crusoe) -> None:
    """With and without a refresh before."""
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.cloud.remove_key(key.key_uuid)

    applied.destroy("-refresh=false").succeeded()

    assert applied.instances() == {}


def test_a_disabled_token_is_kept_and_warned_about(applied: Workspace, crusoe: Crusoe) -> None:
    """It still takes a slot, and may be enabled again."""
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.cloud.change_key(key.key_uuid, status="disabled")

    plan = applied.plan().succeeded()

    assert plan.actions == {}
    assert key.access_key_id in plan.warned_of("Storage token is disabled").detail


def test_an_alias_and_an_expiry_changed_elsewhere_show_as_drift(
    applied: Workspace, crusoe: Crusoe
) -> None:
    """The plan names what has changed, and sets it right by a replacement."""
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.cloud.change_key(key.key_uuid, alias="other", expire_at="2040-01-01T00:00:00Z")

    plan = applied.plan().succeeded()

    assert plan.actions == {ADDRESS: "replace"}
    assert plan.changes[ADDRESS].replaced_because_of == {"alias", "expires_at"}
    (drift,) = plan.document["resource_drift"]
    assert drift["change"]["after"]["alias"] == "other"


@pytest.mark.parametrize("change", ["alias", "expire_at"])
def test_an_empty_value_is_no_value(applied: Workspace, crusoe: Crusoe, change: str) -> None:
    """The API spells "none" in several ways, 1970 among them."""
    (key,) = crusoe.simulator.cloud.keys()
    applied.write(TOKEN.replace('alias = "t"', ""))
    for value in ("", "1970-01-01T00:00:00Z") if change == "expire_at" else ("",):
        crusoe.simulator.cloud.change_key(key.key_uuid, **{"alias": "", change: value})
        applied.refresh().succeeded()

        assert applied.plan().actions == {}


def test_absence_proves_nothing_with_the_credentials_of_somebody_else(
    applied: Workspace, crusoe: Crusoe
) -> None:
    """Another user is not shown the token; a second key would leave this one orphaned."""
    cloud = crusoe.simulator.cloud
    cloud.list_scope = "caller"
    other = cloud.add_user("ops@acme.example", crusoe.organization)
    applied.variables |= crusoe.variables(other)
    before = applied.state()

    plan = applied.plan()
    destroyed = applied.destroy("-refresh=false")
    cloud.list_scope = "organization"
    shown = applied.destroy()

    error = plan.failed_with("Storage token belongs to another user")
    assert crusoe.user.id in error.detail
    assert "ops@acme.example" in error.detail
    assert "CRUSOE_ACCESS_KEY_ID" in error.detail
    destroyed.failed_with("Storage token belongs to another user")
    # A list that shows the tokens of all users shows it still, which is no fault of Crusoe's.
    shown.failed_with("Storage token belongs to another user")
    assert len(cloud.keys()) == 1
    assert (before or {})["resources"] == (applied.state() or {})["resources"]


WRONG_ANSWERS = {
    "401": Answer(401, '{"code": "bad_credential", "message": "no"}'),
    "403": Answer(403, '{"code": "unauthorized", "message": "no"}'),
    "404": Answer(404, '{"code": "not_found", "message": "no"}'),
    "429": Answer(429, ""),
    "500": Answer(500, '{"code": "internal_error", "message": "no"}'),
    "502 in HTML": Answer(502, "<html>Bad gateway</html>", "text/html"),
    "HTML": Answer(200, "<html>Welcome to the hotel's network</html>", "text/html"),
    "a redirect": Answer(302, "", headers={"Location": "https://login.example/"}),
    "nothing": Answer(200, ""),
    "half a document": Answer(200, '{"items": [{"key_uuid": "1'),
    "another type": Answer(200, "[]"),
    "a page": Answer(200, '{"items": [], "next_page_token": "2"}'),
}


@pytest.mark.parametrize("body", ["{}", '{"items": [{"alias": "t"}]}'])
def test_a_list_that_proves_nothing_drops_no_token(
    applied: Workspace, crusoe: Crusoe, body: str
) -> None:
    """It is empty without saying so, or has an entry that may be any key: the token stays."""
    crusoe.simulator.faults.add(Fault("list", times=None, answer=Answer(200, body)))

    plan = applied.plan()

    plan.warned_of("Storage token not in the list")
    assert plan.actions == {}


def test_an_answer_that_is_no_list_leaves_the_state_alone(
    applied: Workspace, crusoe: Crusoe, subtests: pytest.Subtests
) -> None:
    """It is an error with advice; the token is neither forgotten nor planned anew."""
    applied.write('provider "crusoe" {\n  max_retries = 0\n}\n' + TOKEN)
    before = applied.state()
    for name, answer in WRONG_ANSWERS.items():
        with subtests.test(name):
            crusoe.simulator.faults.add(Fault("list", times=None, answer=answer))

            # It reads, and would store what it has read.
            refreshed = applied.refresh()

            error = refreshed.failed_with("Storage token not read", address=ADDRESS)
            assert "\n\n" in error.detail
            crusoe.simulator.faults.clear()
    assert applied.state() == before
    assert applied.plan().actions == {}


def test_a_new_token_that_the_list_does_not_show_is_kept_and_completed_later(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The secret is safe; the next plan still waits for it, and one after that fills it in."""
    crusoe.simulator.cloud.list_lag = -1
    workspace.write(TOKEN)

    applied = workspace.apply().succeeded()
    lagging = workspace.plan().succeeded()

    applied.warned_of("Storage token created, but not yet listed", address=ADDRESS)
    (key,) = crusoe.simulator.cloud.keys()
    state = workspace.instances()[ADDRESS]
    assert (state.attributes["secret_key"], state.attributes["id"]) == (key.secret_key, None)
    assert not state.tainted
    assert lagging.actions == {}
    lagging.warned_of("Storage token not yet listed")
    crusoe.simulator.cloud.show_all_keys()
    workspace.apply().succeeded()
    assert workspace.instances()[ADDRESS].attributes["id"] == key.key_uuid
    assert workspace.plan().succeeded().diagnostics == ()


def test_a_list_that_lags_a_little_is_waited_for(workspace: Workspace, crusoe: Crusoe) -> None:
    """Without a word: the token is there, whole."""
    crusoe.simulator.cloud.list_lag = 1
    workspace.write(TOKEN)

    applied = workspace.apply().succeeded()

    assert applied.warnings == ()
    assert workspace.instances()[ADDRESS].attributes["status"] == "enabled"
