"""What an endpoint may do with a request that no API would do, and what must hold all the same."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_simulator.faults import Answer, Fault
from support.plugin import Plugin

MEGABYTES = 1_000_000
# A provider block with which little time is lost on endpoints that do not answer.
IMPATIENT = {"request_timeout": "1s", "max_retries": 0}
UGLY = ("Traceback", "defect", "\x1b", "RecursionError", "OverflowError", "MemoryError", "None")


@dataclass(frozen=True)
class Hostile:
    """What an endpoint does with a request; see `Fault`.

    Attributes:
        refuses: Whether the answer is the API's own refusal, as far as anybody can tell.
    """

    answer: Answer | None = None
    drip: float | None = None
    continues: float | None = None
    headers: tuple[tuple[str, str], ...] = ()
    refuses: bool = False

    def at(self, operation: Any, *, carried_out: bool) -> Fault:
        """Return the fault."""
        return Fault(
            operation,
            times=None,
            answer=self.answer,
            carried_out=carried_out and self.answer is not None,
            drip=self.drip,
            continues=self.continues,
            headers=dict(self.headers),
        )


EVIL = '{"code": "400", "message": "\\u001b[31mred\\u001b[0m\\n::error::x\\u202e"}'
HOSTILE = {
    "deeply nested": Hostile(Answer(200, "1", nesting=2_000)),
    "very deeply nested": Hostile(Answer(200, "1", nesting=200_000)),
    "a bomb": Hostile(Answer(200, '{"items": []}', padding=100 * MEGABYTES, gzip=2)),
    "too large": Hostile(Answer(200, '{"items": []}', padding=60 * MEGABYTES)),
    "a large message": Hostile(Answer(400, EVIL, padding=20 * MEGABYTES)),
    "escape sequences": Hostile(Answer(400, EVIL), refuses=True),
    "absurd dates": Hostile(
        Answer(
            401,
            "{}",
            headers={"Date": "Mon, 01 Jan 99999 00:00:00 GMT", "Retry-After": "9" * 30},
        ),
        refuses=True,
    ),
    "a page": Hostile(Answer(404, "<html>\x1b[2J::error::gone</html>", "text/html")),
    "nothing": Hostile(Answer(200, "")),
    "numbers": Hostile(Answer(200, '{"items": 1e999, "access_key_id": 5}')),
    "drips": Hostile(drip=0.3),
    "endless 100 Continue": Hostile(continues=0.05),
}


def check(plugin: Plugin, diagnostics: Iterable[pb.Diagnostic], started: float) -> None:
    """Check what was said, how long it took, and what it cost.

    Args:
        plugin: What has answered.
        diagnostics: What was said.
        started: When it was asked, on the monotonic clock.
    """
    for diagnostic in diagnostics:
        text = f"{diagnostic.summary}\n{diagnostic.detail}"
        assert not any(ugly in text for ugly in UGLY), text
        assert not any(line.startswith("::") for line in text.splitlines()), text
        assert len(text) < 5_000
    # The list is asked again for some seconds where an answer was lost.
    assert time.monotonic() - started < 30
    assert plugin.serving().memory_info().rss < 200 * 2**20
