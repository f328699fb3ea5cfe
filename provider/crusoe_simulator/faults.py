"""Misbehaviour on demand: what a test asks the simulator to do wrong, and how often."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Operation = Literal[
    "list", "create", "delete", "organizations", "identity", "projects", "project", "*"
]
Cut = Literal["before", "after", "within"]
Hold = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in place of the real one.

    Attributes:
        status: Its status.
        body: Its body.
        content_type: The header of that name.
        headers: More headers; a value that is not ASCII is sent as UTF-8.
        nesting: How many JSON arrays the body is put into, one within the other.
        padding: Bytes of blanks to send after the body, which JSON allows.
        gzip: How many times all that is compressed, and said to be.
    """

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    nesting: int = 0
    padding: int = 0
    gzip: int = 0


@dataclass(eq=False)
class Fault:
    """What is to go wrong with matching requests.

    Attributes:
        operation: Which requests match.
        times: How many of them are struck; `None` for all.
        after: How many matching requests pass before.
        answer: The answer to give.
        carried_out: Whether the request is carried out all the same before that answer.
        cut: Close the connection: before the request is carried out, after it, or within the
            answer.
        delay_before: Seconds to wait before the request is carried out.
        delay_after: Seconds to wait between that and the answer.
        hold: Where to hold the request until `release` is called.
        patch: Members to put into the JSON of the real answer; `None` removes one.
        headers: Headers to put into the answer, in place of those of the same name; a value that is
            not ASCII is sent as UTF-8.
        drip: Seconds after each byte of the answer's body, until `release` is called.
        continues: Seconds before each `100 Continue`, which come without end before the answer,
            until `release` is called.
        late: Seconds after which the request is carried out, or when `release` is called; it has
            been answered by then, with `answer` or with `cut` before, or been given up.
        id: Names it in the control interface.
    """

    operation: Operation = "*"
    times: int | None = 1
    after: int = 0
    answer: Answer | None = None
    carried_out: bool = False
    cut: Cut | None = None
    delay_before: float = 0.0
    delay_after: float = 0.0
    hold: Hold | None = None
    patch: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: float | None = None
    continues: float | None = None
    late: float | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    arrived: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    released: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    happened: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could never strike, or would change nothing: faults come over HTTP too.

        Raises:
            ValueError: There is no such operation, cut or hold; or a request that is to be late
                would have to wait for itself.
        """
        _check("operation", self.operation, get_args(Operation))
        _check("cut", self.cut, (None, *get_args(Cut)))
        _check("hold", self.hold, (None, *get_args(Hold)))
        answered = self.cut == "before" or (self.answer is not None and not self.carried_out)
        if self.late is not None and (self.hold or not answered):
            raise ValueError("late needs an answer that is not carried_out, or a cut before")

    def wait_arrived(self, timeout: float = 30.0) -> None:
        """Return when a request has reached the point where it is held, drips, or continues.

        Raises:
            TimeoutError: None came in time.
        """
        if not self.arrived.wait(timeout):
            raise TimeoutError(f"no request for {self.operation!r} came in {timeout} s")

    def wait_happened(self, timeout: float = 30.0) -> None:
        """Return when a late request has been carried out.

        Raises:
            TimeoutError: None was in time.
        """
        if not self.happened.wait(timeout):
            raise TimeoutError(f"no {self.operation!r} was carried out in {timeout} s")

    def release(self) -> None:
        """Let the request go on: one that is held, drips, continues or is late."""
        self.released.set()


class Faults:
    """The faults in force. Safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault into force and return it."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def find(self, fault_id: str) -> Fault | None:
        """Return the fault in force with this ID."""
        return next((fault for fault in self if fault.id == fault_id), None)

    def clear(self) -> None:
        """End all faults, and let go what they hold."""
        with self._lock:
            faults, self._faults = self._faults, []
        for fault in faults:
            fault.release()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    def strike(self, operation: str) -> Fault | None:
        """Return the fault that strikes the next request for `operation`, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.operation not in {"*", operation} or fault.times == 0:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


def _check(name: str, given: str | None, allowed: tuple[str | None, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}")
