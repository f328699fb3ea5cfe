"""Expiry, renewal, rotation: when a token is replaced, and when it is not."""

from datetime import timedelta

import pytest

from harness.workspace import Workspace
from support.clock_fixtures import MovableTime, instant
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"


def token(*lines: str) -> str:
    """Return a resource block with these arguments."""
    return 'resource "crusoe_storage_token" "t" {\n' + "".join(f"  {x}\n" for x in lines) + "}\n"


# -- What validate finds ---------------------------------------------------------------------------

MISTAKES = [
    *(
        ((f'expires_at = "{text}"',), "Invalid expiry", "expires_at")
        for text in (
            "2040-01-01",
            "2040-01-01T00:00:00",
            "2040-13-01T00:00:00Z",
            "tomorrow",
            "1893456000",
        )
    ),
    *(
        ((f'expires_after = "{text}"',), "Invalid duration", "expires_after")
        for text in ("90", "0s", "-1h", "1y")
    ),
    (('expires_after = "9d"', 'renew_before = "x"'), "Invalid duration", "renew_before"),
    (
        ('expires_after = "9d"', 'expires_at = "2040-01-01T00:00:00Z"'),
        "Two expiries",
        "expires_after",
    ),
    (('renew_before = "1d"',), "Renewal without an expiry", "renew_before"),
    (
        ('expires_after = "1d"', 'renew_before = "24h"'),
        "Renewal before the token exists",
        "renew_before",
    ),
    *(
        ((f'alias = "{text}"',), "Invalid alias", "alias")
        for text in ("  ", r"two\nlines", r"bell\u0007")
    ),
]


def test_what_makes_no_sense_is_found_by_validate(
    workspace: Workspace, subtests: pytest.Subtests
) -> None:
    """Each on the attribute to blame."""
    workspace.write(
        "".join(
            token(*lines).replace('"t"', f'"n{n}"', 1) for n, (lines, _, _) in enumerate(MISTAKES)
        )
    )

    validated = workspace.validate()

    for n, (lines, summary, attribute) in enumerate(MISTAKES):
        with subtests.test(" ".join(lines)):
            address = f"crusoe_storage_token.n{n}"
            error = validated.failed_with(summary, address=address, attribute=attribute)
            if attribute == "expires_at":
                assert "2027-01-31T12:00:00+01:00" in error.detail


# -- expires_at ------------------------------------------------------------------------------------


def test_every_spelling_of_one_instant_is_the_same(workspace: Workspace, crusoe: Crusoe) -> None:
    """No plan shows a difference, and the state keeps the spelling that created the token."""
    workspace.write(token('expires_at = "2040-01-01T01:00:00+01:00"'))
    workspace.apply().succeeded()
    (key,) = crusoe.simulator.cloud.keys()
    assert key.expire_at == "2040-01-01T00:00:00Z"

    for spelling in (
        "2040-01-01T01:00:00+01:00",
        "2040-01-01T00:00:00Z",
        "2040-01-01t00:00:00z",
        "2040-01-01T00:00:00+00:00",
        "2039-12-31T19:00:00.000-05:00",
    ):
        workspace.write(token(f'expires_at = "{spelling}"'))
        assert workspace.plan().actions == {}, spelling
    workspace.apply().succeeded()

    assert workspace.instances()[ADDRESS].attributes["expires_at"] == "2040-01-01T01:00:00+01:00"
    assert crusoe.simulator.cloud.keys() == [key]


def test_fractions_of_a_second_are_kept_though_crusoe_drops_them(workspace: Workspace) -> None:
    """The user's value stays, and no refresh turns it into drift."""
    workspace.write(token('expires_at = "2040-01-01T00:00:00.5Z"'))

    workspace.apply().succeeded()

    assert workspace.plan().actions == {}
    assert workspace.instances()[ADDRESS].attributes["expires_at"] == "2040-01-01T00:00:00.5Z"


