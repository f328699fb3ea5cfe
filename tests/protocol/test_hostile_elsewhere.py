"""A hostile endpoint where nothing is created: whatever reads the list, and a rotation."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_simulator.faults import Operation
from support.hostile_answers import HOSTILE, IMPATIENT, Hostile, check
from support.plugin import dynamic, errors, value_of
from support.provider_fixtures import Provider
from support.simulator_fixtures import Crusoe

TOKEN = "crusoe_storage_token"
ROTATING = "crusoe_storage_rotating_token"


def look_up(provider: Provider) -> Any:
    config = provider.config("data_source", TOKEN, alias="ours")
    return provider.ask("ReadDataSource", type_name=TOKEN, config=config)


def look_up_all(provider: Provider) -> Any:
    kind = "crusoe_storage_tokens"
    config = provider.config("data_source", kind)
    return provider.ask("ReadDataSource", type_name=kind, config=config)


def import_it(provider: Provider) -> Any:
    return provider.ask("ImportResourceState", type_name=TOKEN, id="ours")


def query(provider: Provider) -> Any:
    (answer,) = provider.ask(
        "ListResource", type_name=TOKEN, config=provider.config("list_resource", TOKEN), limit=10
    )
    return answer


def open_it(provider: Provider) -> Any:
    config = provider.config("ephemeral_resource", TOKEN)
    return provider.ask("OpenEphemeralResource", type_name=TOKEN, config=config)


READS: Mapping[str, Callable[[Provider], Any]] = {
    "a data source": look_up,
    "the other data source": look_up_all,
    "an import": import_it,
    "a query": query,
    "an ephemeral token": open_it,
}


def said(answer: Any) -> Any:
    """Return the diagnostics of an answer."""
    return answer.diagnostic if hasattr(answer, "diagnostic") else answer.diagnostics


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        *(("list", name) for name in HOSTILE),
        *(("organizations", name) for name in ("deeply nested", "a page", "nothing", "numbers")),
    ],
)
def test_nothing_is_found_in_a_hostile_answer(
    provider: Provider, crusoe: Crusoe, operation: Operation, name: str, subtests: pytest.Subtests
) -> None:
    """An error tells so, whoever has asked, and nothing is created."""
    crusoe.simulator.cloud.add_key(crusoe.user, alias="ours")
    crusoe.simulator.faults.add(HOSTILE[name].at(operation, carried_out=False))
    provider.configure(**IMPATIENT)

    for reader, read in READS.items():
        with subtests.test(reader):
            started = time.monotonic()

            answer = read(provider)

            check(provider.plugin, said(answer), started)
            assert [d for d in said(answer) if d.severity == pb.Diagnostic.ERROR]
    assert len(crusoe.simulator.cloud.keys()) == 1


def rotating(
    provider: Provider, n: int, prior: pb.DynamicValue | None = None, private: bytes = b""
) -> Any:
    """Plan and apply a rotating token; another number rotates."""
    values = {"alias": "ours", "rotate_when_changed": {"n": str(n)}}
    config = provider.config("resource", ROTATING, **values)
    block = provider.schema.resource_schemas[ROTATING].block
    computed = {a.name for a in block.attributes if a.computed}
    before = value_of(prior) if prior else dict.fromkeys(computed, Unknown)
    proposed = value_of(config) | {name: before[name] for name in computed - set(values)}
    prior = prior or dynamic(None)
    planned = provider.ask(
        "PlanResourceChange",
        type_name=ROTATING,
        prior_state=prior,
        prior_private=private,
        proposed_new_state=dynamic(proposed),
        config=config,
    )
    assert not errors(planned)
    return provider.ask(
        "ApplyResourceChange",
        type_name=ROTATING,
        prior_state=prior,
        planned_state=planned.planned_state,
        planned_private=planned.planned_private,
        config=config,
    )


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_to_a_rotation_loses_no_key(
    provider: Provider, crusoe: Crusoe, hostile: Hostile
) -> None:
    """The current key stays, and the new one is in the state with its secret, or revoked."""
    provider.configure(**IMPATIENT)
    created = rotating(provider, 1)
    assert not errors(created)
    (first,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.faults.add(hostile.at("create", carried_out=True))
    started = time.monotonic()

    answer = rotating(provider, 2, created.new_state, created.private)

    check(provider.plugin, answer.diagnostics, started)
    state = value_of(answer.new_state)
    known = {
        state["access_key_id"]: state["secret_key"],
        state["previous_access_key_id"]: state["previous_secret_key"],
    }
    keys = crusoe.simulator.cloud.keys()
    assert first in keys
    for key in keys:
        # A refusal in JSON is believed: nothing was created, as far as it says.
        if not hostile.refuses or key is first:
            assert known[key.access_key_id] == key.secret_key
    assert errors(answer) or state["access_key_id"] != first.access_key_id


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_to_the_end_of_an_ephemeral_token_is_not_believed(
    provider: Provider, crusoe: Crusoe, hostile: Hostile
) -> None:
    """What may still be there is named."""
    provider.configure(**IMPATIENT)
    opened = open_it(provider)
    assert not errors(opened)
    (key,) = crusoe.simulator.cloud.keys()
    crusoe.simulator.faults.add(hostile.at("delete", carried_out=False))
    started = time.monotonic()

    closed = provider.ask("CloseEphemeralResource", type_name=TOKEN, private=opened.private)

    check(provider.plugin, closed.diagnostics, started)
    if crusoe.simulator.cloud.keys():
        (error,) = errors(closed)
        assert key.access_key_id in error.summary
