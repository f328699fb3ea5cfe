"""The life of two tokens under every dialect: created, refreshed, planned without changes, gone."""

from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_simulator.dialects import NAMES
from support.plugin import Plugin, dynamic, errors, value_of
from support.provider_fixtures import Provider
from support.simulator_fixtures import Crusoe

TYPE = "crusoe_storage_token"
COMPUTED = [
    "id",
    "access_key_id",
    "secret_key",
    "status",
    "created_at",
    "user_id",
    "ready_for_renewal",
    "organization_id",
    "expires_at",
]
ARGUMENTS = ("alias", "expires_after", "renew_before", "rotate_when_changed", "timeouts")
CONFIGS: dict[str, dict[str, Any]] = {
    "bare": {},
    "full": {"alias": " Mixed Case ", "expires_at": "2040-01-01T00:00:30.7Z"},
}


@pytest.fixture
def plugin(provider: Provider) -> Plugin:
    """The provider, configured."""
    provider.configure()
    return provider.plugin


class Token:
    """A token as Terraform keeps it: the state, and the private data beside it."""

    def __init__(self, plugin: Plugin, config: dict[str, Any]) -> None:
        self._provider = plugin.provider
        self._config = dict.fromkeys([*ARGUMENTS, *COMPUTED]) | config
        self.state: Any = None
        self.private = b""

    def plan(self, *, destroy: bool = False) -> Any:
        """Plan as the configuration says; return the answer."""
        proposed = None
        if not destroy:
            missing = dict.fromkeys(COMPUTED, Unknown) if self.state is None else self.state
            given = {name: value for name, value in self._config.items() if value is not None}
            proposed = self._config | {n: missing[n] for n in COMPUTED} | given
        request = pb.PlanResourceChange.Request(
            type_name=TYPE,
            prior_state=dynamic(self.state),
            proposed_new_state=dynamic(proposed),
            config=dynamic(None if destroy else self._config),
            prior_private=self.private,
        )
        answer = self._provider.PlanResourceChange(request, timeout=60)
        assert not errors(answer), answer.diagnostics
        return answer

    def apply(self, planned: Any) -> None:
        """Carry out a plan."""
        request = pb.ApplyResourceChange.Request(
            type_name=TYPE,
            prior_state=dynamic(self.state),
            planned_state=planned.planned_state,
            config=dynamic(self._config),
            planned_private=planned.planned_private,
        )
        answer = self._provider.ApplyResourceChange(request, timeout=60)
        assert not errors(answer), answer.diagnostics
        self.state, self.private = value_of(answer.new_state), answer.private

    def refresh(self) -> None:
        """Read it."""
        request = pb.ReadResource.Request(
            type_name=TYPE, current_state=dynamic(self.state), private=self.private
        )
        answer = self._provider.ReadResource(request, timeout=60)
        assert not errors(answer), answer.diagnostics
        self.state, self.private = value_of(answer.new_state), answer.private


@pytest.mark.parametrize("dialect", NAMES)
def test_a_life_under_every_dialect(plugin: Plugin, crusoe: Crusoe, dialect: str) -> None:
    """No difference once it is created, the secret is kept, and nothing is left in the end."""
    simulator = crusoe.simulator
    colleague = simulator.cloud.add_user("ops@acme.example", crusoe.organization)
    simulator.speak(dialect)
    tokens = [Token(plugin, config) for config in CONFIGS.values()]
    for token in tokens:
        token.apply(token.plan())
    if dialect != "items-absent":
        simulator.cloud.add_key(colleague, alias="theirs")

    for token in tokens:
        token.refresh()
        answer = token.plan()
        assert not answer.requires_replace
        assert value_of(answer.planned_state) == token.state

    mine = {key.access_key_id: key.secret_key for key in simulator.cloud.keys(crusoe.user)}
    assert {t.state["access_key_id"]: t.state["secret_key"] for t in tokens} == mine
    for token in tokens:
        token.apply(token.plan(destroy=True))
    assert simulator.cloud.keys(crusoe.user) == []
