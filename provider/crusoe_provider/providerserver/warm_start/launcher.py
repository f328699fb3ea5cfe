"""What Terraform starts: finds a process that is ready to serve, or lets this one start cold.

All of it runs before the first sign of life that Terraform waits for, in an interpreter that has
loaded nothing yet, so nothing is imported that Python does not bring along as compiled code.

The process that serves is a child of a *nursery* (see `nursery.py`). It has none of Terraform's
pipes: it talks through the connection to this process alone, which prints its handshake line,
passes on its log, and tells it of signals and of Terraform's end. So whatever Terraform does to
this process, waiting, signalling, killing, has the effect that it has on a plugin that serves by
itself.
"""

import _socket
import posix
import select
import sys

# For the type checker; the module `typing` takes longer to load than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import NoReturn
else:
    import _signal

# From launcher to child: one of the signals by which an end is asked for has arrived. The end of
# what the launcher sends means that Terraform is gone.
STOP = b"s"
# From child to launcher, among what it logs: it ends as it should.
ENDED = b"\0"

# How long a nursery may take to answer. One that is loaded and idle takes milliseconds; some
# hundred launchers at once wait for each other.
_PATIENCE_SECONDS = 2.0
_CHECK_MS = 1000
_CHUNK = 65536
_CREDENTIALS_BYTES = 12
# The longest handshake line has a certificate of under a kilobyte in it.
_LONGEST_LINE = 8192
_STOPPED = b"T"
# In what /proc/PID/stat tells after the name of the program.
STATE, STARTED = 0, 19


def launch() -> "_socket.socket | None":
    """Serve Terraform by a child of a nursery, and end with it; or return at once.

    It returns when the process is to start cold: nobody answers, something is odd, or the system
    lacks what is needed.

    Returns:
        A socket that is bound to the name under which launchers look for a nursery, if this process
        is the one to leave one behind.
    """
    try:
        if sys.platform != "linux" or b"TF_PLUGIN_MAGIC_COOKIE" not in posix.environ:
            return None
        # Ctrl-C is Terraform's business, here as in a process that serves by itself.
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        name = _name()
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        # A queue that is full is reported at once.
        connection.settimeout(_PATIENCE_SECONDS)
        try:
            connection.connect(name)
        except ConnectionRefusedError:
            bound = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            bound.bind(name)
            return bound
        received = answer(connection) if _is_trusted(connection) else b""
    except (OSError, ValueError, IndexError, AttributeError):  # the last: a Python without pidfd
        return None
    line, end, log = received.partition(b"\n")
    if not end:
        connection.close()
        return None
    return go_between(connection, line + end, log)


def _name() -> bytes:
    """Return the name of the nursery: one for each user, Terraform and program.

    It is in Linux's abstract namespace, where nothing is left by whoever ends in whatever way.
    """
    terraform = posix.getppid()
    posix.close(posix.pidfd_open(terraform))
    program = posix.stat(sys.argv[0])
    started = int(stat_of(terraform)[STARTED])
    numbers = (posix.geteuid(), terraform, started, program.st_dev, program.st_ino)
    return b"\0tf-plugin/%d/%d-%d/%x-%x" % numbers


def stat_of(pid: int) -> "list[bytes]":
    """Return what the system tells of a process after its name: state, parent and so on."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def credentials_of(connection: "_socket.socket") -> "tuple[int, int]":
    """Return the process ID and the user ID at the other end of a connection."""
    found = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS_BYTES)
    return int.from_bytes(found[:4], sys.byteorder), int.from_bytes(found[4:8], sys.byteorder)


def _is_trusted(connection: "_socket.socket") -> bool:
    """Say whether who listens is a process of this user, and awake.

    Any user can take a name. User IDs are only comparable in one namespace of users, and whoever
    cannot ask a process for its own is not the same user.
    """
    pid, user = credentials_of(connection)
    return (
        user == posix.geteuid()
        and posix.readlink(f"/proc/{pid}/ns/user") == posix.readlink("/proc/self/ns/user")
        and stat_of(pid)[STATE] != _STOPPED
    )


def answer(connection: "_socket.socket") -> bytes:
    """Return what a child sends first: its handshake line, and perhaps some of its log."""
    received = b""
    while b"\n" not in received and len(received) < _LONGEST_LINE:
        part = connection.recv(_CHUNK)
        if not part:
            break
        received += part
    return received


def go_between(connection: "_socket.socket", line: bytes, log: bytes) -> "NoReturn":
    """Stand between Terraform and the child until the child has ended."""

    def stop(_number: int, _frame: object) -> None:
        _send(connection, STOP)

    for number in (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT):
        _signal.signal(number, stop)
    connection.settimeout(None)
    parent = posix.getppid()
    _write(1, line)
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    # No event is asked for: a pipe that is closed is reported all the same.
    poll.register(1, 0)
    terraform_gone = False
    ended = False
    while True:
        if log:
            # A thread may log something even then.
            ended |= ENDED in log
            _write(2, log.replace(ENDED, b""))
            log = b""
        events = dict(poll.poll(_CHECK_MS))
        if not terraform_gone and (1 in events or posix.getppid() != parent):
            terraform_gone = True
            poll.unregister(1)
            connection.shutdown(_socket.SHUT_WR)
        if connection.fileno() in events:
            try:
                log = connection.recv(_CHUNK)
            except OSError:
                log = b""
            if not log:
                posix._exit(0 if ended else 1)  # noqa: SLF001 - the name it has


def _send(connection: "_socket.socket", message: bytes) -> None:
    try:  # noqa: SIM105 - contextlib takes long to load
        connection.send(message)
    except OSError:  # it has ended
        pass


def _write(file: int, text: bytes) -> None:
    try:
        while text:
            text = text[posix.write(file, text) :]
    except OSError:  # nobody reads it any more
        pass
