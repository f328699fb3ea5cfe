"""A hostile endpoint, at every operation: nothing is lost, nothing ugly is said, and it ends."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from tf.types import Unknown

from crusoe_provider.provider.ephemeral_storage_token import EphemeralStorageToken
from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_simulator.faults import Answer, Fault
from harness.sandbox import PLUGIN
from support.plugin import Plugin, dynamic, errors, plugin_environment, value_of
from support.simulator_fixtures import Crusoe

TYPE = "crusoe_storage_token"
MEGABYTES = 1_000_000
SCHEMA = StorageTokenResource.get_schema()
CONFIG: dict[str, Any] = {a.name: None for a in SCHEMA.attributes} | {"timeouts": None}
PLANNED = CONFIG | dict.fromkeys(
    ("id", "access_key_id", "secret_key", "status", "created_at", "user_id"), Unknown
)
PLANNED["ready_for_renewal"] = False
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


@pytest.fixture
def plugin(crusoe: Crusoe, tmp_path: Path) -> Iterator[Plugin]:
    """The provider, configured to be impatient."""
    environment = plugin_environment(**crusoe.variables())
    with Plugin([str(PLUGIN)], environment, tmp_path / "stderr") as plugin:
        schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())
        block: dict[str, Any] = {a.name: None for a in schema.provider.block.attributes}
        block |= {"request_timeout": "1s", "max_retries": 0}
        request = pb.ConfigureProvider.Request(config=dynamic(block))
        request.client_capabilities.deferral_allowed = True
        assert not plugin.provider.ConfigureProvider(request).diagnostics
        yield plugin


def apply(plugin: Plugin, crusoe: Crusoe, prior: Any = None, private: bytes = b"") -> Any:
    """Create a token, or delete the one that there is; return the answer."""
    planned = PLANNED | {"organization_id": crusoe.organization.id} if prior is None else None
    return plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(
            type_name=TYPE,
            config=dynamic(CONFIG if prior is None else None),
            prior_state=dynamic(prior),
            planned_state=dynamic(planned),
            planned_private=private,
        ),
        timeout=60,
    )


def check(plugin: Plugin, answer: Any, started: float) -> None:
    """Check what was said, how long it took, and what it cost."""
    for diagnostic in answer.diagnostics:
        text = f"{diagnostic.summary}\n{diagnostic.detail}"
        assert not any(ugly in text for ugly in UGLY), text
        assert not any(line.startswith("::") for line in text.splitlines()), text
        assert len(text) < 5_000
    # The list is asked again for some seconds where an answer was lost.
    assert time.monotonic() - started < 30
    assert psutil.Process(plugin.process.pid).memory_info().rss < 200 * 2**20


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_to_a_creation_leaves_no_key_that_no_state_knows(
    plugin: Plugin, crusoe: Crusoe, hostile: Hostile
) -> None:
    """It was carried out all the same: the key is in the state with its secret, or revoked."""
    crusoe.simulator.faults.add(hostile.at("create", carried_out=True))
    started = time.monotonic()

    answer = apply(plugin, crusoe)

    check(plugin, answer, started)
    crusoe.simulator.faults.clear()
    state = value_of(answer.new_state)
    keys = crusoe.simulator.cloud.keys()
    if state is None:
        assert errors(answer)
        # A refusal in JSON is believed: nothing was created, as far as it says.
        assert keys == [] or hostile.refuses
    else:
        assert [key.access_key_id for key in keys] == [state["access_key_id"]]
        assert state["secret_key"] == keys[0].secret_key


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_list_drops_nothing(plugin: Plugin, crusoe: Crusoe, hostile: Hostile) -> None:
    """A refresh keeps the state as it is."""
    created = apply(plugin, crusoe)
    assert not errors(created)
    crusoe.simulator.faults.add(hostile.at("list", carried_out=False))
    started = time.monotonic()

    answer = plugin.provider.ReadResource(
        pb.ReadResource.Request(
            type_name=TYPE, current_state=created.new_state, private=created.private
        ),
        timeout=60,
    )

    check(plugin, answer, started)
    assert value_of(answer.new_state) == value_of(created.new_state)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_to_a_deletion_is_not_believed(
    plugin: Plugin, crusoe: Crusoe, hostile: Hostile
) -> None:
    """What the list still shows stays in the state, with an error."""
    created = apply(plugin, crusoe)
    crusoe.simulator.faults.add(hostile.at("delete", carried_out=False))
    started = time.monotonic()

    answer = apply(plugin, crusoe, value_of(created.new_state), created.private)

    check(plugin, answer, started)
    # A request that was given up may be carried out later: then the next refresh finds that out.
    gone = value_of(answer.new_state) is None
    assert crusoe.simulator.cloud.keys() == [] if gone else errors(answer)


@pytest.mark.parametrize("name", ["deeply nested", "a page", "nothing", "drips"])
def test_a_hostile_answer_leaves_no_ephemeral_token(
    plugin: Plugin, crusoe: Crusoe, name: str
) -> None:
    """No state keeps one in sight, so it has to be revoked at once."""
    crusoe.simulator.faults.add(HOSTILE[name].at("create", carried_out=True))
    config = dict.fromkeys(a.name for a in EphemeralStorageToken.get_schema().attributes)
    started = time.monotonic()

    answer = plugin.provider.OpenEphemeralResource(
        pb.OpenEphemeralResource.Request(type_name=TYPE, config=dynamic(config)), timeout=60
    )

    check(plugin, answer, started)
    assert errors(answer)
    assert crusoe.simulator.cloud.keys() == []


@pytest.mark.parametrize("name", ["very deeply nested", "a bomb", "a page", "numbers", "drips"])
def test_nothing_is_created_for_a_caller_who_is_not_known(
    plugin: Plugin, crusoe: Crusoe, name: str
) -> None:
    """Whose the new key would be could not be told afterwards."""
    crusoe.simulator.faults.add(HOSTILE[name].at("identity", carried_out=False))
    started = time.monotonic()

    answer = apply(plugin, crusoe)

    check(plugin, answer, started)
    assert errors(answer)
    assert value_of(answer.new_state) is None
    assert crusoe.simulator.api.requests.all("create") == []
