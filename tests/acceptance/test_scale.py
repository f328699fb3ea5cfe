"""Large configurations, and long runs. Small ones here; `make soak` has the real sizes.

The figures are printed; those of the last `make soak` are in docs/development/testing.md.
"""

import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from tf.types import Unknown

from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.providerserver import protocol_pb2 as pb
from harness.process import still_running
from harness.sandbox import PLUGIN
from harness.workspace import Workspace
from support.long_terraform import LongTerraform
from support.plugin import EXIT_SECONDS, Plugin, dynamic, plugin_environment, value_of
from support.plugin_starts import Processes
from support.profiles import add_users, provider_block
from support.simulator_fixtures import Crusoe
from support.start_fixtures import are_warm

pytestmark = [pytest.mark.acceptance, pytest.mark.own_start, pytest.mark.timeout(3600)]

USERS: Final = int(os.environ.get("SCALE_USERS", "4"))
KEYS: Final = int(os.environ.get("SCALE_KEYS", "2000"))
APPLIES: Final = int(os.environ.get("SCALE_APPLIES", "5"))
TOKENS: Final = int(os.environ.get("SCALE_TOKENS", "100"))
CYCLES: Final = int(os.environ.get("SCALE_CYCLES", "60"))
COMMANDS: Final = int(os.environ.get("SCALE_COMMANDS", "8"))
PATIENCE_SECONDS: Final = 1200.0
MIB: Final = 2**20
# Before anything is measured, every path has been taken a few times.
WARM_UP: Final = 30
# For each cycle; what a leak of one state or one connection would exceed.
MOST_BYTES_PER_CYCLE: Final = 4096

SCHEMA: Final = StorageTokenResource.get_schema()
ATTRIBUTES: Final = (
    *(attribute.name for attribute in SCHEMA.attributes),
    *(block.type_name for block in SCHEMA.block_types),
)
COMPUTED: Final = tuple(attribute.name for attribute in SCHEMA.attributes if attribute.computed)


@pytest.fixture
def temporary(workspace: Workspace) -> Path:
    """The temporary folder of the workspace's plugins."""
    folder = workspace.home / "tmp"
    folder.mkdir()
    # With OpenTofu a plugin leaves a mark for the next process, which is to be found elsewhere.
    workspace.variables |= {"TMPDIR": str(folder), "XDG_RUNTIME_DIR": str(workspace.home)}
    return folder


def check_nothing_is_left(workspace: Workspace, temporary: Path) -> None:
    """What warm starts leave behind sees that Terraform has ended, and ends."""
    assert still_running(workspace.plugin_processes(), EXIT_SECONDS) == []
    assert list(temporary.iterdir()) == []


def test_many_users_with_two_tokens_each_in_one_state(
    workspace: Workspace, crusoe: Crusoe, temporary: Path
) -> None:
    """Each has a provider block, a process, and a budget of its own."""
    cloud = crusoe.simulator.cloud
    blocks = []
    for n in range(USERS):
        user = cloud.add_user(f"user{n}@acme.example", crusoe.organization)
        blocks.append(
            f'provider "crusoe" {{\n  alias = "u{n}"\n  access_key_id = "{user.access_key_id}"\n'
            f'  secret_key = "{user.secret_key}"\n'
            f'  organization_id = "{crusoe.organization.id}"\n}}\n'
            f'resource "crusoe_storage_token" "u{n}" {{\n  provider = crusoe.u{n}\n'
            f'  count = 2\n  alias = "u{n}-${{count.index}}"\n}}\n'
        )
    workspace.write("".join(blocks))

    seconds = [patiently(workspace, "plan", "-out=p"), patiently(workspace, "apply", "p")]
    crusoe.simulator.api.requests.clear()
    seconds.append(patiently(workspace, "plan", "-detailed-exitcode"))

    assert [r.operation for r in crusoe.simulator.api.requests.all()] == ["list"] * USERS
    assert len(crusoe.simulator.cloud.keys()) == len(workspace.instances()) == 2 * USERS
    seconds.append(patiently(workspace, "destroy", "-auto-approve"))
    assert crusoe.simulator.cloud.keys() == []
    check_nothing_is_left(workspace, temporary)
    figures(
        f"{USERS} users with {2 * USERS} tokens in one state: plan, apply, plan, destroy "
        f"{', '.join(f'{s:.0f} s' for s in seconds)}"
    )


