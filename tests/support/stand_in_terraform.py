"""A process in Terraform's place, for tests that end it."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import psutil

from support.plugin import EXIT_SECONDS

# For each line of its standard input it starts as many plugins at once as that says, and answers
# with what they print. A number below zero ends the plugins, as Terraform does: by their pipes.
_PROGRAM: Final = """
import json, subprocess, sys

plugins = []
for line in sys.stdin:
    if int(line) < 0:
        for plugin in plugins:
            plugin.stdout.close()
            plugin.wait()
        plugins = []
    new = [subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) for _ in range(int(line))]
    plugins += new
    print(json.dumps([[p.pid, p.stdout.readline().decode()] for p in new]), flush=True)
"""


class StandIn:
    """A running stand-in, in a session of its own; a context manager.

    Args:
        command: The command of the plugin.
        environment: The environment of both.
        wrapper: A command that runs the stand-in, such as `unshare`.

    Attributes:
        process: The process that was started: the stand-in, or its wrapper.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        wrapper: Sequence[str] = (),
    ) -> None:
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-I", "-c", _PROGRAM, *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, plugins: int = 1) -> list[tuple[psutil.Process, str]]:
        """Start plugins, all at once; return the processes with their handshake lines.

        Where the stand-in is in a namespace of its own, so are the numbers of the processes.
        """
        return [(psutil.Process(pid), line) for pid, line in self._ask(plugins)]

    def lines(self, plugins: int = 1) -> list[str]:
        """Start plugins, all at once, and return their handshake lines."""
        return [line for _, line in self._ask(plugins)]

    def begin(self, plugins: int = 1) -> None:
        """Begin to start plugins, and return at once."""
        assert self.process.stdin
        self.process.stdin.write(f"{plugins}\n")
        self.process.stdin.flush()

    def end_plugins(self) -> None:
        """End all plugins, and return when they have ended."""
        self._ask(-1)

    def _ask(self, number: int) -> list[tuple[int, str]]:
        self.begin(number)
        assert self.process.stdout
        return [(pid, line) for pid, line in json.loads(self.process.stdout.readline())]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate(timeout=EXIT_SECONDS)
