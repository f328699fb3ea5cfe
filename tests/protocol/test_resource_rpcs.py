"""The RPCs of resources and data sources, over a real connection to a toy provider."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from support.plugin import Plugin, dynamic, errors, refined_unknown, value_of, warnings
from support.toy_fixtures import StartToy, thing
from support.toy_plugin import SECRET


def plan(plugin: Plugin, prior: Any, proposed: Any, **more: Any) -> Any:
    return plugin.provider.PlanResourceChange(
        pb.PlanResourceChange.Request(
            type_name="toy_thing",
            prior_state=dynamic(prior),
            proposed_new_state=dynamic(proposed),
            **{"config": dynamic(proposed)} | more,
        )
    )


def apply(plugin: Plugin, prior: Any, planned: Any, **more: Any) -> Any:
    return plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(
            type_name="toy_thing",
            prior_state=dynamic(prior),
            planned_state=dynamic(planned),
            config=dynamic(planned),
            **more,
        )
    )


def test_metadata_and_schema_agree(plugin: Plugin) -> None:
    """What GetMetadata announces is what GetProviderSchema describes."""
    metadata = plugin.provider.GetMetadata(pb.GetMetadata.Request())
    schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())

    assert metadata.server_capabilities == schema.server_capabilities
    assert schema.server_capabilities.plan_destroy
    assert schema.server_capabilities.get_provider_schema_optional
    assert {r.type_name for r in metadata.resources} == set(schema.resource_schemas)
    assert {d.type_name for d in metadata.data_sources} == set(schema.data_source_schemas)
    assert not schema.diagnostics


def test_objects_and_single_blocks_have_schemas(plugin: Plugin) -> None:
    """The types that `tf` lacks are announced as go-cty writes them."""
    schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())

    (things,) = (
        a for a in schema.data_source_schemas["toy_things"].block.attributes if a.name == "things"
    )
    assert (
        things.type
        == b'["list",["object",{"id":"string","tags":["list",["object",{"key":"string"}]]}]]'
    )
    (timeouts,) = schema.resource_schemas["toy_thing"].block.block_types
    assert timeouts.nesting == pb.Schema.NestedBlock.SINGLE


def test_refined_unknowns_are_unknown(plugin: Plugin) -> None:
    """A value of which Terraform knows a prefix only reaches the validator as unknown."""
    config = refined_unknown(**thing(name=...))

    response = plugin.provider.ValidateResourceConfig(
        pb.ValidateResourceConfig.Request(type_name="toy_thing", config=config)
    )

    assert [d.summary for d in response.diagnostics] == ["The name is unknown"]


def test_create_plan_reaches_the_resource(plugin: Plugin, tmp_path: Path) -> None:
    """A creation is planned by the resource; computed attributes are unknown."""
    response = plan(plugin, None, thing(name="a"))

    assert not response.diagnostics
    expected = thing(name="a", id=Unknown, secret=Unknown)
    assert value_of(response.planned_state) == expected
    assert (tmp_path / "events").read_text().startswith("plan create")


def test_update_plan_names_what_forces_a_replacement(plugin: Plugin) -> None:
    """The schema's attributes and those that the resource adds, and no others."""
    prior = thing(name="a", size=1, does="replace for size", id="1")

    renamed = plan(plugin, prior, prior | {"name": "b"})
    resized = plan(plugin, prior, prior | {"size": 2})
    same = plan(plugin, prior, prior)

    assert [p.steps[0].attribute_name for p in renamed.requires_replace] == ["name"]
    assert [p.steps[0].attribute_name for p in resized.requires_replace] == ["size"]
    assert not same.requires_replace
    assert value_of(same.planned_state) == prior


def test_a_block_that_is_configured_no_more_goes(plugin: Plugin) -> None:
    """Terraform 1.0 proposes that of the state, and takes it for invalid when it is planned."""
    before = thing(name="n", id="i", timeouts={"create": "3m"})

    response = plan(plugin, before, before, config=dynamic(thing(name="n")))

    assert value_of(response.planned_state) == before | {"timeouts": None}
    assert not response.diagnostics


def test_an_unknown_new_value_forces_a_replacement(plugin: Plugin) -> None:
    """What may change counts as changed."""
    prior = thing(name="a", id="1")

    response = plan(plugin, prior, prior | {"name": Unknown})

    assert [p.steps[0].attribute_name for p in response.requires_replace] == ["name"]


