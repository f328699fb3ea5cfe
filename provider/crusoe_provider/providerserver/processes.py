"""What the operating system tells of processes."""

import mmap
from pathlib import Path
from typing import NamedTuple, Self

import psutil

# The start of a process is computed from the clock, which may be set meanwhile.
_TOLERANCE_SECONDS = 2


class Process(NamedTuple):
    """A process, told from a later one with the same ID by its start.

    Attributes:
        pid: Its ID.
        started: When it started, in whole seconds since 1970; 0 if it is gone already.
    """

    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.pid}-{self.started}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the process that `str` has written down as `text`.

        Raises:
            ValueError: It is no such text.
        """
        pid, started = text.split("-")
        return cls(int(pid), int(started))

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return the process that has an ID at present."""
        try:
            return cls(pid, int(psutil.Process(pid).create_time()))
        except psutil.Error:
            return cls(pid, 0)

    def is_alive(self) -> bool:
        """Say whether it has not ended yet."""
        try:
            found = psutil.Process(self.pid)
            ended = found.status() == psutil.STATUS_ZOMBIE
            return not ended and abs(found.create_time() - self.started) <= _TOLERANCE_SECONDS
        except (psutil.Error, OverflowError):
            return False

    def command(self) -> list[str]:
        """Return the program and its arguments; nothing if they cannot be found out."""
        try:
            return psutil.Process(self.pid).cmdline()
        except psutil.Error:
            return []

    def program_contains(self, text: bytes) -> bool:
        """Say whether the file that it runs is known, and contains a text."""
        try:
            with (
                Path(psutil.Process(self.pid).exe()).open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                return content.find(text) >= 0
        except (psutil.Error, OSError, ValueError):  # gone, not ours, empty
            return False

    def children(self) -> set[int]:
        """Return the IDs of the processes that it has started and that have not ended yet."""
        try:
            return {child.pid for child in psutil.Process(self.pid).children()}
        except psutil.Error:
            return set()
