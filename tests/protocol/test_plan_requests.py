"""What a plan asks Crusoe for."""

from crusoe_simulator.faults import Fault
from support.provider_fixtures import Provider
from support.simulator_fixtures import Crusoe

TOKEN = "crusoe_storage_token"


def test_a_plan_that_is_not_checked_does_not_ask_who_the_caller_is(
    provider: Provider, crusoe: Crusoe
) -> None:
    """Nobody would wait for the answer: neither the plan nor the end of the process.

    The parent of this plugin is no Terraform, as where Terraform is a library of another program.
    """
    identity = crusoe.simulator.faults.add(Fault("identity", hold="before"))
    provider.configure()

    planned = provider.plan_creation(TOKEN, alias="t")
    assert provider.plugin.shut_down() == 0

    assert not planned.diagnostics
    assert [r.operation for r in crusoe.simulator.api.requests.all()] == ["organizations"]
    assert not identity.arrived.is_set()
