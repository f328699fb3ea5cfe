"""The provider's client of the Crusoe API, with a network, a clock and a chance that tests set."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.settings import Settings

ENDPOINT = "https://api.example/v1"
SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"
KEY = {
    "key_uuid": "f5705300-79f8-4686-9b9f-02496a053bc0",
    "user_id": "e7bed65d-e918-4fab-921c-03b8db94aa7b",
    "access_key_id": "CKIA493K6LOVDNNAR4SZ",
    "status": "enabled",
    "created_at": "2026-01-01T00:00:00Z",
}

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def answer(document: Any, status: int = 200, **headers: str) -> httpx.Response:
    """Return an answer in JSON."""
    return httpx.Response(
        status, content=json.dumps(document), headers={"Content-Type": "application/json"} | headers
    )


@dataclass
class FakeStop(threading.Event):
    """The stop signal, whose waits take no time but are written down."""

    waits: list[float] = field(default_factory=list)
    stop_in_wait: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        if self.stop_in_wait:
            self.set()
        return self.is_set()


@dataclass
class FakeApi:
    """A client, and what is at the other end of its line.

    Attributes:
        answers: What to answer, in turn; the last one for good.
        requests: What came in.
        now: The time; every wait and every request moves it.
        stop: The stop signal.
        client: The client.
    """

    answers: list[Answer] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    stop: FakeStop = field(default_factory=FakeStop)
    max_retries: int = 3

    def __post_init__(self) -> None:
        settings = Settings(
            endpoint=Endpoint.parse(ENDPOINT),
            access_key_id="CKIDTEST",
            secret_key=SECRET,
            credentials_source="the tests",
            max_retries=self.max_retries,
        )
        self.client = CrusoeClient(
            settings,
            stop=self.stop,
            now=lambda: self.now + timedelta(seconds=sum(self.stop.waits)),
            monotonic=lambda: sum(self.stop.waits),
            random=lambda: 1.0,
            transport=httpx.MockTransport(self._serve),
        )

    def _serve(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        given = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(given, Exception):
            raise given
        return given(request) if callable(given) else given

    def will(self, *answers: Answer) -> CrusoeClient:
        """Answer like this from now on, and return the client."""
        self.answers = list(answers)
        self.requests.clear()
        return self.client


@pytest.fixture
def api() -> Iterator[FakeApi]:
    api = FakeApi()
    yield api
    api.client.close()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put this machine into another zone than UTC."""
    with monkeypatch.context() as context:
        context.setenv("TZ", "XYZ-05:45")
        time.tzset()
        yield
    time.tzset()