def test_adding_changing_and_removing_an_expiry_replaces_the_token(workspace: Workspace) -> None:
    """Crusoe cannot change the expiry of a key; the plan marks the attribute."""
    steps = ((), ('expires_at = "2040-01-01T00:00:00Z"',), ('expires_at = "2041-01-01T00:00:00Z"',))
    workspace.write(token())
    workspace.apply().succeeded()
    for lines in (*steps[1:], steps[0]):
        workspace.write(token(*lines))

        plan = workspace.plan(out="p").succeeded()

        assert plan.actions == {ADDRESS: "replace"}
        assert plan.changes[ADDRESS].replaced_because_of == {"expires_at"}
        workspace.apply("p").succeeded()
        assert workspace.plan().actions == {}


def test_an_expiry_in_the_past_is_an_error_for_a_new_token_only(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """What exists stays, with a warning; what would be created is refused."""
    past, soon = movable_time.after(hours=-1), movable_time.after(hours=1)
    timed.write(token(f'expires_at = "{past}"'))
    timed.plan().failed_with("Expiry is in the past", attribute="expires_at")
    timed.write(token(f'expires_at = "{soon}"'))
    timed.apply().succeeded()
    movable_time.advance(hours=2)

    plan = timed.plan().succeeded()

    assert plan.actions == {}
    assert [w.summary for w in plan.warnings] == ["Storage token has expired"]
    timed.write(token(f'expires_at = "{soon}"', 'alias = "other"'))
    timed.plan().failed_with("Expiry is in the past", attribute="expires_at")
    assert len(crusoe.simulator.cloud.keys()) == 1


# -- expires_after, renew_before -------------------------------------------------------------------


def test_a_duration_becomes_an_expiry_at_the_creation(timed: Workspace, crusoe: Crusoe) -> None:
    """And stays what it was then, however often Terraform runs."""
    timed.write(token('expires_after = "90d"'))
    plan = timed.plan(out="p").succeeded()
    assert "expires_at" in plan.changes[ADDRESS].unknown

    timed.apply("p").succeeded()

    state = timed.instances()[ADDRESS].attributes
    life = instant(state["expires_at"]) - instant(state["created_at"])
    assert abs(life - timedelta(days=90)) < timedelta(seconds=10)
    assert crusoe.simulator.cloud.keys()[0].expire_at == state["expires_at"]
    for spelling in ("90d", "2160h", "12w6d"):
        timed.write(token(f'expires_after = "{spelling}"'))
        assert timed.plan().actions == {}


def test_a_token_is_renewed_when_its_time_has_come(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Not a day earlier, once, and again after the next period."""
    timed.write(token('expires_after = "90d"', 'renew_before = "14d"'))
    timed.apply().succeeded()
    first = crusoe.simulator.cloud.keys()
    movable_time.advance(days=75)
    assert timed.plan().actions == {}
    movable_time.advance(days=2)

    plan = timed.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "replace"}
    assert plan.changes[ADDRESS].replaced_because_of == {"expires_at"}
    assert (plan.changes[ADDRESS].before or {})["ready_for_renewal"] is True
    timed.apply("p").succeeded()
    assert timed.plan().actions == {}
    second = crusoe.simulator.cloud.keys()
    assert len(second) == 1
    assert second != first
    assert timed.run("plan", "-detailed-exitcode").exit_code == 0
    movable_time.advance(days=77)
    assert timed.plan().actions == {ADDRESS: "replace"}
    assert timed.run("plan", "-detailed-exitcode").exit_code == 2


@pytest.mark.parametrize("ignored", ["all", "[expires_at]"])
@pytest.mark.parametrize("days", [80, 100])
def test_a_token_is_renewed_whatever_changes_are_ignored(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe, ignored: str, days: int
) -> None:
    """In time, or when it has expired; `-replace` works too. They are the configuration's."""
    timed.write(
        token(
            'expires_after = "90d"',
            'renew_before = "14d"',
            f"lifecycle {{\n    ignore_changes = {ignored}\n  }}",
        )
    )
    timed.apply().succeeded()
    (first,) = crusoe.simulator.cloud.keys()
    assert timed.plan().succeeded().actions == {}
    movable_time.advance(days=days)

    plan = timed.plan(out="p").succeeded()

    assert plan.actions == {ADDRESS: "replace"}
    assert plan.warnings == ()
    timed.plan(f"-replace={ADDRESS}").succeeded()
    timed.apply("p").succeeded()
    assert timed.plan().succeeded().actions == {}
    (second,) = crusoe.simulator.cloud.keys()
    assert second.access_key_id != first.access_key_id
    assert second.expire_at is not None
    assert instant(second.expire_at) > instant(movable_time.after(days=89))


def test_an_expired_token_with_a_duration_renews(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Nobody ran Terraform in time; the next run sets it right, and the slot is not leaked."""
    timed.write(token('expires_after = "30d"'))
    timed.apply().succeeded()
    movable_time.advance(days=31)

    timed.apply().succeeded()

    (key,) = crusoe.simulator.cloud.keys()
    assert instant(key.expire_at) > instant(movable_time.after(days=29))


def test_a_fixed_expiry_is_never_renewed_in_a_loop(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """A new token with the same date would have to be renewed at once, and so on."""
    fixed = f'expires_at = "{movable_time.after(days=90)}"'
    timed.write(token(fixed, 'renew_before = "14d"'))
    timed.apply().succeeded()
    key = crusoe.simulator.cloud.keys()
    movable_time.advance(days=80)

    ready = timed.plan().succeeded()
    movable_time.advance(days=20)
    passed = timed.plan()

    assert [w.summary for w in ready.warnings] == ["Storage token is ready for renewal"]
    error = passed.failed_with("Storage token has expired", attribute="expires_at")
    assert "Set expires_at to a later date" in error.detail
    assert crusoe.simulator.cloud.keys() == key


def test_changing_the_renewal_alone_replaces_nothing(workspace: Workspace, crusoe: Crusoe) -> None:
    """It is nothing that Crusoe knows of."""
    workspace.write(token('expires_after = "90d"'))
    workspace.apply().succeeded()
    key = crusoe.simulator.cloud.keys()
    for line in ('renew_before = "14d"', 'renew_before = "7d"', ""):
        workspace.write(token('expires_after = "90d"', line))

        plan = workspace.plan(out="p").succeeded()

        assert plan.actions == {ADDRESS: "update"}
        assert plan.changes[ADDRESS].unknown == frozenset()
        workspace.apply("p").succeeded()
        assert workspace.plan().actions == {}
    assert crusoe.simulator.cloud.keys() == key


def test_changing_the_duration_replaces_the_token(workspace: Workspace) -> None:
    """From then on tokens live as long as it says."""
    workspace.write(token('expires_after = "90d"'))
    workspace.apply().succeeded()
    workspace.write(token('expires_after = "30d"'))

    assert workspace.plan().actions == {ADDRESS: "replace"}


def test_a_token_with_an_expiry_takes_up_a_duration_without_a_replacement(
    workspace: Workspace,
) -> None:
    """From a date by hand to renewal by itself, without a new secret."""
    workspace.write(token('expires_at = "2040-01-01T00:00:00Z"'))
    workspace.apply().succeeded()
    workspace.write(token('expires_after = "90d"', 'renew_before = "14d"'))
    assert workspace.plan().actions == {ADDRESS: "update"}
    workspace.write(token())
    workspace.apply().succeeded()
    workspace.write(token('expires_after = "90d"'))

    assert workspace.plan().actions == {ADDRESS: "replace"}


def test_a_token_that_ends_soon_says_so_once(timed: Workspace, movable_time: MovableTime) -> None:
    """Seven days before, unless it is renewed by itself."""
    timed.write(token('expires_after = "30d"'))
    timed.apply().succeeded()
    movable_time.advance(days=22)
    assert timed.plan().warnings == ()
    movable_time.advance(days=2)

    plan = timed.plan().succeeded()

    assert [w.summary for w in plan.warnings] == ["Storage token expires soon"]
    timed.write(token('expires_after = "30d"', 'renew_before = "1d"'))
    assert timed.plan().warnings == ()


# -- rotate_when_changed ---------------------------------------------------------------------------


def test_a_rotation_by_hand_replaces_the_token(workspace: Workspace) -> None:
    """Taking it up replaces nothing; each change after that does, and the plan marks it."""
    workspace.write(token('alias = "x"'))
    workspace.apply().succeeded()
    workspace.write(token('alias = "x"', 'rotate_when_changed = { n = "1" }'))
    assert workspace.plan(out="p").actions == {ADDRESS: "update"}
    workspace.apply("p").succeeded()
    assert workspace.plan().actions == {}
    for values in ('{ n = "2" }', '{ n = "1", m = "1" }', "{}"):
        workspace.write(token('alias = "x"', f"rotate_when_changed = {values}"))

        plan = workspace.plan().succeeded()

        assert plan.actions == {ADDRESS: "replace"}
        assert plan.changes[ADDRESS].replaced_because_of == {"rotate_when_changed"}


# -- Values from elsewhere -------------------------------------------------------------------------


def test_every_argument_may_come_from_another_resource(workspace: Workspace) -> None:
    """Unknown in the plan, null, or through a module: applies once, and then has no changes."""
    workspace.write(
        """
        variable "alias" {
          type = string
        }
        variable "organization_id" {
          type    = string
          default = null
        }
        variable "expires_at" {
          type    = string
          default = null
        }
        variable "expires_after" {
          type    = string
          default = null
        }
        variable "renew_before" {
          type    = string
          default = null
        }
        variable "rotation" {
          type    = map(string)
          default = null
        }
        resource "crusoe_storage_token" "t" {
          alias               = var.alias
          organization_id     = var.organization_id
          expires_at          = var.expires_at
          expires_after       = var.expires_after
          renew_before        = var.renew_before
          rotate_when_changed = var.rotation
        }
        """,
        name="token/main.tf",
    )
    workspace.write(
        "terraform {\n  required_providers {\n    crusoe = {\n"
        '      source = "crusoe-community/crusoe"\n    }\n  }\n}\n',
        name="token/versions.tf",
    )
    workspace.write(
        """
        data "crusoe_storage_tokens" "all" {}
        resource "terraform_data" "values" {
          input = {
            alias           = "late"
            organization_id = data.crusoe_storage_tokens.all.organization_id
            expires_at      = "2040-01-01T00:00:00Z"
            life            = "90d"
            margin          = "9d"
            rotation        = { n = "1" }
          }
        }
        module "fixed" {
          source     = "./token"
          alias      = "x-${terraform_data.values.output.alias}"
          expires_at = terraform_data.values.output.expires_at
        }
        module "renewed" {
          for_each        = toset(["only"])
          source          = "./token"
          alias           = each.key
          organization_id = terraform_data.values.output.organization_id
          expires_after   = terraform_data.values.output.life
          renew_before    = terraform_data.values.output.margin
          rotation        = terraform_data.values.output.rotation
        }
        """
    )
    workspace.run("get").succeeded()

    workspace.apply().succeeded()

    assert workspace.plan().actions == {}
    fixed, renewed = (
        i.attributes for a, i in sorted(workspace.instances().items()) if "token" in a
    )
    assert (fixed["alias"], fixed["expires_at"]) == ("x-late", "2040-01-01T00:00:00Z")
    assert (renewed["alias"], renewed["rotate_when_changed"]) == ("only", {"n": "1"})
    assert renewed["expires_at"]


# -- alias -----------------------------------------------------------------------------------------


def test_an_alias_may_be_any_text(workspace: Workspace, crusoe: Crusoe) -> None:
    """Unicode goes to Crusoe and comes back as it was."""
    alias = "Übung 漢字 🔑 'quoted' $${x}"
    workspace.write(token(f'alias = "{alias}"'))

    workspace.apply().succeeded()

    assert crusoe.aliases() == [alias.replace("$$", "$")]
    assert workspace.plan().actions == {}
