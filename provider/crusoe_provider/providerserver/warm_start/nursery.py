"""The nursery: a process that has everything loaded, serves nobody, and has children that serve.

The first plugin process of a Terraform command leaves it behind, and it ends with that Terraform,
or when no launcher has asked for a while. It keeps one child ready, which waits for a launcher by
itself (`child.py`), forks the next as soon as that one is taken, and looks after those that serve:
one that hangs is ended some time after its launcher.

It makes no thread, no key and no connection: a fork would copy them.
"""

import gc
import os
import select
import signal
import time
from _socket import socketpair
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from crusoe_provider.providerserver.warm_start.child import Ready, close_all_but, serve_and_end
from crusoe_provider.providerserver.warm_start.orphans import orphans_are_reaped
from crusoe_provider.providerserver.warm_start.portrait import Model, loaded_files, portrait

if TYPE_CHECKING:
    from _socket import socket

# With many provider blocks Terraform starts all plugins at once.
_QUEUE: Final = 1024
# How long a child may go on after its own deadline.
_MARGIN_SECONDS: Final = 10.0
# The system ends a nursery that takes longer for anything: it hangs.
_LONGEST_STEP_SECONDS: Final = 30
_CHECK_SECONDS: Final = 1.0
# Longer than any process ID.
_MESSAGE_BYTES: Final = 32


class Plan(NamedTuple):
    """What a nursery is to do.

    Attributes:
        serve: Serves in a child, from its fork to its end.
        steps: What is loaded ahead, one after the other, while a child is ready: it is needed later
            in a process's life.
        longest_end: How many seconds a child may go on without its launcher.
        idle: After how many seconds without a launcher the nursery ends.
    """

    serve: Callable[[Ready], None]
    steps: Sequence[Callable[[], object]]
    longest_end: float
    idle: float


class _Child:
    """A child of the nursery, seen from there.

    Args:
        pid: Its process ID, which is no other's before it has been waited for.
        control: What it tells the nursery through, and by whose end it sees the nursery's.

    Attributes:
        pid: See above.
        control: See above; `None` once a launcher has taken it.
        ended: Its pidfd, readable once it has ended.
        launcher: The pidfd of its launcher, until that has ended.
        end_by: When it is ended if it has not ended by itself, on the monotonic clock.
    """

    def __init__(self, pid: int, control: int) -> None:
        self.pid = pid
        self.control: int | None = control
        self.ended = os.pidfd_open(pid)
        self.launcher: int | None = None
        self.end_by: float | None = None

    def files(self) -> Iterator[int]:
        """Yield the descriptors that tell of it."""
        yield from (f for f in (self.ended, self.control, self.launcher) if f is not None)

    def take(self, control: int) -> bool:
        """Take note that a launcher has taken it; say whether that is so, or it has ended."""
        launcher = b""
        with suppress(ConnectionError):  # it has ended without having read that it is to end
            launcher = os.read(control, _MESSAGE_BYTES)
        os.close(control)
        self.control = None
        if not launcher:
            return False
        self.end_by = None
        with suppress(OSError):  # it is gone already, or there are no descriptors left
            self.launcher = os.pidfd_open(int(launcher))
        return True

    def give_up(self) -> None:
        """Ask it to end, unless a launcher takes it at this moment."""
        if self.control is not None:
            with suppress(OSError):  # it has ended
                os.write(self.control, b".")
            self.end_by = time.monotonic() + _MARGIN_SECONDS

    def end_within(self, seconds: float) -> None:
        """Say how long it may go on by itself."""
        if self.launcher is not None:
            os.close(self.launcher)
            self.launcher = None
        if self.end_by is None:
            self.end_by = time.monotonic() + seconds + _MARGIN_SECONDS

    def bury(self) -> None:
        """Clear it away, once it has ended."""
        with suppress(ChildProcessError):  # the system has done so
            os.waitpid(self.pid, 0)
        for file in self.files():
            os.close(file)


def found(bound: "socket", plan: Plan) -> None:
    """Leave a nursery behind, and go on; or only go on, where one would not be safe.

    Args:
        bound: The socket of the name under which launchers look for it.
        plan: What it is to do.
    """
    try:
        terraform = os.getppid()
        watched = os.pidfd_open(terraform)
        if _is_parent(terraform) and has_one_thread() and orphans_are_reaped(terraform):
            first = portrait(os.getpid())
            if os.fork() == 0:
                _be_nursery(_Nursery(bound, watched, first, plan))
        os.close(watched)
    except (OSError, LookupError, ValueError):
        pass  # nobody is to notice but by the speed
    bound.close()