def test_many_users_with_two_tokens_each_in_one_block(workspace: Workspace, crusoe: Crusoe) -> None:
    """Each has a profile; one process serves all, however many operations run at a time.

    One list for each user and command, and one identity where something is created. Memory is that
    of the largest process.
    """
    # Holding lists of so many keys against the contract takes longer than all the rest.
    crusoe.simulator.api.observers.clear()
    users = add_users(crusoe, (f"u{n}" for n in range(USERS)))
    emails = sorted(user.email for user in users.values())
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    requests = crusoe.simulator.api.requests

    def asked(operation: str) -> list[str]:
        return sorted(request.user or "" for request in requests.all(operation))

    def run(*args: str) -> str:
        requests.clear()
        seconds, memory = measured(workspace, args[0], "-parallelism=50", *args[1:])
        return f"{args[0]} {seconds:.1f} s ({memory:.0f} MiB)"

    workspace.write(provider_block(users) + services(list(users)[:1]))
    measures = [f"one user: {run('apply', '-auto-approve')}"]
    run("destroy", "-auto-approve")
    workspace.write(provider_block(users) + services(users))
    measures.append(f"{USERS} users: {run('plan', '-out=p')}")
    assert asked("list") == asked("identity") == emails
    assert len(requests.all()) == 2 * USERS
    measures.append(run("apply", "p"))
    assert asked("identity") == emails
    assert len(crusoe.simulator.cloud.keys()) == len(workspace.instances()) == 2 * USERS
    measures.append(run("plan", "-detailed-exitcode"))
    assert asked("list") == emails
    assert len(requests.all()) == USERS
    measures.append(run("apply", "-refresh-only", "-auto-approve"))
    assert asked("list") == emails
    # Both slots of every user are taken, so each creation waits for a deletion beside it.
    workspace.write(provider_block(users) + services(users, 'rotate_when_changed = { n = "1" }'))
    run("apply", "-auto-approve")
    workspace.write(provider_block(users) + services(users, 'rotate_when_changed = { n = "2" }'))
    measures.append(f"replacing all: {run('apply', '-auto-approve')}")
    assert len(crusoe.simulator.cloud.keys()) == 2 * USERS
    measures.append(run("destroy", "-auto-approve"))

    assert asked("list") == emails
    assert crusoe.simulator.cloud.keys() == []
    figures(f"{2 * USERS} tokens in one block: {', '.join(measures)}")


def services(profiles: Iterable[str], body: str = "") -> str:
    """Return two tokens for each profile."""
    return "".join(
        f'resource "crusoe_storage_token" "t{n}" {{\n'
        f"  for_each = toset({json.dumps(list(profiles))})\n"
        f'  profile = each.key\n  alias = "${{each.key}}-{n}"\n  {body}\n}}\n'
        for n in (1, 2)
    )


def measured(workspace: Workspace, *args: str) -> tuple[float, float]:
    """Run a command; return the seconds it took, and the MiB of its largest plugin process."""
    started = time.perf_counter()
    running, most = workspace.start(*args), 0
    while not running.has_ended:
        for process in workspace.plugin_processes():
            with contextlib.suppress(psutil.Error):
                most = max(most, process.memory_info().rss)
        time.sleep(0.2)
    result = running.wait(PATIENCE_SECONDS)
    assert result.exit_code == 0, result.report()
    return time.perf_counter() - started, most / MIB


def patiently(workspace: Workspace, *args: str) -> float:
    """Run a command, for as long as the largest configuration takes; return the seconds."""
    result = workspace.start(*args).wait(PATIENCE_SECONDS)
    assert result.exit_code == 0, result.report()
    return result.seconds


