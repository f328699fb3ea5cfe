"""The RPCs of ephemeral resources and functions, over a real connection to the real provider."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tf.gen import tfplugin_pb2 as pb

from crusoe_provider.providerserver import ephemeral_pb2 as messages
from harness.sandbox import PLUGIN
from support.plugin import Plugin, dynamic, plugin_environment, value_of
from support.simulator_fixtures import Crusoe

TYPE = "crusoe_storage_token"
CONFIG = dict.fromkeys(
    ["alias", "expires_after", "organization_id", "id", "access_key_id", "secret_key", "expires_at"]
)


@pytest.fixture
def plugin(crusoe: Crusoe, tmp_path: Path) -> Iterator[Plugin]:
    """The provider, configured."""
    environment = plugin_environment(**crusoe.variables())
    with Plugin([str(PLUGIN)], environment, tmp_path / "stderr") as plugin:
        yield plugin


def configure(plugin: Plugin) -> None:
    schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())
    block = {attribute.name: None for attribute in schema.provider.block.attributes}
    answer = plugin.provider.ConfigureProvider(pb.ConfigureProvider.Request(config=dynamic(block)))
    assert not answer.diagnostics


def call(plugin: Plugin, rpc: str, request: Any, response_type: Any) -> Any:
    """Call an RPC that the generated client does not have."""
    method: Any = plugin.channel.unary_unary(
        f"/tfplugin6.Provider/{rpc}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response_type.FromString,
    )
    return method(request, timeout=30)


def diagnostics(response: Any) -> list[pb.Diagnostic]:
    return [pb.Diagnostic.FromString(d) for d in response.diagnostics]


def open_token(plugin: Plugin, **config: Any) -> Any:
    request = messages.OpenRequest(
        type_name=TYPE, config=dynamic(CONFIG | config).SerializeToString()
    )
    return call(plugin, "OpenEphemeralResource", request, messages.OpenResponse)


def test_schema_and_metadata_announce_them(plugin: Plugin) -> None:
    """Beside what `tf` knows of; both agree."""
    schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())
    metadata = plugin.provider.GetMetadata(pb.GetMetadata.Request())

    schemas = messages.GetProviderSchemaResponse.FromString(schema.SerializeToString())
    types = messages.GetMetadataResponse.FromString(metadata.SerializeToString())

    entries = [messages.SchemaEntry.FromString(e) for e in schemas.ephemeral_resource_schemas]
    names = [
        messages.EphemeralResourceMetadata.FromString(e).type_name
        for e in types.ephemeral_resources
    ]
    assert [entry.key for entry in entries] == names == [TYPE]
    block = pb.Schema.FromString(entries[0].value).block
    assert {attribute.name for attribute in block.attributes} == set(CONFIG)
    assert list(schema.functions) == [f.name for f in metadata.functions] == ["credentials_file"]
    assert {r.type_name for r in metadata.resources} == set(schema.resource_schemas)
    assert {d.type_name for d in metadata.data_sources} == set(schema.data_source_schemas)
    assert schema.server_capabilities == metadata.server_capabilities
    assert schema.server_capabilities.move_resource_state


def test_open_and_close(plugin: Plugin, crusoe: Crusoe) -> None:
    """The values are all known; the private data is enough to revoke the token."""
    configure(plugin)

    opened = open_token(plugin, alias="x")
    (key,) = crusoe.simulator.cloud.keys()
    closed = call(
        plugin,
        "CloseEphemeralResource",
        messages.CloseRequest(type_name=TYPE, private=opened.private),
        messages.CloseResponse,
    )

    assert diagnostics(opened) == diagnostics(closed) == []
    result = value_of(pb.DynamicValue.FromString(opened.result))
    assert result == {
        "alias": "x",
        "expires_after": "1h",
        "organization_id": crusoe.organization.id,
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "secret_key": key.secret_key,
        "expires_at": key.expire_at,
    }
    assert crusoe.simulator.cloud.keys() == []


def test_a_plugin_that_ends_revokes_what_is_still_open(plugin: Plugin, crusoe: Crusoe) -> None:
    """Terraform has not closed it, for whatever reason."""
    configure(plugin)
    open_token(plugin)
    assert len(crusoe.simulator.cloud.keys()) == 1

    assert plugin.shut_down() == 0

    assert crusoe.simulator.cloud.keys() == []


def test_renewing_keeps_the_private_data(plugin: Plugin) -> None:
    """No token asks for it, and a call does no harm."""
    request = messages.RenewRequest(type_name=TYPE, private=b"{}")

    answer = call(plugin, "RenewEphemeralResource", request, messages.RenewResponse)

    assert (answer.private, diagnostics(answer)) == (b"{}", [])


@pytest.mark.parametrize(
    ("rpc", "request_type", "response_type"),
    [
        ("ValidateEphemeralResourceConfig", messages.ValidateRequest, messages.ValidateResponse),
        ("OpenEphemeralResource", messages.OpenRequest, messages.OpenResponse),
        ("CloseEphemeralResource", messages.CloseRequest, messages.CloseResponse),
    ],
)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type_name": "crusoe_nothing"},
        {"type_name": TYPE, "config": b"\xff"},
        {"type_name": TYPE, "private": b"["},
    ],
    ids=["empty", "unknown type", "no value", "no private data"],
)
def test_malformed_requests_are_diagnostics(
    plugin: Plugin, rpc: str, request_type: Any, response_type: Any, fields: dict[str, Any]
) -> None:
    """And the plugin lives on."""
    known = {k: v for k, v in fields.items() if k in request_type.DESCRIPTOR.fields_by_name}

    answer = call(plugin, rpc, request_type(**known), response_type)

    well_formed = rpc == "CloseEphemeralResource" and known == {"type_name": TYPE}
    assert bool(diagnostics(answer)) is not well_formed
    assert plugin.provider.GetMetadata(pb.GetMetadata.Request()).resources


@pytest.mark.parametrize(
    ("name", "arguments", "word"),
    [("nothing", [], "no function"), ("credentials_file", ["a"], "3 arguments")],
)
def test_calls_that_cannot_be_served_are_errors(
    plugin: Plugin, name: str, arguments: list[str], word: str
) -> None:
    """Terraform shows them beside the call."""
    answer = plugin.provider.CallFunction(
        pb.CallFunction.Request(name=name, arguments=[dynamic(a) for a in arguments])
    )

    assert word in answer.error.text
