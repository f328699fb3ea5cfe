"""A hostile endpoint, at every operation: nothing is lost, nothing ugly is said, and it ends."""

import time
from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.provider.ephemeral_storage_token import EphemeralStorageToken
from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.providerserver import protocol_pb2 as pb
from support.hostile_answers import HOSTILE, IMPATIENT, Hostile, check
from support.plugin import Plugin, dynamic, errors, value_of
from support.provider_fixtures import Provider
from support.simulator_fixtures import Crusoe

TYPE = "crusoe_storage_token"
SCHEMA = StorageTokenResource.get_schema()
CONFIG: dict[str, Any] = {a.name: None for a in SCHEMA.attributes} | {"timeouts": None}
PLANNED = CONFIG | dict.fromkeys(
    ("id", "access_key_id", "secret_key", "status", "created_at", "user_id"), Unknown
)
PLANNED["ready_for_renewal"] = False


@pytest.fixture
def plugin(provider: Provider) -> Plugin:
    """The provider, configured to be impatient."""
    provider.configure(**IMPATIENT)
    return provider.plugin


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


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_to_a_creation_leaves_no_key_that_no_state_knows(
    plugin: Plugin, crusoe: Crusoe, hostile: Hostile
) -> None:
    """It was carried out all the same: the key is in the state with its secret, or revoked."""
    crusoe.simulator.faults.add(hostile.at("create", carried_out=True))
    started = time.monotonic()

    answer = apply(plugin, crusoe)

    check(plugin, answer.diagnostics, started)
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

    check(plugin, answer.diagnostics, started)
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

    check(plugin, answer.diagnostics, started)
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

    check(plugin, answer.diagnostics, started)
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

    check(plugin, answer.diagnostics, started)
    assert errors(answer)
    assert value_of(answer.new_state) is None
    assert crusoe.simulator.api.requests.all("create") == []