def test_many_keys_of_others_cost_little(workspace: Workspace, crusoe: Crusoe) -> None:
    """They are all in the list that a plan reads."""
    # Holding such an answer against the contract takes longer than all the rest.
    crusoe.simulator.api.observers.clear()
    workspace.write('resource "crusoe_storage_token" "t" {}\n')
    workspace.apply().succeeded()
    alone = seconds_of_a_plan(workspace)
    other = crusoe.simulator.cloud.add_user("other@acme.example", crusoe.organization)
    for _ in range(KEYS):
        crusoe.simulator.cloud.add_key(other)

    crowded = seconds_of_a_plan(workspace)

    figures(f"{KEYS:,} keys of others: plan {crowded:.2f} s instead of {alone:.2f} s")


def seconds_of_a_plan(workspace: Workspace) -> float:
    """Return the median of five, none of which may find a difference."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        assert workspace.plan().succeeded().actions == {}
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def test_applies_in_a_row_leave_nothing_behind(
    workspace: Workspace, crusoe: Crusoe, temporary: Path
) -> None:
    """Each replaces the token; no process, socket, connection or byte of state is left over."""
    here = psutil.Process()
    files, sizes, seconds = [], [], []
    for n in range(APPLIES + 1):
        workspace.write(
            'resource "crusoe_storage_token" "t" {\n'
            f'  rotate_when_changed = {{ n = "{n % 2}" }}\n}}\n'
        )
        started = time.perf_counter()
        workspace.apply().succeeded()
        seconds.append(time.perf_counter() - started)
        sizes.append((workspace.folder / "terraform.tfstate").stat().st_size)
        files.append(here.num_fds())

        assert len(crusoe.simulator.cloud.keys()) == 1
        check_nothing_is_left(workspace, temporary)

    assert max(sizes[1:]) - min(sizes[1:]) < 100
    tenth = max(1, APPLIES // 10)
    figures(
        f"{APPLIES:,} applies in a row: {statistics.median(seconds[:tenth]):.2f} s each at the "
        f"beginning, {statistics.median(seconds[-tenth:]):.2f} s at the end; open files of the "
        f"simulator's process {files[1]} to {files[-1]}"
    )


@pytest.mark.usefixtures("newest_terraform")
@pytest.mark.skipif(not are_warm(), reason="plugins start cold")
def test_commands_of_one_terraform_leave_nothing_behind(
    workspace: Workspace, temporary: Path
) -> None:
    """As a library it goes on; what it keeps for its next command does not grow meanwhile."""
    nursery = None
    memory = files = growth = 0
    seconds = []
    environment = workspace._environment()
    with LongTerraform(workspace.folder, environment, workspace.logs / "long") as terraform:
        for n in range(COMMANDS + 1):
            workspace.write(
                'resource "crusoe_storage_token" "t" {\n'
                f"  rotate_when_changed = {{ n = {n} }}\n}}\n"
            )
            started = time.perf_counter()
            terraform.run("apply", "-auto-approve")
            seconds.append(time.perf_counter() - started)
            if nursery is None and (nursery := idle_nursery(workspace)):
                memory, files = nursery.memory_full_info().uss, nursery.num_fds()
        terraform.run("destroy", "-auto-approve")
        assert nursery is not None
        assert idle_nursery(workspace) == nursery
        growth = nursery.memory_full_info().uss - memory
        assert nursery.num_fds() == files
        assert list(temporary.iterdir()) == []
    check_nothing_is_left(workspace, temporary)
    assert growth <= MIB
    figures(
        f"{COMMANDS:,} applies of one Terraform as a library: {seconds[1]:.2f} s at the beginning, "
        f"{seconds[-1]:.2f} s at the end; the nursery {growth / MIB:+.1f} MiB"
    )


def idle_nursery(workspace: Workspace) -> psutil.Process | None:
    """Return the nursery between two commands, once all that have served have ended."""
    deadline = time.monotonic() + EXIT_SECONDS
    while nurseries := Processes(workspace).nurseries:
        (nursery,) = nurseries
        if len(nursery.children()) == 1:
            return nursery
        assert time.monotonic() < deadline
    return None


@pytest.fixture
def plugin(crusoe: Crusoe, tmp_path: Path) -> Iterator[Plugin]:
    """One process of the provider, configured."""
    environment = plugin_environment(**crusoe.variables())
    with Plugin([str(PLUGIN)], environment, tmp_path / "stderr") as plugin:
        request = pb.ConfigureProvider.Request(config=dynamic({}))
        assert not plugin.provider.ConfigureProvider(request).diagnostics
        yield plugin
        assert plugin.shut_down() == 0


def cycle(plugin: Plugin) -> None:
    """Plan, create, read and delete a token, as an apply and a destroy do."""
    kind: dict[str, Any] = {"type_name": "crusoe_storage_token"}
    config = dict.fromkeys(ATTRIBUTES)
    plan = plugin.provider.PlanResourceChange(
        pb.PlanResourceChange.Request(
            **kind,
            config=dynamic(config),
            proposed_new_state=dynamic(config | dict.fromkeys(COMPUTED, Unknown)),
        )
    )
    created = plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(
            **kind, config=dynamic(config), planned_state=plan.planned_state
        )
    )
    assert value_of(created.new_state)["secret_key"]
    state = {"current_state": created.new_state, "private": created.private}
    read = plugin.provider.ReadResource(pb.ReadResource.Request(**kind, **state))
    deleted = plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(
            **kind, prior_state=read.new_state, planned_state=dynamic(None)
        )
    )
    assert not deleted.diagnostics


def test_one_process_does_not_grow(plugin: Plugin, crusoe: Crusoe) -> None:
    """Neither in memory nor in open files, whatever passes through it."""
    process = psutil.Process(plugin.process.pid)
    for _ in range(WARM_UP):
        cycle(plugin)
    memory, files = process.memory_info().rss, process.num_fds()

    for _ in range(CYCLES):
        cycle(plugin)

    growth = process.memory_info().rss - memory
    assert crusoe.simulator.cloud.keys() == []
    assert process.num_fds() <= files + 1
    assert growth <= max(MIB, MOST_BYTES_PER_CYCLE * CYCLES)
    figures(
        f"{CYCLES:,} creations and deletions in one process: {memory / MIB:.0f} MiB, "
        f"{growth / MIB:+.1f} MiB at the end; open files {files} and {process.num_fds()}"
    )


def test_tokens_cost_no_requests_and_little_memory(plugin: Plugin, crusoe: Crusoe) -> None:
    """However many a configuration has, one list serves the refresh of all."""
    process = psutil.Process(plugin.process.pid)
    keys = [crusoe.simulator.cloud.add_key(crusoe.user) for _ in range(WARM_UP + TOKENS)]
    states = [
        dynamic(
            dict.fromkeys(ATTRIBUTES)
            | {
                "organization_id": key.organization_id,
                "id": key.key_uuid,
                "access_key_id": key.access_key_id,
                "secret_key": key.secret_key,
                "created_at": key.created_at,
                "user_id": key.user_id,
                "ready_for_renewal": False,
            }
        )
        for key in keys
    ]

    def refresh(state: pb.DynamicValue) -> None:
        answer = plugin.provider.ReadResource(
            pb.ReadResource.Request(type_name="crusoe_storage_token", current_state=state)
        )
        assert not answer.diagnostics
        assert value_of(answer.new_state)["status"] == "enabled"

    with ThreadPoolExecutor(10) as executor:
        list(executor.map(refresh, states[:WARM_UP]))
        memory = process.memory_info().rss
        list(executor.map(refresh, states[WARM_UP:]))
        growth = process.memory_info().rss - memory

    assert [r.operation for r in crusoe.simulator.api.requests.all()] == ["list"]
    assert growth <= max(MIB, MOST_BYTES_PER_CYCLE * TOKENS)
    figures(
        f"{TOKENS:,} tokens refreshed by one process: one request, {growth / MIB:+.1f} MiB beside "
        f"{memory / MIB:.0f} MiB"
    )


def figures(text: str) -> None:
    """Print a result, for who runs this with `make soak`."""
    sys.stdout.write(f"\n{text}\n")
