"""The programs that the demonstration runs: the simulator, and Terraform."""

import contextlib
import json
import os
import selectors
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from expectations import DemoError

READY_SECONDS: Final = 30
STOP_SECONDS: Final = 10
# Terraform lets its plugins finish what they are doing.
INTERRUPT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class LocalApi:
    """A running simulator.

    Attributes:
        endpoint: The base URL of the API.
        control: The base URL of the simulator's own controls.
        s3_endpoint: The endpoint for S3 clients.
        access_key_id: The credentials of its user.
        secret_key: Their secret part.
        process: The simulator's process.
    """

    endpoint: str
    control: str
    s3_endpoint: str
    access_key_id: str
    secret_key: str = field(repr=False)
    process: subprocess.Popen[str] = field(repr=False)

    def access_key_ids(self) -> set[str]:
        """Return the access key IDs of all storage tokens there are, bypassing the API."""
        # Loopback, so through no proxy that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.control}/keys", timeout=STOP_SECONDS) as answer:
            return {key["access_key_id"] for key in json.load(answer)["keys"]}


@contextlib.contextmanager
def local_api(folder: Path, environment: Mapping[str, str], log: Path) -> Iterator[LocalApi]:
    """Run the simulator on a free port of loopback until the context ends.

    Args:
        folder: Its working directory.
        environment: Its whole environment.
        log: The file for what it logs.

    Raises:
        DemoError: It did not start.
    """
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "crusoe_simulator", "--port", "0", "--s3"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            # Ctrl-C is for this program, which ends the simulator when Terraform is done.
            start_new_session=True,
        )
    with process:
        try:
            yield LocalApi(**_ready_line(process), process=process)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready_line(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return what the simulator says once it is ready."""
    if process.stdout is None:
        raise AssertionError("started with a pipe")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(READY_SECONDS) else ""
    try:
        ready: dict[str, Any] = json.loads(line)
        names = ("endpoint", "control", "s3_endpoint", "access_key_id", "secret_key")
        return {name: ready[name] for name in names}
    except (ValueError, KeyError) as error:
        raise DemoError("The simulator did not start.") from error


@dataclass(frozen=True, slots=True)
class Terraform:
    """Terraform in one working directory.

    Attributes:
        executable: Its path.
        folder: The working directory.
        environment: Its whole environment.
        log: The file that collects the output of `run`.
    """

    executable: Path
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    log: Path

    def run(self, *args: str) -> tuple[int, str]:
        """Run a command, log its output, and return exit code and output."""
        exit_code, output = self._run(args)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ terraform {shlex.join(args)}\n{output}-> exit code {exit_code}\n\n")
        return exit_code, output

    def ask(self, *args: str) -> str:
        """Run a command whose output may hold secrets; it is returned, and nothing else."""
        exit_code, output = self._run(args)
        if exit_code:
            raise DemoError(f"terraform {shlex.join(args)} ended with exit code {exit_code}.")
        return output

    def _run(self, args: tuple[str, ...]) -> tuple[int, str]:
        process = subprocess.Popen(
            [self.executable, *args],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            # A Ctrl-C reaches it once, from here, and not its plugins.
            start_new_session=True,
        )
        with process:
            try:
                output, _ = process.communicate()
            except BaseException:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=INTERRUPT_SECONDS)
                raise
            finally:
                # Whatever is left of its process group: nothing, if all went well. (macOS has
                # PermissionError for a group of which only zombies are left.)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, output
