"""The limit of two keys: plans that cannot be carried out are refused, and no others."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.server import Simulator
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

REFUSED = "Plan needs more storage tokens than a user may have"
NO_SLOT = "No free slot for the storage token"
NOT_FREE_YET = "No slot is free for the storage token yet"
GAP = "Clients lose access while the storage token is replaced"


def token(name: str, body: str = "") -> str:
    """Return a resource block; its alias is its name."""
    return f'resource "crusoe_storage_token" "{name}" {{\n  alias = "{name}"\n  {body}\n}}\n'


@pytest.fixture
def full(workspace: Workspace, crusoe: Crusoe) -> Workspace:
    """A workspace whose state has two tokens, `a` and `b`: both slots are taken."""
    workspace.write(token("a") + token("b"))
    workspace.apply().succeeded()
    assert crusoe.aliases() == ["a", "b"]
    crusoe.simulator.api.requests.clear()
    return workspace


# -- Plans that are refused ------------------------------------------------------------------------


def test_three_new_tokens_are_refused(workspace: Workspace, crusoe: Crusoe) -> None:
    """Nobody has any yet, and still there will not be room."""
    workspace.write('resource "crusoe_storage_token" "t" {\n  count = 3\n}\n')

    plan = workspace.plan()

    error = plan.failed_with(REFUSED)
    assert "may have 2" in error.detail
    assert "there would be 3: 0 that exist and stay, and 3 to be created" in error.detail
    assert error.address
    assert error.address.startswith("crusoe_storage_token.t[")
    assert crusoe.simulator.api.requests.all("create") == []


def test_a_new_token_beside_two_that_terraform_does_not_manage_is_refused(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The message names each key and every way out, ready to be pasted."""
    cloud = crusoe.simulator.cloud
    first = cloud.add_key(crusoe.user, alias="laptop")
    second = cloud.add_key(crusoe.user, expire_at="2030-05-01T00:00:00Z", status="disabled")
    workspace.write(token("a"))

    error = workspace.plan().failed_with(REFUSED, address="crusoe_storage_token.a")

    for key in (first, second):
        assert key.access_key_id in error.detail
        assert key.created_at in error.detail
        assert f"crusoe storage tokens delete {key.key_uuid}" in error.detail
    unmanaged = "not managed by a crusoe_storage_token of this state"
    for text in ('alias "laptop"', "expires 2030-05-01", "disabled", unmanaged):
        assert text in error.detail
    assert f'id       = "{first.key_uuid}"' in error.detail
    assert len(cloud.keys()) == 2


def test_two_new_tokens_beside_one_are_refused(workspace: Workspace, crusoe: Crusoe) -> None:
    """One of them would fit."""
    workspace.write(token("a"))
    workspace.apply().succeeded()
    workspace.write(token("a") + token("b") + token("c"))

    error = workspace.plan().failed_with(REFUSED)

    assert "; in this state" in error.detail
    assert "there would be 3: 1 that exist and stay, and 2 to be created" in error.detail
    workspace.write(token("a") + token("b"))
    workspace.apply().succeeded()
    assert crusoe.aliases() == ["a", "b"]


def test_a_third_token_is_refused_with_any_parallelism(full: Workspace) -> None:
    """Whatever comes first: the new token, or the news that the others stay."""
    full.write(token("a") + token("b") + token("c"))

    for parallelism in (1, 10):
        full.plan(f"-parallelism={parallelism}").failed_with(REFUSED)
    full.plan("-refresh=false").failed_with(REFUSED)


def test_the_limit_is_configurable(workspace: Workspace, crusoe: Crusoe) -> None:
    """For the day on which Crusoe changes it; 0 leaves everything to the apply."""
    crusoe.simulator.cloud.key_limit = 3
    three = 'resource "crusoe_storage_token" "t" {\n  count = 3\n}\n'
    for limit in (3, 0):
        workspace.write(f'provider "crusoe" {{\n  key_limit = {limit}\n}}\n' + three)
        workspace.plan().succeeded()

    workspace.apply().succeeded()

    assert len(crusoe.simulator.cloud.keys()) == 3


