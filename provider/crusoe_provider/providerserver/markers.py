"""Marks that one process of a Terraform command leaves for a later one.

They are for commands that plan and apply in one go, of versions that do not say which of the two
they are at. A marker is a file in a folder that nobody but this user can enter, so that neighbours
in a shared temporary folder can neither plant nor read one.
"""

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from crusoe_provider.providerserver.processes import Process

_FOLDER: Final = "tf-provider-server-{uid}"
_NAME: Final = re.compile(r"(?P<command>\d+-\d+)\.[0-9a-f]+")
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Much longer than two process IDs ever are.
_LONGEST: Final = 64


class Markers:
    """The markers of this user.

    Args:
        parent: The folder that holds the folder of markers; by default one of this user alone if
            the system has it and it can be used, or else the temporary one.
        environ: The environment. It is the same for all processes of a command, so they choose the
            same folder.
    """

    def __init__(self, parent: str | None, environ: Mapping[str, str]) -> None:
        self._parent = parent
        self._runtime = environ.get("XDG_RUNTIME_DIR", "")

    def first_of(self, command: Process, config: bytes, process: Process) -> Process | None:
        """Return the first process of a command that was configured like this one.

        Args:
            command: The process of Terraform.
            config: The provider block.
            process: This process; it becomes the first one if there was none.

        Returns:
            `None` if it cannot be found out.
        """
        name = f"{command}.{hashlib.sha256(config).hexdigest()[:16]}"
        try:
            with self._folder() as folder:
                self._remove_stale(folder)
                return process if _made(folder, name, process) else _found(folder, name, process)
        except (OSError, ValueError):
            return None

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        folder = self._opened()
        try:
            yield folder
        finally:
            os.close(folder)

    def _opened(self) -> int:
        if self._parent is not None:
            return _opened_in(self._parent)
        # The variable is often set where there is no such folder, or that of another user: after
        # `su`, in containers. By its specification a relative one counts for nothing.
        if Path(self._runtime).is_absolute():
            with contextlib.suppress(OSError):
                return _opened_in(self._runtime)
        return _opened_in(tempfile.gettempdir())

    def _remove_stale(self, folder: int) -> None:
        """Remove the markers of commands that have ended, approved or not."""
        for name in os.listdir(folder):
            match = _NAME.fullmatch(name)
            if match is None or not Process.read(match["command"]).is_alive():
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)


def _opened_in(parent: str) -> int:
    """Return the folder of markers in another one; it is made if there is none.

    Raises:
        OSError: It cannot be made, or others may have planted it.
    """
    path = Path(parent, _FOLDER.format(uid=os.getuid()))
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    folder = os.open(path, _DIRECTORY)
    status = os.fstat(folder)
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) != 0o700:  # noqa: PLR2004
        os.close(folder)
        raise PermissionError(path)
    return folder


def _made(folder: int, name: str, process: Process) -> bool:
    """Make a marker; say whether there was none."""
    try:
        file = os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
    except FileExistsError:
        return False
    try:
        os.write(file, str(process).encode())
    finally:
        os.close(file)
    return True


def _found(folder: int, name: str, process: Process) -> Process:
    file = os.open(name, _OLD_FILE, dir_fd=folder)
    try:
        text = os.read(file, _LONGEST).decode("ascii")
    finally:
        os.close(file)
    # An empty one is being written at this moment, by a process as alive as this one.
    return Process.read(text) if text else process
