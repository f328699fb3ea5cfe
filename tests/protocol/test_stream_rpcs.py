"""List resources, actions and functions over a real connection to a toy provider."""

import os
from pathlib import Path
from typing import Any

import grpc
import pytest
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from support.plugin import EXIT_SECONDS, Plugin, dynamic, errors, value_of
from support.toy_fixtures import StartToy
from support.toy_plugin import SECRET

UNEXPECTED = "Unexpected error in the provider"
MALFORMED = "Malformed request"


def query(plugin: Plugin, block: Any, **more: Any) -> list[Any]:
    fields: dict[str, Any] = {"type_name": "toy_thing", "limit": 100, "config": dynamic(block)}
    request = pb.ListResource.Request(**fields | more)
    return list(plugin.provider.ListResource(request, timeout=EXIT_SECONDS))


def things(many: int | None, does: str | None = None) -> dict[str, Any]:
    return {"many": many, "does": does}


def invoke(plugin: Plugin, does: Any) -> Any:
    request = pb.InvokeAction.Request(action_type="toy_poke", config=dynamic({"does": does}))
    return plugin.provider.InvokeAction(request, timeout=EXIT_SECONDS)


def test_metadata_and_schema_announce_them(plugin: Plugin) -> None:
    """Both agree."""
    metadata = plugin.provider.GetMetadata(pb.GetMetadata.Request())
    schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())

    assert [r.type_name for r in metadata.list_resources] == ["toy_thing"]
    assert [r.type_name for r in metadata.actions] == ["toy_poke"]
    listed = schema.list_resource_schemas["toy_thing"].block.attributes
    assert {a.name for a in listed} == {"many", "does"}
    (does,) = schema.action_schemas["toy_poke"].schema.block.attributes
    assert (does.name, does.required) == ("does", True)
    assert list(schema.functions) == ["joined"]


@pytest.mark.parametrize(("limit", "expected"), [(100, 5), (3, 3), (0, 0)])
def test_a_query_finds_objects_up_to_its_limit(plugin: Plugin, limit: int, expected: int) -> None:
    """With identity and name; the state comes if it is asked for."""
    events = query(plugin, things(5), limit=limit)

    assert [value_of(e.identity.identity_data) for e in events] == [
        {"id": str(n), "place": "here"} for n in range(expected)
    ]
    assert [e.display_name for e in events] == [f"thing {n}" for n in range(expected)]
    assert not any(e.HasField("resource_object") for e in events)


def test_a_query_returns_whole_states(plugin: Plugin) -> None:
    """All attributes, those without value null."""
    (event,) = query(plugin, things(1), include_resource_object=True)

    state = value_of(event.resource_object)
    assert (state["id"], state["secret"], state["size"]) == ("0", SECRET, None)


def test_errors_and_warnings_of_a_query_are_events_of_their_own(plugin: Plugin) -> None:
    """Without identity or name."""
    warned = query(plugin, things(1, "warn"))
    (refused,) = query(plugin, things(1, "refuse"))
    failed = query(plugin, things(5, "fail in the middle"))

    assert [[d.summary for d in e.diagnostic] for e in warned] == [["Old things are left out"], []]
    assert refused.diagnostic[0].summary == "Not now"
    assert not refused.HasField("identity")
    assert failed[0].diagnostic[0].summary == UNEXPECTED
    assert [e.display_name for e in failed[1:]] == ["thing 0", "thing 1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"config": dynamic(None)},
        {"config": dynamic(things(None) | {"many": Unknown})},
        {"config": dynamic({"many": "x"})},
        {"config": pb.DynamicValue(msgpack=b"\xc1")},
        {"limit": -1},
        {"type_name": "toy_nothing"},
        {"type_name": ""},
    ],
)
def test_malformed_queries(plugin: Plugin, fields: dict[str, Any]) -> None:
    """One event with an error, and the plugin lives on."""
    (event,) = query(plugin, things(1), **fields)

    assert len(event.diagnostic) == 1
    assert len(query(plugin, things(1))) == 1


def test_the_config_of_a_query_may_be_empty(plugin: Plugin) -> None:
    """Without a config block it comes as an object of nulls."""
    assert query(plugin, things(None)) == []


@pytest.mark.parametrize(
    ("config", "summaries"),
    [(things(0), ["Too few"]), (things(1), []), (things(None) | {"many": Unknown}, [])],
)
def test_the_config_of_a_query_is_validated(
    plugin: Plugin, config: Any, summaries: list[str]
) -> None:
    """Values may be unknown then."""
    answer = plugin.provider.ValidateListResourceConfig(
        pb.ValidateListResourceConfig.Request(type_name="toy_thing", config=dynamic(config))
    )

    assert [d.summary for d in answer.diagnostics] == summaries


def test_a_query_that_is_cut_short_does_no_harm(plugin: Plugin) -> None:
    """Terraform stops to read when it has enough."""
    request = pb.ListResource.Request(
        type_name="toy_thing", config=dynamic(things(2000)), limit=2000
    )
    stream = plugin.provider.ListResource(request)
    next(stream)
    stream.cancel()

    assert len(query(plugin, things(2))) == 2


def test_a_query_that_is_interrupted_says_so(plugin: Plugin, tmp_path: Path) -> None:
    """It ends at once."""
    os.mkfifo(tmp_path / "events")
    request = pb.ListResource.Request(
        type_name="toy_thing", config=dynamic(things(1, "wait for stop")), limit=1
    )
    stream = plugin.provider.ListResource(request, timeout=EXIT_SECONDS)
    assert (tmp_path / "events").read_text() == "list 1\n"

    plugin.provider.StopProvider(pb.StopProvider.Request())

    assert [d.summary for e in stream for d in e.diagnostic] == ["Stopped"]