# -- Plans that fit, with both slots taken ---------------------------------------------------------


@dataclass(frozen=True)
class Fits:
    """A change with both slots taken that can be carried out.

    Attributes:
        configuration: The new configuration.
        options: Options of the plan.
        aliases: The aliases afterwards.
        taint: What to taint before.
    """

    configuration: str
    aliases: tuple[str, ...]
    options: tuple[str, ...] = ()
    taint: tuple[str, ...] = ()


_A, _B = token("a"), token("b")
_A_ROTATED, _B_ROTATED = (
    token(name, 'rotate_when_changed = { n = "2" }\nexpires_at = "2040-01-01T00:00:00Z"')
    for name in "ab"
)
CASES = {
    "one is replaced": Fits(_A + _B_ROTATED, ("a", "b")),
    "both are replaced": Fits(_A_ROTATED + _B_ROTATED, ("a", "b")),
    "one is tainted": Fits(_A + _B, ("a", "b"), taint=("a",)),
    "both are tainted": Fits(_A + _B, ("a", "b"), taint=("a", "b")),
    "one is replaced by option": Fits(
        _A + _B, ("a", "b"), options=("-replace=crusoe_storage_token.a",)
    ),
    "one makes place for another": Fits(_A + token("c"), ("a", "c")),
    "both make place for others": Fits(token("c") + token("d"), ("c", "d")),
    "one is tainted and one makes place": Fits(_A + token("c"), ("a", "c"), taint=("a",)),
    "without a refresh": Fits(_A + token("c"), ("a", "c"), options=("-refresh=false",)),
    "a refresh alone": Fits(_A + _B, ("a", "b"), options=("-refresh-only",)),
    "everything is destroyed": Fits(_A + _B, (), options=("-destroy",)),
    "one target": Fits(
        _A_ROTATED + _B + token("c"), ("a", "b"), options=("-target=crusoe_storage_token.a",)
    ),
    "refreshed one at a time": Fits(
        _A + token("c"), ("a", "c"), options=("-refresh=false", "-parallelism=2")
    ),
    "both replaced, one at a time": Fits(
        _A_ROTATED + _B_ROTATED, ("a", "b"), options=("-parallelism=1",)
    ),
    "one is moved": Fits(
        _A
        + token("new").replace('"new"\n', '"b"\n')
        + "moved {\n  from = crusoe_storage_token.b\n  to = crusoe_storage_token.new\n}\n",
        ("a", "b"),
    ),
    "one is moved and replaced": Fits(
        _A
        + token("new")
        + "moved {\n  from = crusoe_storage_token.b\n  to = crusoe_storage_token.new\n}\n",
        ("a", "new"),
    ),
    "one is removed for good": Fits(
        _A
        + token("c")
        + "removed {\n  from = crusoe_storage_token.b\n  lifecycle {\n    destroy = true\n  }\n}\n",
        ("a", "c"),
    ),
}


# A saved plan differs by the processes alone; every third case is enough to see that.
RUNS = [
    pytest.param(case, saved, id=f"{name}, {'saved' if saved else 'one command'}")
    for n, (name, case) in enumerate(CASES.items())
    for saved in ((False, True) if n % 3 == 0 else (False,))
]


@pytest.mark.parametrize(("case", "saved"), RUNS)
def test_a_plan_that_fits_is_carried_out(
    full: Workspace, crusoe: Crusoe, case: Fits, saved: bool
) -> None:
    """No false alarm in the plan, none in the apply, and the plan afterwards is empty."""
    for name in case.taint:
        full.run("taint", f"crusoe_storage_token.{name}").succeeded()
    full.write(case.configuration)

    if saved:
        plan = full.plan(*case.options, out="p").succeeded()
        assert crusoe.simulator.api.requests.all("create") == []
        assert plan.errors == ()
        full.apply("p").succeeded()
    else:
        full.apply(*case.options).succeeded()

    assert tuple(crusoe.aliases()) == case.aliases
    assert len(full.instances()) == len(case.aliases)