def test_destroy_plans_are_accepted_or_refused_by_the_resource(
    plugin: Plugin, tmp_path: Path
) -> None:
    """The resource hears of a planned destruction and may object."""
    accepted = plan(plugin, thing(id="1"), None)
    refused = plan(plugin, thing(id="1", does="refuse destruction"), None)

    assert not accepted.diagnostics
    assert value_of(accepted.planned_state) is None
    assert [d.summary for d in errors(refused)] == ["Destruction refused"]
    assert (tmp_path / "events").read_text().splitlines() == ["plan destroy"] * 2


MINE = b'{"kept": "for the resource"}'


def test_private_data_is_passed_on(plugin: Plugin) -> None:
    """Private data survives reading, planning and applying."""
    state = thing(id="1")

    read = plugin.provider.ReadResource(
        pb.ReadResource.Request(type_name="toy_thing", current_state=dynamic(state), private=MINE)
    )
    planned = plan(plugin, state, state | {"size": 2}, prior_private=MINE)
    applied = apply(plugin, state, state | {"size": 2}, planned_private=MINE)

    assert (read.private, planned.planned_private, applied.private) == (MINE,) * 3


@pytest.mark.parametrize("does", ["fail in validate"])
def test_exceptions_in_validation_are_diagnostics(plugin: Plugin, does: str) -> None:
    """No traceback, no broken connection, no text of the exception."""
    config = dynamic(thing(does=does))

    response = plugin.provider.ValidateResourceConfig(
        pb.ValidateResourceConfig.Request(type_name="toy_thing", config=config)
    )

    (error,) = errors(response)
    assert error.summary == "Unexpected error in the provider"
    assert "ValueError at toy_plugin.py:" in error.detail
    assert SECRET not in error.detail


def test_exceptions_in_plans_are_diagnostics(plugin: Plugin) -> None:
    """A plan that fails unexpectedly is an error of the plan."""
    response = plan(plugin, None, thing(does="fail in plan"))

    assert [d.summary for d in errors(response)] == ["Unexpected error in the provider"]


def test_a_failed_read_keeps_the_state(plugin: Plugin) -> None:
    """Reading goes wrong: the state stays what it was."""
    state = thing(id="1", does="fail in read", secret=SECRET)

    response = plugin.provider.ReadResource(
        pb.ReadResource.Request(type_name="toy_thing", current_state=dynamic(state))
    )

    assert len(errors(response)) == 1
    assert value_of(response.new_state) == state


def test_a_vanished_object_leaves_the_state(plugin: Plugin) -> None:
    """A read that finds nothing answers null."""
    state = thing(id="1", does="vanish")

    response = plugin.provider.ReadResource(
        pb.ReadResource.Request(type_name="toy_thing", current_state=dynamic(state))
    )

    assert not response.diagnostics
    assert value_of(response.new_state) is None


def test_a_state_saved_before_an_exception_is_returned(plugin: Plugin) -> None:
    """A creation that fails half-way returns what it had made, beside the error."""
    response = apply(plugin, None, thing(does="fail after saving", id=Unknown, secret=Unknown))

    assert len(errors(response)) == 1
    assert value_of(response.new_state)["secret"] == SECRET


def test_a_creation_that_fails_at_once_leaves_nothing(plugin: Plugin) -> None:
    """Nothing was made: nothing is to be stored."""
    response = apply(plugin, None, thing(does="fail before saving", id=Unknown, secret=Unknown))

    assert len(errors(response)) == 1
    assert value_of(response.new_state) is None


def test_unknowns_never_leave_an_apply(plugin: Plugin) -> None:
    """Terraform refuses unknown values after an apply; they become null."""
    response = apply(plugin, None, thing(does="leave unknowns", id=Unknown, secret=Unknown))

    assert not response.diagnostics
    assert value_of(response.new_state)["size"] is None


@pytest.mark.parametrize(
    ("prior", "planned"),
    [
        (thing(id="1", does="fail in delete"), None),
        (thing(id="1", size=1), thing(id="1", size=2, does="fail in update")),
    ],
)
def test_failed_deletes_and_updates_keep_the_prior_state(
    plugin: Plugin, prior: Any, planned: Any
) -> None:
    """What could not be changed is still there."""
    response = apply(plugin, prior, planned)

    assert len(errors(response)) == 1
    assert value_of(response.new_state) == prior


def test_an_update_that_fails_half_way_returns_what_it_had_done(plugin: Plugin) -> None:
    """The state after its last step, with its private data, beside the error."""
    prior = thing(id="1", name="a", size=1)

    response = apply(plugin, prior, thing(id="1", name="b", size=2, does="fail between two steps"))

    assert len(errors(response)) == 1
    assert value_of(response.new_state) == prior | {"size": 2}
    assert response.private == b'{"step": 1}'


