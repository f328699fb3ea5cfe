"""What Terraform starts: finds a process that is ready to serve, or lets this one start cold.

All of it runs before the first sign of life that Terraform waits for, in an interpreter that has
loaded nothing yet, so nothing is imported that Python does not bring along as compiled code.

The process that serves is a child of a *nursery* (see `nursery.py`). It has none of Terraform's
pipes: it talks through the connection to this process alone, which prints its handshake line,
passes on its log, and tells it of signals and of Terraform's end. So Terraform can wait for this
process, and signal it, as for a plugin that serves by itself. One that it kills takes nothing with
it: the child takes that for Terraform's own end, and finishes or undoes what is under way.
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
STATE, SESSION, STARTED = 0, 3, 19
# How the lines of /proc/PID/status begin that tell what a process may do.
_RIGHTS = (b"Uid", b"Gid", b"Groups", b"Cap", b"NoNewPrivs", b"Seccomp")


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
    return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def read(path: str) -> bytes:
    """Return what is in a file."""
    with open(path, "rb", buffering=0) as file:
        return file.read()


def credentials_of(connection: "_socket.socket") -> "tuple[int, int]":
    """Return the process ID and the user ID at the other end of a connection."""
    found = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS_BYTES)
    return int.from_bytes(found[:4], sys.byteorder), int.from_bytes(found[4:8], sys.byteorder)


def _is_trusted(connection: "_socket.socket") -> bool:
    """Say whether who listens is a nursery of this user, and awake.

    Anybody can take a name, from a sandbox as well: names are one for all that share a network. A
    nursery was forked from a process that was started like this one, so it has the same reach.
    Whoever cannot ask for that is not the same user. As a nursery it leads a session, which none of
    those does that Terraform starts: the system names who once began to listen, and that number may
    be another's by now.
    """
    pid, user = credentials_of(connection)
    if user != posix.geteuid():
        return False
    told = stat_of(pid)
    return (
        told[STATE] != _STOPPED and int(told[SESSION]) == pid and reach_of(pid) == reach_of("self")
    )


def reach_of(pid: "int | str") -> "dict[str, object]":
    """Return what a process can reach: what tells one in a sandbox from one outside.

    Args:
        pid: Its process ID, or `self`.

    Raises:
        OSError: It cannot be found out.
        ValueError: The same.
    """
    folder = f"/proc/{pid}"
    spaces = f"{folder}/ns"
    return {
        "rights": [w for w in read(f"{folder}/status").splitlines() if w.startswith(_RIGHTS)],
        "namespaces": {name: posix.readlink(f"{spaces}/{name}") for name in posix.listdir(spaces)},
        "security label": _label(folder),
        "root": file_behind(f"{folder}/root"),
        "exe": file_behind(f"{folder}/exe"),
    }


def file_behind(link: str) -> "tuple[str, int, int]":
    """Return what a link of /proc leads to, by its name and by what does not depend on the root."""
    found = posix.stat(link)
    return posix.readlink(link), found.st_dev, found.st_ino


def _label(folder: str) -> bytes:
    try:
        return read(f"{folder}/attr/current")
    except OSError:  # a system without such labels
        return b""


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