def test_a_token_that_is_forgotten_keeps_its_slot(full: Workspace, crusoe: Crusoe) -> None:
    """`removed` without a deletion leaves the key at Crusoe, so there is no room for another."""
    forget = (
        "removed {\n  from = crusoe_storage_token.b\n  lifecycle {\n    destroy = false\n  }\n}\n"
    )
    full.write(token("a") + forget)

    full.plan().succeeded()
    full.apply().succeeded()

    assert crusoe.aliases() == ["a", "b"]
    full.write(token("a") + token("c"))
    full.plan().failed_with(REFUSED)


def test_an_imported_token_needs_no_slot(workspace: Workspace, crusoe: Crusoe) -> None:
    """Two keys that exist, taken over by import blocks, are no creations."""
    cloud = crusoe.simulator.cloud
    keys = [cloud.add_key(crusoe.user, alias=alias) for alias in ("a", "b")]
    imports = "".join(
        f'import {{\n  to = crusoe_storage_token.{k.alias}\n  id = "{k.key_uuid}"\n}}\n'
        for k in keys
    )
    workspace.write(token("a") + token("b") + imports)

    plan = workspace.plan(out="p").succeeded()

    assert {change.importing for change in plan.changes.values()} == {k.key_uuid for k in keys}
    workspace.apply("p").succeeded()
    assert workspace.plan().actions == {}


