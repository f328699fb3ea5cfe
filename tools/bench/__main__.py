"""How long users wait: this provider beside others, in turn, in one run. `make bench` runs it.

Machines are noisy, so only the ratios say something. What is compared: Terraform's built-in
`terraform_data`, which starts no plugin; a Go plugin, HashiCorp's null provider if pip can get it;
a storage token on `tf` alone (`plain_tf_provider.py`); this provider, installed by `install` and as
the binary of a release; and any other with `BENCH_BESIDE`, for which see `users.py`.
"""

import argparse
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from bench.contestants import (
    FOLDER,
    OURS,
    TOKEN,
    Contestant,
    clean_environment,
    contestants,
    install,
    launcher,
)
from bench.times import Times
from bench.users import beside, lives, many_blocks
from crusoe_simulator.faults import Fault
from crusoe_simulator.server import Simulator
from harness import terraforms
from harness.sandbox import SOURCE

TWO_TOKENS: Final = 'resource "crusoe_storage_token" "t" {\n  count = 2\n}\n'
MAGIC_COOKIE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
LATENCY: Final = 0.08
MANY_KEYS: Final = 20_000


def handshake(plugin: Path) -> float:
    """Return the seconds from the start of a plugin to its handshake line."""
    variables = clean_environment() | {
        "TF_PLUGIN_MAGIC_COOKIE": MAGIC_COOKIE,
        "PLUGIN_CLIENT_CERT": "x",
    }
    started = time.perf_counter()
    with subprocess.Popen([plugin], env=variables, stdout=subprocess.PIPE) as process:
        if process.stdout:
            process.stdout.readline()
        seconds = time.perf_counter() - started
        process.kill()
    return seconds


def import_grpc(python: Path) -> float:
    """Return the seconds of a Python that imports grpc and ends."""
    started = time.perf_counter()
    subprocess.run([python, "-I", "-c", "import grpc"], check=True)
    return time.perf_counter() - started


def waiting(compared: Sequence[Contestant], python: Path, ours: Path, rounds: int) -> Times:
    """Measure how long people wait, command by command."""
    times = Times()
    with ExitStack() as stack:
        simulator = stack.enter_context(simulated())
        runs = {
            contestant.name: stack.enter_context(
                contestant.workspace(FOLDER / "waiting" / str(n), simulator)
            )
            for n, contestant in enumerate(compared)
        }
        for n in range(rounds + 1):
            for name, workspace in runs.items():
                for command in ("validate", "plan"):
                    seconds = workspace.run(command).succeeded().seconds
                    times.add(f"{command} of a token to create", name, seconds)
            times.add("start", "import grpc", import_grpc(python))
            times.add("start", OURS, handshake(ours))
            if n == 0:
                times.forget()
            print(f"round {n} of {2 * rounds}", file=sys.stderr)
        for workspace in runs.values():
            workspace.apply().succeeded()
        for n in range(rounds):
            for name, workspace in runs.items():
                seconds = workspace.run("plan").succeeded().seconds
                times.add("plan of a token that exists", name, seconds)
            print(f"round {rounds + n} of {2 * rounds}", file=sys.stderr)
    return times


def requests(ours: Path) -> Iterator[str]:
    """Yield a table of what is sent, and of what a slow API costs."""
    slow = f"{LATENCY * 1000:.0f} ms"
    yield f"| two tokens | requests at 0 ms | time | requests at {slow} each | time |"
    yield "| --- | --- | ---: | --- | ---: |"
    rows: dict[str, list[str]] = {}
    for latency in (0.0, LATENCY):
        folder = FOLDER / "requests" / f"{latency * 1000:.0f}"
        contestant = Contestant(OURS, TWO_TOKENS, SOURCE, ours)
        with simulated() as simulator, contestant.workspace(folder, simulator) as workspace:
            simulator.faults.add(Fault(times=None, delay_before=latency))
            for label, *command in (
                ("plan, none yet", "plan", "-out=tfplan"),
                ("apply of that plan", "apply", "tfplan"),
                ("plan, nothing to do", "plan"),
                ("destroy", "destroy", "-auto-approve"),
            ):
                simulator.api.requests.clear()
                seconds = workspace.run(*command).succeeded().seconds
                sent = Counter(str(r.operation) for r in simulator.api.requests.all())
                listed = ", ".join(f"{n} {name}" for name, n in sorted(sent.items()))
                cells = [f"{sum(sent.values())}: {listed}", f"{seconds * 1000:.0f} ms"]
                rows.setdefault(label, []).extend(cells)
    for label, cells in rows.items():
        yield f"| {label} | {' | '.join(cells)} |"


def many(ours: Path, rounds: int) -> Iterator[str]:
    """Yield a table of what keys in the list and tokens in the configuration cost."""
    yield "| | plan |"
    yield "| --- | ---: |"
    for label, keys in (("an empty list", 0), (f"{MANY_KEYS:,} keys of others", MANY_KEYS)):
        folder = FOLDER / "many" / str(keys)
        contestant = Contestant(OURS, TOKEN, SOURCE, ours)
        with simulated() as simulator, contestant.workspace(folder, simulator) as workspace:
            organization = simulator.cloud.organizations[0]
            other = simulator.cloud.add_user("other@acme.example", organization)
            for _ in range(keys):
                simulator.cloud.add_key(other)
            workspace.run("plan").succeeded()
            seconds = statistics.median(
                workspace.run("plan").succeeded().seconds for _ in range(rounds)
            )
            yield f"| {label} | {seconds * 1000:.0f} ms |"


@contextmanager
def simulated() -> Iterator[Simulator]:
    """Run a simulator with one organization."""
    with Simulator() as simulator:
        simulator.cloud.add_organization("acme")
        yield simulator


def machine() -> str:
    """Return what this was measured on."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"{terraforms.version(terraforms.executable())}"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured")
    rounds = parser.parse_args().rounds
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    python = install()
    ours = launcher(python)
    print(machine())
    compared = list(contestants(python, ours))
    # What takes part in the rest has a plugin; and whose it is makes no difference to the API.
    plugins = [c for c in compared if c.plugin] + [c for c in [beside()] if c]
    each = [c for c in plugins if c.takes_credentials]
    blocks, memory = many_blocks(each, max(rounds // 3, 2))
    tables = (
        lives(plugins, rounds).rows(),
        blocks.rows(),
        memory,
        waiting(compared, python, ours, rounds).rows(),
        requests(ours),
        many(ours, rounds),
    )
    for table in tables:
        print()
        for row in table:
            print(row)


if __name__ == "__main__":
    main()
