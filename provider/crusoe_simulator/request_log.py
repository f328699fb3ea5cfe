"""What came in: the requests that the simulator has answered, or refused to."""

from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as the simulator saw it.

    Attributes:
        operation: Its operation, or `?` when there is none with that path.
        method: The HTTP method.
        path: The path.
        status: The status of the answer; `None` when the connection was cut.
        user: E-mail address of who has signed it, if anybody has.
        started: When it came, in seconds of the monotonic clock.
        finished: When it was answered.
    """

    operation: str
    method: str
    path: str
    status: int | None
    user: str | None
    started: float
    finished: float


@dataclass
class RequestLog:
    """All requests so far, in the order in which they were answered. Safe under threads."""

    _lock: Lock = field(default_factory=Lock)
    _requests: list[RecordedRequest] = field(default_factory=list)

    def add(self, request: RecordedRequest) -> None:
        """Record a request."""
        with self._lock:
            self._requests.append(request)

    def all(self, operation: str | None = None) -> list[RecordedRequest]:
        """Return the requests, or those for one operation."""
        with self._lock:
            return [r for r in self._requests if operation in {None, r.operation}]

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._requests.clear()
