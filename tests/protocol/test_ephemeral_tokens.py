"""The RPCs of ephemeral resources and functions, over a real connection to the real provider."""

from typing import Any

import pytest

from crusoe_provider.providerserver import protocol_pb2 as pb
from support.plugin import Plugin, dynamic, value_of
from support.provider_fixtures import Provider
from support.simulator_fixtures import Crusoe

TYPE = "crusoe_storage_token"
CONFIG = dict.fromkeys(
    [
        *("alias", "profile", "expires_after", "organization_id"),
        *("id", "access_key_id", "secret_key", "expires_at"),
    ]
)


@pytest.fixture
def plugin(provider: Provider) -> Plugin:
    """The provider, not configured yet."""
    return provider.plugin


def open_token(plugin: Plugin, **config: Any) -> Any:
    request = pb.OpenEphemeralResource.Request(type_name=TYPE, config=dynamic(CONFIG | config))
    return plugin.provider.OpenEphemeralResource(request, timeout=30)


def test_schema_and_metadata_announce_them(plugin: Plugin) -> None:
    """Both agree."""
    schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())
    metadata = plugin.provider.GetMetadata(pb.GetMetadata.Request())

    names = [e.type_name for e in metadata.ephemeral_resources]
    assert list(schema.ephemeral_resource_schemas) == names == [TYPE]
    block = schema.ephemeral_resource_schemas[TYPE].block
    assert {attribute.name for attribute in block.attributes} == set(CONFIG)
    functions = ["credentials_file", "decrypt"]
    assert sorted(schema.functions) == sorted(f.name for f in metadata.functions) == functions
    assert {r.type_name for r in metadata.resources} == set(schema.resource_schemas)
    assert {d.type_name for d in metadata.data_sources} == set(schema.data_source_schemas)
    assert schema.server_capabilities == metadata.server_capabilities
    assert schema.server_capabilities.move_resource_state


def test_open_and_close(provider: Provider, plugin: Plugin, crusoe: Crusoe) -> None:
    """The values are all known; the private data is enough to revoke the token."""
    provider.configure()

    opened = open_token(plugin, alias="x")
    (key,) = crusoe.simulator.cloud.keys()
    request = pb.CloseEphemeralResource.Request(type_name=TYPE, private=opened.private)
    closed = plugin.provider.CloseEphemeralResource(request)

    assert not [*opened.diagnostics, *closed.diagnostics]
    result = value_of(opened.result)
    assert result == {
        "alias": "x",
        "profile": None,
        "expires_after": "1h",
        "organization_id": crusoe.organization.id,
        "id": key.key_uuid,
        "access_key_id": key.access_key_id,
        "secret_key": key.secret_key,
        "expires_at": key.expire_at,
    }
    assert crusoe.simulator.cloud.keys() == []


def test_a_plugin_that_ends_revokes_what_is_still_open(
    provider: Provider, plugin: Plugin, crusoe: Crusoe
) -> None:
    """Terraform has not closed it, for whatever reason."""
    provider.configure()
    open_token(plugin)
    assert len(crusoe.simulator.cloud.keys()) == 1

    assert plugin.shut_down() == 0

    assert crusoe.simulator.cloud.keys() == []


def test_renewing_keeps_the_private_data(plugin: Plugin) -> None:
    """No token asks for it, and a call does no harm."""
    request = pb.RenewEphemeralResource.Request(type_name=TYPE, private=b"{}")

    answer = plugin.provider.RenewEphemeralResource(request)

    assert (answer.private, list(answer.diagnostics)) == (b"{}", [])


@pytest.mark.parametrize(
    ("rpc", "fields"),
    [
        (rpc, fields)
        for rpc in (
            "ValidateEphemeralResourceConfig",
            "OpenEphemeralResource",
            "CloseEphemeralResource",
        )
        for fields in (
            {},
            {"type_name": "crusoe_nothing"},
            {"type_name": TYPE, "private": b"["}
            if rpc == "CloseEphemeralResource"
            else {"type_name": TYPE, "config": pb.DynamicValue(msgpack=b"\xc1")},
        )
    ],
)
def test_malformed_requests_are_diagnostics(
    plugin: Plugin, rpc: str, fields: dict[str, Any]
) -> None:
    """And the plugin lives on."""
    answer = getattr(plugin.provider, rpc)(getattr(pb, rpc).Request(**fields))

    assert answer.diagnostics
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
