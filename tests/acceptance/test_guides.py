"""The guide for those without an account, run as it stands: what it shows is what comes."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import terraforms
from harness.sandbox import measuring
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "try-it.md"
MARK = "\x1e"


def steps() -> Iterator[tuple[str, list[str]]]:
    """Yield what is typed, with what the guide shows of its output.

    Blocks of `shell` are typed as they stand, those of `sh` belong to the first terminal.
    """
    text = GUIDE.read_text(encoding="utf-8")
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language == "shell":
            yield body, []
        elif language == "console":
            for step in body.removeprefix("$ ").split("\n$ "):
                command, *shown = step.splitlines()
                yield command, shown


def exports(crusoe: Crusoe) -> dict[str, str]:
    """Return what the simulator's `--print-exports` has for the second terminal."""
    return crusoe.variables() | {
        "CRUSOE_SIMULATOR_CONTROL": crusoe.simulator.control,
        "AWS_ENDPOINT_URL_S3": str(crusoe.simulator.s3_endpoint),
        "AWS_REGION": "us-east-1",
    }


@pytest.mark.s3
def test_the_guide_without_an_account_shows_what_happens(crusoe: Crusoe, tmp_path: Path) -> None:
    """Step by step, in an environment that has nothing else."""
    typed = list(steps())
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "terraform").symlink_to(terraforms.executable())
    path = [str(bin_folder), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    environment = {"PATH": os.pathsep.join(path), "HOME": str(tmp_path)} | measuring()
    script = "\n".join(f"printf '{MARK}'\n{command}" for command, _ in typed)

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment | exports(crusoe) | {"TF_CLI_ARGS": "-no-color"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    outputs = done.stdout.split(MARK)[1:]
    assert len(outputs) == len(typed), done.stdout
    for (command, shown), output in zip(typed, outputs, strict=True):
        place = 0
        for line in shown:
            expected = line.strip().replace("you@example.com", crusoe.user.email).partition("…")[0]
            found = output.find(expected, place)
            assert found >= 0, f"{shlex.quote(command)}: no {expected!r} in\n{output}"
            place = found
    assert crusoe.simulator.cloud.keys() == []
