"""Executables of plugins: those that start as users' do, and those that need no start.

A start is most of what a Terraform command costs, and nearly all of it imports. In tests of what a
provider does, and not of how its process starts, Terraform starts a launcher, and a process that is
forked at once, with everything loaded, serves it. Warm starts do the same by the same code
(`docs/development/warm-starts.md`), but from the second plugin of a command on, and only in the
same environment.
"""

import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from harness.sandbox import PLUGIN, measuring

PROVIDER: Final = "crusoe_provider.__main__"
_TESTS: Final = Path(__file__).parents[1]
_END_SECONDS: Final = 20.0


class Plugins(Protocol):
    """What makes executables for Terraform."""

    def executable(self, file: Path, module: str, *arguments: str) -> Path:
        """Return an executable that serves the provider of a module.

        Args:
            file: Where to put it, if it is not installed.
            module: Has a function `new_provider`, and serves by it if it is run.
            arguments: What the module finds in `sys.argv`.
        """


class StartingPlugins:
    """Executables of which each process starts by itself."""

    def executable(self, file: Path, module: str, *arguments: str) -> Path:
        """Return an executable; see `Plugins`."""
        if module == PROVIDER:
            return PLUGIN
        command = shlex.join([sys.executable, _file_of(module), *arguments])
        return _written(file, f"PYTHONPATH={shlex.quote(str(_TESTS))} exec {command}")


class ReadyPlugins:
    """Executables that need no start, and the process that forks plugins for them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, _file_of("support.ready_process")],
            # A child's environment, to the system, by which the harness sees that it is a plugin.
            env=measuring() | {"TF_PLUGIN_MAGIC_COOKIE": "of a child"},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._address = self._process.stdout.readline().strip()
        assert self._address, "no plugin can be forked"

    def executable(self, file: Path, module: str, *arguments: str) -> Path:
        """Return an executable; see `Plugins`."""
        packages = str(Path(_file_of("crusoe_provider")).parents[1])
        launcher = [sys.executable, "-IS", _file_of("support.ready_launcher")]
        command = shlex.join([*launcher, packages, self._address, module, *arguments])
        return _written(file, f"exec {command}")

    def end(self) -> None:
        """End the process; plugins go on until nobody needs them."""
        self._process.communicate(timeout=_END_SECONDS)
        assert self._process.returncode == 0


def stand_in(plugins: Plugins, folder: Path, source: str) -> Path:
    """Return the executable of a stand-in for another provider, in a folder of its own."""
    file = folder / source / f"terraform-provider-{source.rpartition('/')[2]}"
    return plugins.executable(file, "support.stand_in_plugin", source)


def _written(file: Path, line: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o700)
    return file


def _file_of(module: str) -> str:
    found = find_spec(module)
    assert found is not None
    assert found.origin is not None
    return found.origin