def _is_parent(terraform: int) -> bool:
    """Say whether a process is the Terraform that has started this one, and has not ended since.

    The pipe to it closes before this process gets another parent, such as process 1.
    """
    poll = select.poll()
    poll.register(1, 0)
    return not poll.poll(0) and os.getppid() == terraform


def has_one_thread() -> bool:
    """Say whether this process can be forked: another thread may hold a lock, for ever then."""
    return len(os.listdir("/proc/self/task")) == 1


def _be_nursery(nursery: "_Nursery") -> NoReturn:
    try:
        nursery.run()
    finally:
        os._exit(0)


class _Nursery:
    def __init__(
        self, listener: "socket", terraform: int, first: Mapping[str, object], plan: Plan
    ) -> None:
        self._listener = listener
        self._terraform = terraform
        self._terraform_gone = False
        # A child has ended that nobody has asked for anything.
        self._is_odd = False
        self._model = Model(first, {})
        self._plan = plan
        self._children: list[_Child] = []
        self._ready: _Child | None = None

    def run(self) -> None:
        """Do all that a nursery does."""
        # Terraform may be part of a program that ignores this, which is passed on. The system would
        # clear children away then, and their numbers be free while they are still in use here.
        self._inherited = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Ctrl-C, and what else is sent to Terraform's group and terminal, is not for this one.
        os.setsid()
        self._let_go()
        self._itself = os.pidfd_open(os.getpid())
        self._listener.setblocking(False)
        # Those who connect learn from the system who has called this.
        self._listener.listen(_QUEUE)
        with suppress(Exception):
            self._raise_children()
        self._see_them_off()

    def _let_go(self) -> None:
        """Close Terraform's pipes, for whose end it waits, and whatever else was inherited."""
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(null, standard)
        close_all_but({self._listener.fileno(), self._terraform})

    def _raise_children(self) -> None:
        """Return when Terraform has ended, nobody has asked for a while, or something is odd."""
        steps = list(self._plan.steps)
        self._note_what_is_loaded()
        asked = time.monotonic()
        while (
            not self._terraform_gone
            and not self._is_odd
            and time.monotonic() - asked < self._plan.idle
        ):
            signal.alarm(_LONGEST_STEP_SECONDS)
            if self._ready is None:
                self._ready = self._new_child()
                asked = time.monotonic()
            if steps:
                steps.pop(0)()
                self._note_what_is_loaded()
            self._wait(0.0 if steps else _CHECK_SECONDS)

    def _note_what_is_loaded(self) -> None:
        # At once: a file that is replaced later is another one than was loaded.
        self._model = self._model._replace(files=loaded_files())
        # What was loaded stays, and is not to be copied for being looked at.
        gc.freeze()

    def _see_them_off(self) -> None:
        """Return when no child is left."""
        self._listener.close()
        for child in self._children:
            child.give_up()
        while self._children:
            signal.alarm(_LONGEST_STEP_SECONDS)
            self._wait(_CHECK_SECONDS)

    def _new_child(self) -> _Child:
        if not has_one_thread():
            raise RuntimeError("what was loaded has started a thread")
        ours, its = (end.detach() for end in socketpair())
        pid = os.fork()
        if pid == 0:
            self._be_child(its)
        os.close(its)
        child = _Child(pid, ours)
        self._children.append(child)
        return child

    def _be_child(self, control: int) -> NoReturn:
        try:
            # As in a process that Terraform has started itself.
            signal.signal(signal.SIGCHLD, self._inherited)
            close_all_but({self._listener.fileno(), self._terraform, self._itself, control})
            ready = Ready(self._listener, self._terraform, self._itself, control, self._model)
            serve_and_end(ready, self._plan.serve)
        finally:
            os._exit(1)

    def _wait(self, seconds: float) -> None:
        """Wait for something to happen, and take note of it."""
        poll = select.poll()
        if not self._terraform_gone:
            poll.register(self._terraform, select.POLLIN)
        for file in (file for child in self._children for file in child.files()):
            poll.register(file, select.POLLIN)
        happened = {file for file, _ in poll.poll(seconds * 1000)}
        self._terraform_gone |= self._terraform in happened
        for child in list(self._children):
            # Looked up before any is closed: the next one that is opened gets its number.
            told, left, ended = (
                file in happened for file in (child.control, child.launcher, child.ended)
            )
            if told and child.control is not None:
                self._is_odd |= not child.take(child.control)
                self._ready = None
            if self._terraform_gone or left:
                child.end_within(self._plan.longest_end)
            if ended:
                child.bury()
                self._children.remove(child)
            elif child.end_by is not None and time.monotonic() > child.end_by:
                os.kill(child.pid, signal.SIGKILL)
