"""The HTTP interface of the simulated API: routing, signatures, dialects, faults, the log."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from crusoe_simulator.errors import ApiFailure, NotFound
from crusoe_simulator.faults import Fault, Faults
from crusoe_simulator.misbehaviour import (
    cut,
    disguised,
    hold,
    patched,
    say_continue,
    send_half,
    stand_in,
)
from crusoe_simulator.operations import Operations, as_json
from crusoe_simulator.request_log import RecordedRequest, RequestLog
from crusoe_simulator.signature import authenticate
from crusoe_simulator.speech import Speech
from crusoe_simulator.state import Cloud, User

logger = logging.getLogger(__name__)

BASE_PATH: Final = "/v1"

StartResponse = Callable[..., Any]
Observer = Callable[[Request, Response], None]
Arguments = Mapping[str, Any]

_ROUTES: Final = Map(
    [
        Rule("/v1/organizations/entities", methods=["GET"], endpoint="organizations"),
        Rule("/v1/organizations/projects", methods=["GET"], endpoint="projects"),
        Rule("/v1/organizations/projects/<project>", methods=["GET"], endpoint="project"),
        Rule("/v1/users/identities", methods=["GET"], endpoint="identity"),
        Rule("/v1/organizations/<org>/storage/s3/keys", methods=["GET"], endpoint="list"),
        Rule("/v1/organizations/<org>/storage/s3/keys", methods=["POST"], endpoint="create"),
        Rule(
            "/v1/organizations/<org>/storage/s3/keys/<key>", methods=["DELETE"], endpoint="delete"
        ),
    ],
    merge_slashes=False,
)


class Api:
    """The WSGI application.

    Args:
        cloud: The state.
        faults: What is to go wrong.
        latency: Seconds that every request takes at least.
        window: How far a timestamp may be from the server's time.
        wait: Lets that many seconds pass.

    Attributes:
        requests: The requests so far.
        speech: The dialects that answers are put in.
        observers: Are shown each request that is carried out, and its answer as the contract has
            it: before a dialect or a fault changes that.
    """

    def __init__(
        self,
        cloud: Cloud,
        faults: Faults,
        *,
        latency: float = 0.0,
        window: timedelta = timedelta(minutes=5),
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.cloud = cloud
        self.faults = faults
        self.latency = latency
        self.window = window
        self._wait = wait
        self.requests = RequestLog()
        self.speech = Speech()
        self._operations = Operations(cloud, self._understand)
        self._late: list[threading.Thread] = []
        self.observers: list[Observer] = []

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        request = Request(environ)
        request.get_data()  # whole, also where nobody looks at it: the connection stays open
        started = time.monotonic()
        outcome = _Outcome()
        try:
            response = self._respond(request, outcome)
            outcome.status = response.status_code
            return response(environ, start_response)
        finally:
            self._record(request, outcome, started)

    def _respond(self, request: Request, outcome: "_Outcome") -> Response:
        try:
            outcome.operation, arguments = _ROUTES.bind_to_environ(request.environ).match()
        except HTTPException:
            return _error(NotFound())
        self._wait(self.latency)
        fault = self.faults.strike(outcome.operation) or Fault()
        if fault.late is not None:
            self._postpone(fault, request, outcome, arguments)
        self._before(request, fault)
        if fault.answer and not fault.carried_out:
            return self._sent(request, fault, stand_in(fault.answer))
        response = self._carry_out(request, outcome, arguments)
        response = self.speech.pronounce(outcome.operation, response)
        return self._after(request, fault, response)

    def _before(self, request: Request, fault: Fault) -> None:
        if fault.hold == "before":
            hold(fault)
        self._wait(fault.delay_before)
        if fault.cut == "before":
            cut(request)

    def _after(self, request: Request, fault: Fault, response: Response) -> Response:
        if fault.hold == "after":
            hold(fault)
        self._wait(fault.delay_after)
        if fault.cut == "after":
            cut(request)
        if fault.cut == "within":
            send_half(request, response)
        if fault.answer:
            return self._sent(request, fault, stand_in(fault.answer))
        return self._sent(request, fault, patched(response, fault.patch))

    @staticmethod
    def _sent(request: Request, fault: Fault, response: Response) -> Response:
        if fault.continues is not None:
            say_continue(request, fault)
        return disguised(response, fault)

    def _carry_out(self, request: Request, outcome: "_Outcome", arguments: Arguments) -> Response:
        try:
            user = self._authenticate(request)
        except ApiFailure as failure:
            return self._seen(request, _error(failure))
        outcome.user = user.email
        return self._perform(user, request, outcome.operation, arguments)

    def _understand(self, body: Any) -> Any:
        # By the speech of this moment, which may not be that of the start.
        return self.speech.understand(body)

    def _perform(
        self, user: User, request: Request, operation: str, arguments: Arguments
    ) -> Response:
        try:
            response = getattr(self._operations, operation)(user, request, **arguments)
        except ApiFailure as failure:
            response = _error(failure)
        return self._seen(request, response)

    def _seen(self, request: Request, response: Response) -> Response:
        for observe in self.observers:
            observe(request, response)
        return response

    def _postpone(
        self, fault: Fault, request: Request, outcome: "_Outcome", arguments: Arguments
    ) -> None:
        """Carry a request out later, by the right that its signature has now."""
        try:
            user = self._authenticate(request)
        except ApiFailure:
            return
        outcome.user = user.email

        def perform() -> None:
            fault.released.wait(fault.late)
            self._perform(user, request, outcome.operation, arguments)
            fault.happened.set()

        thread = threading.Thread(target=perform, daemon=True)
        self._late.append(thread)
        thread.start()

    def settle(self) -> None:
        """Return when everything has been carried out that is late."""
        for thread in self._late:
            thread.join()

    def _authenticate(self, request: Request) -> User:
        path, _, query = request.environ["REQUEST_URI"].encode("latin-1").partition(b"?")
        return authenticate(
            method=request.method,
            path=unquote_to_bytes(path),
            query=query,
            authorization=request.headers.get("Authorization", ""),
            timestamp=request.headers.get("X-Crusoe-Timestamp", ""),
            now=self.cloud.clock.now(),
            window=self.window,
            find_user=self.cloud.user_by_access_key_id,
        )

    def _record(self, request: Request, outcome: "_Outcome", started: float) -> None:
        finished = time.monotonic()
        entry = RecordedRequest(
            operation=outcome.operation,
            method=request.method,
            path=request.path,
            status=outcome.status,
            user=outcome.user,
            started=started,
            finished=finished,
        )
        self.requests.add(entry)
        logger.info(
            "%s %s -> %s, %s, %.0f ms",
            entry.method,
            entry.path,
            entry.status or "cut",
            entry.user or "nobody",
            (finished - started) * 1000,
        )


@dataclass
class _Outcome:
    operation: str = "?"
    status: int | None = None
    user: str | None = None


def _error(failure: ApiFailure) -> Response:
    return as_json(failure.body, failure.status)
