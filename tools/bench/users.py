"""What users wait for: the life of one key, here and far away, and many provider blocks.

All of it goes over TLS, with the authorities of this system, as to Crusoe itself; a provider that
would look one up in the system's folder gets such a folder, others a file. Any other
provider takes part with `BENCH_BESIDE=FOLDER:RESOURCE_TYPE`: the folder of its executable, and the
resource that is made with it, without arguments. It gets the environment that this provider gets,
and the variables `CRUSOE_…` of whoever runs the benchmark beside.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import psutil

from bench.contestants import FOLDER, Contestant
from bench.distance import Far
from bench.times import Times
from crusoe_simulator.server import Simulator
from harness.workspace import Workspace

ROUND_TRIPS: Final = (0.0, 0.08)
BLOCKS: Final = 40
LIFE: Final = (
    ("plan, new", ("plan",)),
    ("apply", ("apply", "-auto-approve")),
    ("plan, nothing to do", ("plan",)),
    ("destroy", ("destroy", "-auto-approve")),
)
_SAMPLE_SECONDS: Final = 0.2


def beside() -> Contestant | None:
    """Return the provider that `BENCH_BESIDE` names, if it does."""
    named = os.environ.get("BENCH_BESIDE")
    if not named:
        return None
    folder, _, resource_type = named.rpartition(":")
    plugin = next(Path(folder).glob("terraform-provider-*"))
    name = plugin.name.removeprefix("terraform-provider-").partition("_")[0]
    return Contestant(
        f"beside: {resource_type}",
        f'resource "{resource_type}" "t" {{}}\n',
        f"beside/{name}",
        plugin.absolute(),
        variables={k: v for k, v in os.environ.items() if k.startswith("CRUSOE_")},
    )


def lives(contestants: Sequence[Contestant], rounds: int) -> Times:
    """Measure the life of one key, command by command, at every distance in turn."""
    times = Times()
    with ExitStack() as stack:
        simulator = stack.enter_context(simulated())
        runs = [
            (f", {trip * 1000:.0f} ms", contestant.name, _far(stack, contestant, simulator, trip))
            for trip in ROUND_TRIPS
            for contestant in contestants
        ]
        for n in range(rounds + 1):
            for distance, name, workspace in runs:
                for what, command in LIFE:
                    seconds = workspace.run(*command).succeeded().seconds
                    times.add(f"{what}{distance}", name, seconds)
            if n == 0:
                times.forget()
    return times


def many_blocks(contestants: Sequence[Contestant], rounds: int) -> tuple[Times, Iterator[str]]:
    """Measure one key with each of many provider blocks; return a table of memory, too."""
    times = Times()
    memory = {}
    with ExitStack() as stack:
        simulator = stack.enter_context(simulated())
        runs = {c.name: _far(stack, c, simulator, 0.0, blocks=BLOCKS) for c in contestants}
        for _ in range(rounds):
            for name, workspace in runs.items():
                for what, command in LIFE:
                    seconds = workspace.run(*command).succeeded().seconds
                    times.add(f"{what}, {BLOCKS} blocks", name, seconds)
        for name, workspace in runs.items():
            memory[name] = median(peak_memory(workspace) for _ in range(max(rounds // 3, 1)))
    return times, _memory_rows(memory)


def _memory_rows(memory: dict[str, float]) -> Iterator[str]:
    yield f"| memory of all plugins in a plan, {BLOCKS} blocks | PSS |"
    yield "| --- | ---: |"
    for name, size in memory.items():
        yield f"| {name} | {size / 2**20:.0f} MiB |"


def peak_memory(workspace: Workspace) -> int:
    """Return the most memory that the plugins of one plan have at a time, shared parts shared out.

    It is 0 where the system does not tell that.
    """
    running = workspace.start("plan")
    peak = 0
    ended = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(_SAMPLE_SECONDS):
            peak = max(peak, sum(map(_shared_out, workspace.plugin_processes())))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        running.wait().succeeded()
    finally:
        ended.set()
        thread.join()
    return peak


def _shared_out(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(getattr(process.memory_full_info(), "pss", 0))
    return 0


def _far(
    stack: ExitStack,
    contestant: Contestant,
    simulator: Simulator,
    round_trip: float,
    blocks: int = 0,
) -> Workspace:
    """Return a contestant's Terraform, at this distance of the simulator."""
    n = len(list(FOLDER.glob("far-*")))
    folder = FOLDER / f"far-{n}"
    url = urlsplit(simulator.endpoint)
    far = stack.enter_context(Far(folder / "tls", url.port or 0, round_trip))
    variables = {"CRUSOE_API_ENDPOINT": f"https://127.0.0.1:{far.port}{url.path}"}
    if contestant.asks_folder and far.folder:
        variables["SSL_CERT_DIR"] = str(far.folder)
    else:
        variables["SSL_CERT_FILE"] = str(far.authorities)
    workspace = contestant.workspace(folder / "terraform", simulator, variables)
    if blocks:
        workspace.write(_in_blocks(contestant, simulator, blocks), name="resource.tf")
    return stack.enter_context(workspace)


def _in_blocks(contestant: Contestant, simulator: Simulator, blocks: int) -> str:
    """Return the contestant's resource once for each of many provider blocks.

    Each has a user of its own, where the provider is known to take its credentials from the block.
    """
    if contestant.source is None:
        return contestant.configuration
    provider = contestant.source.rpartition("/")[2]
    parts = []
    for n in range(blocks):
        user = simulator.cloud.add_user(
            f"{contestant.name}-{n}@acme.example", simulator.cloud.organizations[0]
        )
        credentials = (
            f'  access_key_id = "{user.access_key_id}"\n  secret_key = "{user.secret_key}"\n'
            if "crusoe_storage_token" in contestant.configuration
            else ""
        )
        parts.append(f'provider "{provider}" {{\n  alias = "b{n}"\n{credentials}}}\n')
        opening, _, rest = contestant.configuration.partition("{")
        opening = opening.replace('"t"', f'"t{n}"')
        body = rest.strip().removesuffix("}")
        parts.append(f"{opening}{{\n  provider = {provider}.b{n}\n  {body}\n}}\n")
    return "".join(parts)


@contextmanager
def simulated() -> Iterator[Simulator]:
    """Run a simulator with one organization, and room for what others make with one user."""
    with Simulator(key_limit=2 * BLOCKS) as simulator:
        simulator.cloud.add_organization("acme")
        yield simulator
