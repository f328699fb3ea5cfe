"""What is raised in a call and is no `Exception`, over a real connection to a toy provider.

grpc leaves a call without an answer whose function raises such a thing, and Terraform waits for
the answer for ever.
"""

from typing import Any

from crusoe_provider.providerserver import protocol_pb2 as pb
from support.plugin import EXIT_SECONDS, Plugin, dynamic, errors, value_of
from support.toy_fixtures import thing
from support.toy_plugin import SECRET

UNEXPECTED = "Unexpected error in the provider"


def test_a_call_that_panics_is_answered(plugin: Plugin) -> None:
    """With an error like any other that nobody expects; the plugin lives on."""
    prior = thing(id="1", does="panic")
    request = pb.ApplyResourceChange.Request(
        type_name="toy_thing",
        prior_state=dynamic(prior),
        planned_state=dynamic(None),
        config=dynamic(None),
    )

    for _ in range(2):
        answer = plugin.provider.ApplyResourceChange(request, timeout=EXIT_SECONDS)

        (error,) = errors(answer)
        assert error.summary == UNEXPECTED
        assert "failed with Panic at toy_plugin.py:" in error.detail
        assert SECRET not in error.detail
        assert value_of(answer.new_state) == prior


def test_a_function_that_panics_is_answered(plugin: Plugin) -> None:
    """Beside the call, where the errors of functions stand."""
    request = pb.CallFunction.Request(name="joined", arguments=[dynamic("panic")])

    answer = plugin.provider.CallFunction(request, timeout=EXIT_SECONDS)

    assert answer.error.text.startswith(f"{UNEXPECTED}: CallFunction of")
    assert SECRET not in answer.error.text


def test_an_action_that_panics_is_completed_with_an_error(plugin: Plugin) -> None:
    """Without one, Terraform would take it for done."""
    request = pb.InvokeAction.Request(action_type="toy_poke", config=dynamic({"does": "panic"}))

    *_, last = plugin.provider.InvokeAction(request, timeout=EXIT_SECONDS)

    assert [d.summary for d in errors(last.completed)] == [UNEXPECTED]


def test_a_query_that_panics_is_answered(plugin: Plugin) -> None:
    """By an event of its own."""
    config: dict[str, Any] = {"many": 1, "does": "panic"}
    request = pb.ListResource.Request(type_name="toy_thing", limit=1, config=dynamic(config))

    (event,) = plugin.provider.ListResource(request, timeout=EXIT_SECONDS)

    assert [d.summary for d in event.diagnostic] == [UNEXPECTED]
