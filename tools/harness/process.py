"""A running Terraform, which can be interrupted and killed."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import IO, Final

import psutil

from harness.result import Result

# Longer than any run takes, shorter than the time limit of a test, whose report says much less.
RUN_SECONDS: Final = 120.0
OUTPUT_SECONDS: Final = 60.0
EXIT_SECONDS: Final = 20.0
# Terraform lets its plugins finish what they are doing.
INTERRUPT_SECONDS: Final = 30.0

_MAGIC_COOKIE: Final = "TF_PLUGIN_MAGIC_COOKIE"


class Running:
    """A Terraform in a session, and so a process group, of its own: as in a terminal of its own.

    Args:
        executable: Terraform.
        args: The command and its arguments.
        folder: The working directory.
        environment: The whole environment.
        stdin: What it reads from standard input.
        log: The file that it logs into, if it does.
    """

    def __init__(
        self,
        executable: Path,
        args: tuple[str, ...],
        *,
        folder: Path,
        environment: Mapping[str, str],
        stdin: str = "",
        log: Path | None = None,
    ) -> None:
        self._args = args
        self._log = log
        self._output: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._changed = threading.Condition()
        self._readers_left = 2
        self._seconds = 0.0
        # A thread is no good to wait for: Python 3.11 takes it for ended after a Ctrl-C meanwhile.
        self._over = threading.Event()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            [executable, *args],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._threads = [
            self._read("stdout", _given(self._process.stdout)),
            self._read("stderr", _given(self._process.stderr)),
        ]
        threading.Thread(target=self._note_the_end, name="terraform end", daemon=True).start()
        with _given(self._process.stdin) as given:
            # A few lines at most, so the pipe takes them at once, whether or not anybody reads.
            given.write(stdin)

    @property
    def pid(self) -> int:
        """The ID of the process, of its process group and of its session."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    @property
    def text(self) -> str:
        """What it has printed so far: standard output, then standard error."""
        with self._changed:
            return "".join(self._output["stdout"] + self._output["stderr"])

    def wait_for_output(self, text: str, timeout: float = OUTPUT_SECONDS) -> None:
        """Wait until it has printed `text`."""
        with self._changed:
            self._changed.wait_for(lambda: text in self.text or self._readers_left == 0, timeout)
            seen = self.text
        if text not in seen:
            raise AssertionError(f"expected {text!r} within {timeout} s\n{seen}")

    def interrupt(self) -> None:
        """Press Ctrl-C: SIGINT to the whole process group, plugins included."""
        os.killpg(self.pid, signal.SIGINT)

    def interrupt_terraform_only(self) -> None:
        """Send SIGINT to Terraform alone, which then asks its plugins to stop."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM to Terraform."""
        self._process.terminate()

    def hang_up(self) -> None:
        """Close the terminal: SIGHUP to the whole process group, plugins included."""
        os.killpg(self.pid, signal.SIGHUP)

    def kill(self) -> None:
        """Send SIGKILL to Terraform; its plugins live on."""
        self._process.kill()

    def wait(self, timeout: float = RUN_SECONDS) -> Result:
        """Wait for its end, and return what it printed.

        A run that does not end in time is killed with all its plugins. If this process is
        interrupted meanwhile, so is Terraform, which may then finish what it is doing.

        Raises:
            AssertionError: It has not ended in time.
        """
        try:
            has_ended = self._over.wait(timeout)
        except BaseException:
            self.interrupt_terraform_only()
            self._over.wait(INTERRUPT_SECONDS)
            self.abandon()
            raise
        if not has_ended:
            self.abandon()
            raise AssertionError(
                f"terraform {' '.join(self._args)} did not end within {timeout} s\n{self.text}"
            )
        for thread in self._threads:
            thread.join(EXIT_SECONDS)
        with self._changed:
            stdout, stderr = ("".join(lines) for lines in self._output.values())
        log = self._log.read_text(encoding="utf-8") if self._log and self._log.exists() else ""
        return Result(self._args, self._process.returncode, stdout, stderr, log, self._seconds)

    def abandon(self) -> None:
        """Kill the whole process group, if any of it is left."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):  # it has ended at this moment
                os.killpg(self.pid, signal.SIGKILL)
            self._over.wait()

    def _note_the_end(self) -> None:
        # Waiting with a time limit would look at it every 50 ms: too coarse for a benchmark.
        self._process.wait()
        self._seconds = time.monotonic() - self._started
        self._over.set()

    def _read(self, name: str, stream: IO[str]) -> threading.Thread:
        def read() -> None:
            with stream:
                for line in stream:
                    with self._changed:
                        self._output[name].append(line)
                        self._changed.notify_all()
            with self._changed:
                self._readers_left -= 1
                self._changed.notify_all()

        thread = threading.Thread(target=read, name=f"terraform {name}", daemon=True)
        thread.start()
        return thread


def run_on_a_terminal(
    executable: Path,
    args: tuple[str, ...],
    *,
    folder: Path,
    environment: Mapping[str, str],
    size: tuple[int, int],
) -> str:
    """Run a command on a terminal, and return what it prints there, colours included.

    Args:
        executable: Terraform.
        args: The command and its arguments.
        folder: The working directory.
        environment: The whole environment.
        size: Rows and columns of the terminal.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    output = b""
    with subprocess.Popen(
        [executable, *args],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=its,
    ):
        os.close(its)
        # The end of the other side is an error on Linux, and no bytes elsewhere.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65536):
                output += part
    os.close(ours)
    return output.decode().replace("\r\n", "\n")


def plugin_processes(sessions: Container[int], home: Path, folder: Path) -> list[psutil.Process]:
    """Return the living plugins of some runs of Terraform, what they leave for later ones included.

    Args:
        sessions: The sessions of the runs, which are their process IDs. A plugin may have gone into
            one of its own.
        home: Their home folder, which tells them from an unrelated session that has got the number
            of an ended one.
        folder: Where they run, and by which those are found that were forked ahead of the runs.
    """
    return [p for p in psutil.process_iter() if _is_plugin(p, sessions, home, folder)]


def still_running(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Return those that have not ended, once all have, or after some time.

    psutil's own wait takes one that has ended for running until its parent clears it away, and
    process 1 may do that only now and then.
    """
    deadline = time.monotonic() + seconds
    while running := [process for process in processes if _is_running(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return running


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _given(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise AssertionError("started with a pipe")
    return stream


def _is_plugin(process: psutil.Process, sessions: Container[int], home: Path, folder: Path) -> bool:
    try:
        if process.pid in sessions:
            return False
        inside = os.getsid(process.pid) in sessions
        environment = process.environ()
        alive = process.status() != psutil.STATUS_ZOMBIE
        plugin = _MAGIC_COOKIE in environment and (
            environment.get("HOME") == str(home) or Path(process.cwd()).is_relative_to(folder)
        )
    except (psutil.Error, OSError):  # gone meanwhile
        return False
    # A process has no environment for a moment, while it executes another program.
    return alive and (plugin or (inside and not environment))
