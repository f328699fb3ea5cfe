"""The toy plugin with warm starts, as a program that Terraform would start.

Each test has one of its own (`WarmToy`): a nursery is found by its program and its Terraform, and
the Terraform of all tests is the process that runs them.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from harness.process import still_running
from support.plugin import EXIT_SECONDS, START_SECONDS

_TRIES: Final = 5
_PROGRAM: Final = """\
import sys

sys.path[:0] = {path!r}
from crusoe_provider.providerserver.warm_start.launcher import launch

bound = launch()

import os
from support import toy_plugin
from crusoe_provider.providerserver.serve import WarmStart

idle = float(os.environ.get("TOY_IDLE_SECONDS", "60"))
steps = [lambda: __import__("later")] if "TOY_LATER" in os.environ else []
toy_plugin.main(WarmStart(bound, lambda: None, steps, idle) if bound else None)
"""


class WarmToy:
    """A toy plugin of which all but the first process start warm.

    Args:
        folder: A folder of its own, for the program.
        toys: The folder that toys work in.
    """

    def __init__(self, folder: Path, toys: Path) -> None:
        folder.mkdir()
        self.program = folder / "toy.py"
        tests = Path(__file__).parents[1]
        path = [str(tests), str(tests.parent / "tools"), str(tests.parent / "provider")]
        self.program.write_text(_PROGRAM.format(path=path))
        self.command = [sys.executable, str(self.program), str(toys)]

    def processes(self) -> list[psutil.Process]:
        """Return all its processes that have not ended."""
        return [p for p in psutil.process_iter() if self._is_ours(p)]

    def nurseries(self) -> list[psutil.Process]:
        """Return its nurseries: each leads a session of its own."""
        return [p for p in self.processes() if _leads(p)]

    def found(self, environment: Mapping[str, str]) -> psutil.Process:
        """Start a first process and end it; return the nursery that it leaves, once it is ready."""

        def start() -> None:
            with subprocess.Popen(
                self.command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as first:
                assert first.stdout is not None
                assert first.stdout.readline()

        return self.found_by(start)

    def found_by(self, start: Callable[[], object]) -> psutil.Process:
        """Start first processes until one has left a nursery; return that, once it is ready.

        None is left where several have just ended, as in other tests, and are not cleared away yet.
        """
        for _ in range(_TRIES):
            start()
            deadline = time.monotonic() + START_SECONDS / _TRIES
            while time.monotonic() < deadline:
                for nursery in self.nurseries():
                    with suppress(psutil.NoSuchProcess):
                        if nursery.children():
                            return nursery
        raise AssertionError("there is no nursery")

    def end(self) -> None:
        """End its nurseries, and fail if anything is left after that."""
        for nursery in self.nurseries():
            with suppress(psutil.NoSuchProcess):
                nursery.terminate()
        left = still_running(self.processes(), EXIT_SECONDS)
        for process in left:
            process.kill()
        assert not left

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.cmdline()[: len(self.command)] == self.command
        except psutil.Error:
            return False


def _leads(process: psutil.Process) -> bool:
    """Say whether a process leads a session; one that has ended meanwhile does not."""
    try:
        return os.getsid(process.pid) == process.pid
    except ProcessLookupError:
        return False