def test_states_are_upgraded_completed_and_observed(plugin: Plugin, tmp_path: Path) -> None:
    """An old state passes the resource's upgrade; unknown attributes are dropped."""
    raw = pb.RawState(json=b'{"id": "1", "size": 3, "gone": "since version 0"}')

    response = plugin.provider.UpgradeResourceState(
        pb.UpgradeResourceState.Request(type_name="toy_thing", version=0, raw_state=raw)
    )

    assert not response.diagnostics
    expected = thing(id="1", size=3, name="from version 0")
    assert value_of(response.upgraded_state) == expected
    assert (tmp_path / "events").read_text() == "observe 1\n"


@pytest.mark.parametrize(
    ("version", "raw", "summary"),
    [
        (2, b'{"id": "1"}', "State written by a newer version of the provider"),
        (1, b"", "Unreadable state"),
        (1, b"[]", "Unreadable state"),
        (1, b"{", "Unreadable state"),
    ],
)
def test_states_that_cannot_be_read_are_diagnostics(
    plugin: Plugin, version: int, raw: bytes, summary: str
) -> None:
    """A state from the future, or none at all, is explained."""
    response = plugin.provider.UpgradeResourceState(
        pb.UpgradeResourceState.Request(
            type_name="toy_thing", version=version, raw_state=pb.RawState(json=raw)
        )
    )

    assert [d.summary for d in errors(response)] == [summary]


def test_imports(plugin: Plugin) -> None:
    """An import returns a state with every attribute; a failing one a diagnostic."""
    request = pb.ImportResourceState.Request

    good = plugin.provider.ImportResourceState(request(type_name="toy_thing", id="7"))
    bad = plugin.provider.ImportResourceState(request(type_name="toy_thing", id="broken"))

    assert [value_of(r.state) for r in good.imported_resources] == [thing(id="7")]
    assert len(errors(bad)) == 1
    assert not bad.imported_resources


def test_data_sources_return_objects(plugin: Plugin) -> None:
    """Attributes that an object value leaves out are null."""
    request = pb.ReadDataSource.Request(
        type_name="toy_things", config=dynamic({"count_of": 2, "things": None})
    )

    response = plugin.provider.ReadDataSource(request)

    things = value_of(response.state)["things"]
    assert things == [{"id": "0", "tags": None}, {"id": "1", "tags": None}]


@pytest.mark.parametrize(
    ("rpc", "request_type", "kind"),
    [
        ("ValidateResourceConfig", pb.ValidateResourceConfig.Request, "resource"),
        ("UpgradeResourceState", pb.UpgradeResourceState.Request, "resource"),
        ("ReadResource", pb.ReadResource.Request, "resource"),
        ("PlanResourceChange", pb.PlanResourceChange.Request, "resource"),
        ("ApplyResourceChange", pb.ApplyResourceChange.Request, "resource"),
        ("ImportResourceState", pb.ImportResourceState.Request, "resource"),
        ("ValidateDataResourceConfig", pb.ValidateDataResourceConfig.Request, "data source"),
        ("ReadDataSource", pb.ReadDataSource.Request, "data source"),
    ],
)
def test_unknown_types_are_diagnostics(
    plugin: Plugin, rpc: str, request_type: Any, kind: str
) -> None:
    """Every RPC that takes a type name explains one that it does not know."""
    response = getattr(plugin.provider, rpc)(request_type(type_name="toy_nothing"))

    assert [d.summary for d in errors(response)] == [f"Unknown {kind} type"]


@pytest.mark.parametrize("value", [b"\xc1", b"\x93\x01", b"\xa1a", b"\xc7\x01\x63x"])
def test_malformed_values_are_diagnostics(plugin: Plugin, value: bytes) -> None:
    """Bytes that are no object, or no msgpack at all, are an error of that call only."""
    broken = pb.DynamicValue(msgpack=value)

    response = plugin.provider.PlanResourceChange(
        pb.PlanResourceChange.Request(
            type_name="toy_thing", prior_state=broken, proposed_new_state=broken, config=broken
        )
    )

    assert len(errors(response)) == 1
    assert not plan(plugin, None, thing()).diagnostics