def test_keys_of_others_and_of_other_organizations_do_not_count(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The limit is per user and organization."""
    cloud = crusoe.simulator.cloud
    elsewhere = cloud.add_organization("elsewhere")
    traveller = cloud.add_user("both@acme.example", crusoe.organization, elsewhere)
    for _ in range(2):
        cloud.add_key(crusoe.user)
        cloud.add_key(traveller, elsewhere.id)
    workspace.variables |= crusoe.variables(traveller)
    workspace.write(token("a", f'organization_id = "{crusoe.organization.id}"'))

    workspace.apply().succeeded()

    assert crusoe.aliases() == ["", "", "", "", "a"]


def test_each_provider_block_has_a_budget_of_its_own(workspace: Workspace, crusoe: Crusoe) -> None:
    """Two users and two organizations: eight slots, and a ninth token is one too many."""
    cloud = crusoe.simulator.cloud
    elsewhere = cloud.add_organization("elsewhere")
    users = [
        cloud.add_user(f"user{n}@acme.example", crusoe.organization, elsewhere) for n in range(2)
    ]
    blocks = "".join(
        f"""
        provider "crusoe" {{
          alias           = "u{n}"
          access_key_id   = "{user.access_key_id}"
          secret_key      = "{user.secret_key}"
          organization_id = "{crusoe.organization.id}"
        }}
        resource "crusoe_storage_token" "here{n}" {{
          provider = crusoe.u{n}
          count    = 2
        }}
        resource "crusoe_storage_token" "there{n}" {{
          provider        = crusoe.u{n}
          count           = 2
          organization_id = "{elsewhere.id}"
        }}
        """
        for n, user in enumerate(users)
    )
    workspace.write(blocks)

    workspace.apply().succeeded()

    assert len(cloud.keys()) == 8
    workspace.write(
        blocks + 'resource "crusoe_storage_token" "ninth" {\n  provider = crusoe.u1\n}\n'
    )
    workspace.plan().failed_with(REFUSED, address="crusoe_storage_token.ninth")


TWO_BLOCKS = 'provider "crusoe" {}\nprovider "crusoe" {\n  alias = "other"\n}\n'
OTHER = "provider = crusoe.other"


def test_blocks_of_one_user_do_not_know_what_each_other_frees(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Each has a process of its own. In two steps it works."""
    workspace.write(TWO_BLOCKS + token("a", OTHER) + token("b"))
    workspace.apply().succeeded()
    workspace.write(TWO_BLOCKS + token("b") + token("c"))

    workspace.plan().failed_with(REFUSED)

    workspace.write(TWO_BLOCKS + token("b"))
    workspace.apply().succeeded()
    workspace.write(TWO_BLOCKS + token("b") + token("c"))
    workspace.apply().succeeded()
    assert crusoe.aliases() == ["b", "c"]


def test_blocks_of_one_user_do_not_know_what_each_other_creates(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The apply says what does not fit; the rest is in the state."""
    crusoe.simulator.cloud.add_key(crusoe.user)
    workspace.write(TWO_BLOCKS + token("a", OTHER) + token("b"))
    workspace.plan(out="p").succeeded()

    workspace.apply("p").failed_with(NO_SLOT)

    assert len(workspace.instances()) == 1
    assert len(crusoe.simulator.cloud.keys()) == 2


@pytest.mark.parametrize("setting", ["organization_id", "access_key_id"])
def test_what_is_unknown_in_the_plan_is_checked_in_the_apply(
    workspace: Workspace, crusoe: Crusoe, setting: str
) -> None:
    """Provider settings from a resource of the same run: the plan is silent, the apply counts."""
    value = {
        "organization_id": crusoe.organization.id,
        "access_key_id": crusoe.user.access_key_id,
    }[setting]
    secret = f'secret_key = "{crusoe.user.secret_key}"' if setting == "access_key_id" else ""
    workspace.write(
        f"""
        resource "terraform_data" "setting" {{
          input = "{value}"
        }}
        provider "crusoe" {{
          {setting} = terraform_data.setting.output
          {secret}
        }}
        resource "crusoe_storage_token" "t" {{
          count = 3
          timeouts {{
            create = "1s"
          }}
        }}
        """
    )

    plan = workspace.plan(out="p").succeeded()

    assert plan.diagnostics == ()
    workspace.apply("p").failed_with(NO_SLOT)
    assert len(crusoe.simulator.cloud.keys()) == len(workspace.instances()) - 1 == 2


def test_a_token_that_is_loaded_late_and_removed_counts_as_freed(
    full: Workspace, crusoe: Crusoe
) -> None:
    """What depends on a slow data source is not even loaded while the rest is planned."""
    with Simulator() as slow:
        user = slow.cloud.add_user("slow@acme.example", slow.cloud.add_organization("slow"))
        others = f"""
            provider "crusoe" {{
              alias         = "slow"
              api_endpoint  = "{slow.endpoint}"
              access_key_id = "{user.access_key_id}"
              secret_key    = "{user.secret_key}"
            }}
            data "crusoe_storage_tokens" "slow" {{
              provider = crusoe.slow
            }}
            """
        late = 'count = {n}\n  alias = "late-${{length(data.crusoe_storage_tokens.slow.tokens)}}"'
        shrinking = 'resource "crusoe_storage_token" "late" {{\n  ' + late + "\n}}\n"
        full.write(token("a") + others + shrinking.format(n=1))
        full.apply().succeeded()
        slow.faults.add(Fault("list", times=None, delay_before=3.0))
        full.write(token("a") + token("c") + others + shrinking.format(n=0))

        full.apply().succeeded()

    assert crusoe.aliases() == ["a", "c"]


def test_a_new_token_that_is_planned_first_does_not_hold_up_the_rest(full: Workspace) -> None:
    """With one operation at a time nothing can be learnt while a plan waits, so it does not.

    Which token Terraform plans first is its own choice, and another one each time.
    """
    full.write(token("a") + token("c"))

    plans = [full.plan("-parallelism=1") for _ in range(6)]

    assert [plan.errors for plan in plans] == [()] * 6


def test_many_users_at_the_limit_do_not_hold_up_each_other(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Each makes room for two others; there are more of them than Terraform runs at once."""
    cloud = crusoe.simulator.cloud
    users = [cloud.add_user(f"user{n}@acme.example", crusoe.organization) for n in range(6)]
    blocks = "".join(
        f"""
        provider "crusoe" {{
          alias         = "u{n}"
          access_key_id = "{user.access_key_id}"
          secret_key    = "{user.secret_key}"
        }}
        """
        for n, user in enumerate(users)
    )

    def tokens(name: str) -> str:
        return "".join(
            f'resource "crusoe_storage_token" "{name}{n}" {{\n'
            f"  provider = crusoe.u{n}\n  count = 2\n}}\n"
            for n in range(len(users))
        )

    workspace.write(blocks + tokens("old"))
    workspace.apply().succeeded()
    workspace.write(blocks + tokens("new"))

    plan = workspace.plan("-parallelism=3").succeeded()

    assert sorted(plan.actions.values()) == ["create"] * 12 + ["delete"] * 12


# -- Applies ---------------------------------------------------------------------------------------


def test_a_creation_waits_for_the_slot_of_a_slow_neighbour(full: Workspace, crusoe: Crusoe) -> None:
    """The deletion of `b` is under way; the creation of `c` goes on the moment it is done."""
    held = crusoe.simulator.faults.add(Fault("delete", hold="before"))
    full.write(token("a") + token("c"))

    running = full.start("apply", "-json", "-auto-approve")
    held.wait_arrived()
    running.wait_for_output("crusoe_storage_token.c: Creating...")
    assert crusoe.aliases() == ["a", "b"]
    held.release()
    running.wait().succeeded()

    assert crusoe.aliases() == ["a", "c"]


def test_a_slot_that_never_comes_is_told_like_in_the_plan(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Somebody takes the last slot between the plan and the apply; nothing is lost."""
    workspace.write(token("a", 'timeouts {\n    create = "1s"\n  }'))
    workspace.plan(out="p").succeeded()
    keys = [crusoe.simulator.cloud.add_key(crusoe.user) for _ in range(2)]

    result = workspace.apply("p")

    error = result.failed_with(NO_SLOT, address="crusoe_storage_token.a")
    assert all(key.access_key_id in error.detail for key in keys)
    # An apply does not know what the state manages, so it offers no command that revokes.
    assert "crusoe storage tokens delete" not in error.detail
    assert "this state" not in error.detail
    assert crusoe.simulator.api.requests.all("create") == []
    assert workspace.instances() == {}


def test_a_slot_that_somebody_else_takes_at_the_last_moment_is_waited_for(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The refusal of the API is understood by a look at the list, not by its words."""
    workspace.write(token("a", 'timeouts {\n    create = "1s"\n  }'))
    refusal = Fault("create", hold="before")
    crusoe.simulator.faults.add(refusal)

    running = workspace.start("apply", "-json", "-auto-approve")
    refusal.wait_arrived()
    for _ in range(2):
        crusoe.simulator.cloud.add_key(crusoe.user)
    refusal.release()

    running.wait().failed_with(NO_SLOT)
    assert len(crusoe.simulator.api.requests.all("create")) == 1


def test_create_before_destroy_works_while_a_slot_is_free(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The new token exists before the old one goes; nobody loses access."""
    cbd = "lifecycle {\n    create_before_destroy = true\n  }"
    workspace.write(token("a", cbd))
    workspace.apply().succeeded()
    workspace.write(token("a", f'expires_at = "2040-01-01T00:00:00Z"\n  {cbd}'))
    crusoe.simulator.api.requests.clear()

    plan = workspace.plan(out="p").succeeded()
    workspace.apply("p").succeeded()

    assert plan.warnings == ()
    writes = [r.operation for r in crusoe.simulator.api.requests.all() if r.method != "GET"]
    assert writes == ["create", "delete"]


def test_create_before_destroy_without_a_free_slot_is_refused_by_name(
    full: Workspace, crusoe: Crusoe
) -> None:
    """Its old token gives its slot back only afterwards, so there is nothing to wait for."""
    body = (
        'timeouts {\n    create = "1s"\n  }\n  lifecycle {\n    create_before_destroy = true\n  }'
    )
    full.write(token("a", body) + token("b"))
    full.apply().succeeded()
    full.write(token("a", f'expires_at = "2040-01-01T00:00:00Z"\n  {body}') + token("b"))

    error = full.apply().failed_with(NO_SLOT, address="crusoe_storage_token.a")

    assert "create_before_destroy" in error.detail
    assert crusoe.aliases() == ["a", "b"]
    assert not any(instance.tainted for instance in full.instances().values())


def test_a_replacement_at_the_limit_warns_of_the_gap_once(full: Workspace) -> None:
    """Both are replaced; the warning comes once, and only in the plan."""
    full.write(_A_ROTATED + _B_ROTATED)

    plan = full.plan(out="p").succeeded()
    applied = full.apply("p").succeeded()

    assert [warning.summary for warning in plan.warnings] == [GAP]
    assert "create_before_destroy" in plan.warnings[0].detail
    assert applied.warnings == ()


def test_a_replacement_that_nobody_announces_warns_of_the_gap_too(full: Workspace) -> None:
    """By -replace, and of a tainted token; not where a slot is free, and not in the apply."""
    replaced = full.plan("-replace=crusoe_storage_token.a", out="p").succeeded()
    applied = full.apply("p").succeeded()
    full.run("taint", "crusoe_storage_token.a").succeeded()
    tainted = full.plan(out="p").succeeded()
    applied_tainted = full.apply("p").succeeded()

    assert [warning.summary for warning in replaced.warnings] == [GAP]
    assert "need not be the one" in replaced.warnings[0].detail
    assert [warning.summary for warning in tainted.warnings] == [NOT_FREE_YET]
    assert applied.warnings == applied_tainted.warnings == ()
    full.write(token("a"))
    full.apply().succeeded()
    assert full.plan("-replace=crusoe_storage_token.a").succeeded().warnings == ()
    full.run("taint", "crusoe_storage_token.a").succeeded()
    assert full.plan().succeeded().warnings == ()


def test_with_one_operation_at_a_time_a_creation_makes_way_for_the_deletion(
    full: Workspace, crusoe: Crusoe
) -> None:
    """If Terraform begins with the creation, nothing can free its slot meanwhile; it says so."""
    full.write(token("a") + token("c"))
    full.plan("-parallelism=1", out="p").succeeded()

    result = full.apply("-parallelism=1", "p")

    if result.exit_code:
        assert "-parallelism" in result.failed_with(NO_SLOT).detail
        assert crusoe.aliases() == ["a"]
        full.apply("-parallelism=1").succeeded()
    assert crusoe.aliases() == ["a", "c"]


# -- What the check needs --------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["identity", "list"])
def test_without_the_permission_to_look_the_plan_goes_on_with_one_warning(
    workspace: Workspace, crusoe: Crusoe, operation: str
) -> None:
    """A pipeline that may only plan is not stopped."""
    crusoe.simulator.faults.add(
        Fault(
            operation,  # type: ignore[arg-type]  # one of the operations
            times=None,
            answer=Answer(403, '{"code": "unauthorized", "message": "no"}'),
        )
    )
    workspace.write('resource "crusoe_storage_token" "t" {\n  count = 2\n}\n')

    plan = workspace.plan().succeeded()

    assert [w.summary for w in plan.warnings] == ["Limit of storage tokens not checked"]


CHECKED: dict[str, tuple[Callable[[Workspace], object], list[str]]] = {
    "two new": (lambda w: w.write(token("a") + token("b")), ["identity", "list", "organizations"]),
    "nothing to do": (lambda w: w.write(""), []),
}


@pytest.mark.parametrize(("prepare", "expected"), CHECKED.values(), ids=CHECKED.keys())
def test_the_check_costs_one_list_and_one_identity(
    workspace: Workspace,
    crusoe: Crusoe,
    prepare: Callable[[Workspace], object],
    expected: list[str],
) -> None:
    """However many tokens a plan creates."""
    prepare(workspace)

    workspace.plan().succeeded()

    assert sorted(r.operation for r in crusoe.simulator.api.requests.all()) == expected
