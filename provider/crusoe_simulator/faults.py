"""Misbehaviour on demand: what a test asks the simulator to do wrong, and how often."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Operation = Literal["list", "create", "delete", "organizations", "identity", "*"]
Cut = Literal["before", "after", "within"]
Hold = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in place of the real one."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


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
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    arrived: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    released: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could never strike, or would change nothing: faults come over HTTP too.

        Raises:
            ValueError: There is no such operation, cut or hold.
        """
        _check("operation", self.operation, get_args(Operation))
        _check("cut", self.cut, (None, *get_args(Cut)))
        _check("hold", self.hold, (None, *get_args(Hold)))

    def wait_arrived(self, timeout: float = 30.0) -> None:
        """Return when a request has reached the point where it is held.

        Raises:
            TimeoutError: None came in time.
        """
        if not self.arrived.wait(timeout):
            raise TimeoutError(f"no request for {self.operation!r} came in {timeout} s")

    def release(self) -> None:
        """Let the held request go on."""
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