@pytest.mark.parametrize("rpc", ["ReadResource", "PlanResourceChange", "ApplyResourceChange"])
def test_empty_requests_never_break_the_connection(plugin: Plugin, rpc: str) -> None:
    """A request with nothing but a type name is answered."""
    request = getattr(pb, rpc).Request(type_name="toy_thing")

    response = getattr(plugin.provider, rpc)(request)

    assert not warnings(response)


def test_provider_block_failures_are_diagnostics(plugin: Plugin) -> None:
    """Validation and configuration of the provider block fail as everything else does."""
    config = dynamic({"fail": True})

    validated = plugin.provider.ValidateProviderConfig(
        pb.ValidateProviderConfig.Request(config=config)
    )
    configured = plugin.provider.ConfigureProvider(pb.ConfigureProvider.Request(config=config))

    assert len(errors(validated)) == len(errors(configured)) == 1


def test_diagnostics_survive_text_that_is_no_unicode(plugin: Plugin) -> None:
    """A lone surrogate in a message is replaced, not fatal."""
    config = dynamic(thing(does="print an undecodable text"))

    response = plugin.provider.ValidateResourceConfig(
        pb.ValidateResourceConfig.Request(type_name="toy_thing", config=config)
    )

    assert [d.summary for d in errors(response)] == ["Bad ? text"]


def test_large_values_pass(plugin: Plugin) -> None:
    """Neither direction has grpc's default limit of four megabytes."""
    big = "x" * 6_000_000

    response = plan(plugin, None, thing(name=big))

    assert value_of(response.planned_state)["name"] == big


def test_moves_are_refused(plugin: Plugin) -> None:
    """A resource that cannot be moved says so."""
    response = plugin.provider.MoveResourceState(
        pb.MoveResourceState.Request(
            source_type_name="a_b",
            source_state=pb.RawState(json=b"{}"),
            target_type_name="toy_thing",
        )
    )

    assert [d.summary for d in errors(response)] == ["Move is not supported"]


def test_text_for_the_user_is_printable(plugin: Plugin) -> None:
    """Whatever a provider quotes: no escape sequences, no commands of a pipeline."""
    config = dynamic(thing(does="print what is dangerous"))

    response = plugin.provider.ValidateResourceConfig(
        pb.ValidateResourceConfig.Request(type_name="toy_thing", config=config)
    )

    (error,) = errors(response)
    assert (error.summary, error.detail) == ("An [31malert", "See:\n: :error::here")


def test_rpcs_that_are_not_served_are_unimplemented(plugin: Plugin) -> None:
    """As gRPC says it; Terraform asks for some only where they are announced."""
    for method in ("GetFunctions", "Nothing", ""):
        call: Any = plugin.channel.unary_unary(f"/tfplugin6.Provider/{method}")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert plugin.provider.GetMetadata(pb.GetMetadata.Request()).resources


def test_a_plan_that_is_repeated_in_the_apply_shows_what_it_was(
    plugin: Plugin, tmp_path: Path
) -> None:
    """Since 1.16 Terraform hands the plan's private data back; nothing is ever deferred."""
    capabilities = pb.ClientCapabilities(deferral_allowed=True, store_planned_private=True)

    first = plan(plugin, None, thing(), client_capabilities=capabilities)
    second = plan(
        plugin, None, thing(), client_capabilities=capabilities, planned_private=b'{"relies": 1}'
    )

    assert not first.HasField("deferred")
    assert not second.HasField("deferred")
    assert (tmp_path / "events").read_text().splitlines()[-1] == ("planned before: {'relies': 1}")


@pytest.mark.parametrize(("allowed", "phase"), [(True, "APPLYING"), (False, "UNKNOWN")])
def test_the_capabilities_tell_the_phase(
    plugin: Plugin, tmp_path: Path, allowed: bool, phase: str
) -> None:
    """From the configuration on."""
    plugin.provider.ConfigureProvider(
        pb.ConfigureProvider.Request(
            terraform_version="1.15.5",
            config=dynamic({"fail": None}),
            client_capabilities=pb.ClientCapabilities(deferral_allowed=allowed),
        )
    )
    plan(plugin, None, thing(does="tell the phase"))

    assert f"phase {phase}" in (tmp_path / "events").read_text()


def test_secrets_of_the_provider_stay_out_of_the_log(start_toy: StartToy) -> None:
    """It says what they are, beside those that pass the protocol."""
    plugin = start_toy()
    plugin.provider.ConfigureProvider(pb.ConfigureProvider.Request(config=dynamic({"fail": None})))
    plugin.shut_down()  # behind a launcher the log arrives a moment later

    assert '"@message": "Configured with (redacted)"' in plugin.log()