def test_an_action_tells_of_its_progress(plugin: Plugin, tmp_path: Path) -> None:
    """Then that it is completed; no event is anything else."""
    events = list(invoke(plugin, "nothing special"))

    assert [e.WhichOneof("type") for e in events] == ["progress", "progress", "completed"]
    assert [e.progress.message for e in events[:2]] == ["Poking : :error::", "Poked"]
    assert not events[-1].completed.diagnostics
    assert (tmp_path / "events").read_text() == "poked\n"


def test_progress_is_shown_at_once(plugin: Plugin, tmp_path: Path) -> None:
    """Not when all is done."""
    os.mkfifo(tmp_path / "go")
    events = invoke(plugin, "wait")

    assert next(events).WhichOneof("type") == "progress"
    (tmp_path / "go").write_bytes(b"")
    assert [e.WhichOneof("type") for e in events] == ["progress", "completed"]


@pytest.mark.parametrize(
    ("does", "summary"),
    [("fail in the middle", UNEXPECTED), (None, "Nothing to do"), (Unknown, MALFORMED)],
)
def test_an_action_that_fails_is_completed_with_an_error(
    plugin: Plugin, does: Any, summary: str
) -> None:
    """Also where a required attribute is null."""
    *_, last = invoke(plugin, does)

    assert [d.summary for d in errors(last.completed)] == [summary]


def test_an_action_goes_on_when_nobody_listens(start_toy: StartToy, tmp_path: Path) -> None:
    """What has begun is finished before the process ends."""
    plugin = start_toy()
    os.mkfifo(tmp_path / "go")
    events = invoke(plugin, "wait")
    next(events)
    events.cancel()
    with pytest.raises(grpc.RpcError):
        next(events)

    plugin.disconnect()
    (tmp_path / "go").write_bytes(b"")

    assert plugin.process.wait(EXIT_SECONDS) == 0
    assert (tmp_path / "events").read_text() == "poked\n"


def test_an_action_that_is_interrupted_says_so(plugin: Plugin) -> None:
    """And is completed."""
    events = invoke(plugin, "wait for stop")
    next(events)

    plugin.provider.StopProvider(pb.StopProvider.Request())

    *_, last = events
    assert [d.summary for d in errors(last.completed)] == ["Stopped"]


@pytest.mark.parametrize(
    ("does", "summaries"), [(None, ["Nothing to do"]), (Unknown, ["Not known yet"]), ("x", [])]
)
def test_plans_of_actions(plugin: Plugin, does: Any, summaries: list[str]) -> None:
    """Values may be unknown; nothing is ever deferred."""
    request = pb.PlanAction.Request(
        action_type="toy_poke",
        config=dynamic({"does": does}),
        client_capabilities=pb.ClientCapabilities(deferral_allowed=True),
    )

    answer = plugin.provider.PlanAction(request)

    assert [d.summary for d in answer.diagnostics] == summaries
    assert not answer.HasField("deferred")


def test_actions_that_are_unknown_or_malformed(plugin: Plugin) -> None:
    """Every RPC says so."""
    junk = pb.DynamicValue(msgpack=b"\xc1")
    for name, config in (("toy_nothing", dynamic({"does": "x"})), ("toy_poke", junk)):
        validated = plugin.provider.ValidateActionConfig(
            pb.ValidateActionConfig.Request(type_name=name, config=config)
        )
        planned = plugin.provider.PlanAction(pb.PlanAction.Request(action_type=name, config=config))
        (invoked,) = plugin.provider.InvokeAction(
            pb.InvokeAction.Request(action_type=name, config=config)
        )
        assert len(errors(validated)) == len(errors(planned)) == 1
        assert len(errors(invoked.completed)) == 1


def test_exceptions_in_the_validation_of_an_action(plugin: Plugin) -> None:
    """As everywhere else."""
    answer = plugin.provider.ValidateActionConfig(
        pb.ValidateActionConfig.Request(
            type_name="toy_poke", config=dynamic({"does": "fail in validate"})
        )
    )

    assert [d.summary for d in errors(answer)] == [UNEXPECTED]


def call(plugin: Plugin, *arguments: Any, name: str = "joined") -> Any:
    return plugin.provider.CallFunction(
        pb.CallFunction.Request(name=name, arguments=[dynamic(a) for a in arguments])
    )


def test_functions_return_values(plugin: Plugin) -> None:
    """With any number of arguments, where a function takes that."""
    assert value_of(call(plugin, "-", "a", "b").result) == "a-b"
    assert value_of(call(plugin, "-").result) == ""


@pytest.mark.parametrize(
    ("arguments", "text", "argument"),
    [
        (("",), "between is empty", 0),
        (("-", ""), "A part is empty: Leave it out", 1),
        ((), "joined takes at least 1 arguments: Give it as many", None),
    ],
)
def test_errors_of_functions_name_the_argument(
    plugin: Plugin, arguments: tuple[str, ...], text: str, argument: int | None
) -> None:
    """Terraform points at it."""
    error = call(plugin, *arguments).error

    assert error.text == text
    assert error.HasField("function_argument") is (argument is not None)
    assert error.function_argument == (argument or 0)


def test_functions_that_fail_or_are_not_there(plugin: Plugin) -> None:
    """Without the text of the exception."""
    assert call(plugin, "fail").error.text.startswith(f"{UNEXPECTED}: CallFunction of")
    assert "no function nothing" in call(plugin, name="nothing").error.text
    broken = pb.CallFunction.Request(name="joined", arguments=[pb.DynamicValue(msgpack=b"\xc1")])
    assert plugin.provider.CallFunction(broken).error.text.startswith(MALFORMED)
