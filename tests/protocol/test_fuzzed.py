"""The plugin on requests that Terraform would never send, and on values nobody would write.

Whatever comes, there is an answer with diagnostics in it, or gRPC refuses the bytes; and the
process goes on serving.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tf.types import Unknown

from crusoe_provider.provider.data_source_storage_token import StorageTokenDataSource
from crusoe_provider.provider.data_source_storage_tokens import StorageTokensDataSource
from crusoe_provider.provider.ephemeral_storage_token import EphemeralStorageToken
from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_simulator.server import Simulator
from support.plugin import Plugin, dynamic, errors, plugin_environment, value_of

TOKEN = "crusoe_storage_token"
UGLY = ("Unexpected error", "Traceback")
# Each example is a call or two of a real process; `make soak` has more of them.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))

UNKNOWN_VALUE = msgspec.msgpack.Ext(0, b"\x00")
REFINED = msgspec.msgpack.Ext(12, msgspec.msgpack.encode({1: False, 3: "x-"}))
# What users write, and then some.
TEXTS = st.one_of(
    st.text(),
    st.sampled_from(["", " ", "a", "90d", "1h30m", "-1s", "1e9h", "9" * 400 + "d", "2030-01-01"]),
    st.sampled_from(
        ["2040-01-01T00:00:00Z", "2040-01-01t00:00:00.5+23:59", "0001-01-01T00:00:00+14:00"]
    ),
    st.uuids().map(str),
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | TEXTS
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
) | st.sampled_from([UNKNOWN_VALUE, REFINED])
OF_SCHEMA = {
    "string": TEXTS,
    "bool": st.booleans(),
    "number": st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.just("1e400"),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        simulator.cloud.add_user("dev@acme.example", simulator.cloud.add_organization("acme"))
        yield simulator


@pytest.fixture(scope="module")
def plugin(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """The provider itself, configured, for all examples together."""
    (user,) = simulator.cloud.users
    environment = plugin_environment(
        CRUSOE_API_ENDPOINT=simulator.endpoint,
        CRUSOE_ACCESS_KEY_ID=user.access_key_id,
        CRUSOE_SECRET_KEY=user.secret_key,
        HOME=os.devnull,
    )
    command = [str(Path(sys.executable).parent / "terraform-provider-crusoe")]
    with Plugin(command, environment, tmp_path_factory.mktemp("fuzz") / "stderr") as plugin:
        nothing = {"max_retries": 0, "key_limit": 0}
        configured = plugin.provider.ConfigureProvider(
            pb.ConfigureProvider.Request(config=dynamic(nothing))
        )
        assert not configured.diagnostics
        yield plugin
        assert plugin.shut_down() == 0
        assert "Traceback" not in plugin.log()


def serves(plugin: Plugin) -> None:
    """Check that the process still does what it is there for."""
    answer = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())
    assert TOKEN in answer.resource_schemas
    assert plugin.process.poll() is None


def check(response: Any) -> None:
    """Check that an answer is fit for users."""
    for found in response.diagnostics:
        assert not found.summary.startswith(UGLY), found
        assert "Traceback" not in found.detail


def value(draw: st.DrawFn, kind: Any, *, known: bool) -> Any:
    """Draw a value of a type, as schemas write types down."""
    if not known and draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([UNKNOWN_VALUE, REFINED]))
    if isinstance(kind, str):
        return draw(OF_SCHEMA[kind])
    outer, inner = kind
    if outer == "object":
        return {name: draw(st.none() | OF_SCHEMA[inner[name]]) for name in inner}
    items = draw(st.lists(st.integers(0, 3), max_size=3))
    if outer == "map":
        return {draw(TEXTS): value(draw, inner, known=known) for _ in items}
    return [value(draw, inner, known=known) for _ in items]


@st.composite
def typed(draw: st.DrawFn, schema: Any, *, written: bool = False) -> pb.DynamicValue:
    """Draw an object of the types of a schema; if `written`, only what a configuration can hold."""
    block = schema.to_pb().block
    found = {
        attribute.name: None
        if draw(st.booleans()) or (written and not attribute.optional)
        else value(draw, json.loads(attribute.type), known=written)
        for attribute in block.attributes
    }
    for nested in block.block_types:
        found[nested.type_name] = draw(
            st.none() | st.fixed_dictionaries({"create": st.none() | TEXTS})
        )
    return pb.DynamicValue(msgpack=msgspec.msgpack.encode(found))


def objects(schema: Any) -> st.SearchStrategy[pb.DynamicValue]:
    """Draw an object of the types of a schema, or something else altogether."""
    return typed(schema) | rubbish()


@st.composite
def rubbish(draw: st.DrawFn) -> pb.DynamicValue:
    """Draw a value that is none, or is of no type that the schema has."""
    if draw(st.booleans()):
        return pb.DynamicValue(msgpack=draw(st.binary()), json=draw(st.binary()))
    return pb.DynamicValue(msgpack=msgspec.msgpack.encode(draw(ANYTHING)))


STATES = objects(StorageTokenResource.get_schema()) | st.just(dynamic(None))
TYPES = st.just(TOKEN) | st.just("crusoe_storage_tokens") | TEXTS
PRIVATE = st.binary() | st.sampled_from([b'{"key": 5}', b'{"made": "x", "seen": []}', b"null"])
STORED = st.builds(
    pb.RawState,
    json=st.binary()
    | st.dictionaries(
        st.sampled_from([a.name for a in StorageTokenResource.get_schema().attributes]),
        st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS, max_size=2),
    ).map(lambda state: json.dumps(state).encode()),
)
REQUESTS: dict[str, st.SearchStrategy[Any]] = {
    "ValidateProviderConfig": st.builds(
        pb.ValidateProviderConfig.Request,
        config=st.dictionaries(
            st.sampled_from(
                ["profile", "api_endpoint", "access_key_id", "secret_key", "key_limit"]
            ),
            ANYTHING,
        ).map(lambda block: pb.DynamicValue(msgpack=msgspec.msgpack.encode(block)))
        | rubbish(),
    ),
    "ValidateResourceConfig": st.builds(
        pb.ValidateResourceConfig.Request, type_name=TYPES, config=STATES
    ),
    "ValidateDataResourceConfig": st.builds(
        pb.ValidateDataResourceConfig.Request,
        type_name=TYPES,
        config=objects(StorageTokenDataSource.get_schema()),
    ),
    "UpgradeResourceState": st.builds(
        pb.UpgradeResourceState.Request,
        type_name=TYPES,
        version=st.integers(-2, 2),
        raw_state=STORED,
    ),
    "ReadResource": st.builds(
        pb.ReadResource.Request, type_name=TYPES, current_state=STATES, private=PRIVATE
    ),
    "PlanResourceChange": st.builds(
        pb.PlanResourceChange.Request,
        type_name=TYPES,
        prior_state=STATES,
        proposed_new_state=STATES,
        config=STATES,
        prior_private=PRIVATE,
    ),
    "ImportResourceState": st.builds(pb.ImportResourceState.Request, type_name=TYPES, id=TEXTS),
    "MoveResourceState": st.builds(
        pb.MoveResourceState.Request,
        source_provider_address=st.just("registry.terraform.io/crusoecloud/crusoe") | TEXTS,
        source_type_name=st.just("crusoe_storage_s3_key") | TEXTS,
        source_state=STORED,
        target_type_name=TYPES,
    ),
    "ReadDataSource": st.builds(
        pb.ReadDataSource.Request,
        type_name=TYPES,
        config=objects(StorageTokensDataSource.get_schema())
        | objects(StorageTokenDataSource.get_schema()),
    ),
}


@pytest.mark.parametrize("rpc", REQUESTS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_every_request_gets_an_answer_fit_for_users(
    plugin: Plugin, simulator: Simulator, rpc: str, data: st.DataObject
) -> None:
    """With the right types, with wrong ones, and with none."""
    request = data.draw(REQUESTS[rpc])
    keys = simulator.cloud.keys()
    for key in keys:
        simulator.cloud.remove_key(key.key_uuid)

    check(getattr(plugin.provider, rpc)(request))

    assert all(r.path.startswith("/v1/") for r in simulator.api.requests.all())


@settings(max_examples=EXAMPLES)
@given(config=typed(StorageTokenResource.get_schema(), written=True))
def test_what_a_plan_has_promised_an_apply_keeps(
    plugin: Plugin, simulator: Simulator, config: pb.DynamicValue
) -> None:
    """Whatever passes the validation and the plan; as Terraform checks it."""
    keys = simulator.cloud.keys()
    for key in keys:
        simulator.cloud.remove_key(key.key_uuid)
    request: dict[str, Any] = {"type_name": TOKEN, "config": config}
    valid = plugin.provider.ValidateResourceConfig(pb.ValidateResourceConfig.Request(**request))
    check(valid)
    plan = plugin.provider.PlanResourceChange(
        pb.PlanResourceChange.Request(**request, proposed_new_state=config)
    )
    if errors(valid) or errors(plan):
        return

    applied = plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(**request, planned_state=plan.planned_state)
    )

    check(applied)
    promised, kept = value_of(plan.planned_state), value_of(applied.new_state)
    if errors(applied):
        assert simulator.cloud.keys() == []
        return
    assert {n: v for n, v in promised.items() if v is not Unknown} == {
        n: kept[n] for n, v in promised.items() if v is not Unknown
    }
    (key,) = simulator.cloud.keys()
    assert (kept["access_key_id"], kept["secret_key"]) == (key.access_key_id, key.secret_key)


def call_ephemeral(plugin: Plugin, rpc: str, **values: Any) -> Any:
    """Call an RPC of ephemeral tokens."""
    kind = f"{rpc}EphemeralResource{'Config' if rpc == 'Validate' else ''}"
    response = getattr(plugin.provider, kind)(getattr(pb, kind).Request(**values))
    check(response)
    return response


@pytest.mark.parametrize("rpc", ["Renew", "Close"])
@settings(max_examples=EXAMPLES)
@given(type_name=TYPES, private=PRIVATE)
def test_every_request_for_an_ephemeral_token_gets_one_too(
    plugin: Plugin, rpc: str, type_name: str, private: bytes
) -> None:
    """Also with private data that is none of ours."""
    call_ephemeral(plugin, rpc, type_name=type_name, private=private)


@settings(max_examples=EXAMPLES)
@given(
    type_name=TYPES,
    config=typed(EphemeralStorageToken.get_schema(), written=True)
    | objects(EphemeralStorageToken.get_schema()),
)
def test_an_ephemeral_token_that_was_opened_can_be_closed(
    plugin: Plugin, simulator: Simulator, type_name: str, config: pb.DynamicValue
) -> None:
    """Whatever passes the validation, which Terraform always calls before."""
    keys = simulator.cloud.keys()
    for key in keys:
        simulator.cloud.remove_key(key.key_uuid)
    if call_ephemeral(plugin, "Validate", type_name=type_name, config=config).diagnostics:
        return

    opened = call_ephemeral(plugin, "Open", type_name=type_name, config=config)
    call_ephemeral(plugin, "Close", type_name=type_name, private=opened.private)

    assert simulator.cloud.keys() == []


@pytest.mark.parametrize("rpc", ["GetMetadata", "GetProviderSchema", "CallFunction", *REQUESTS])
@settings(max_examples=EXAMPLES)
@given(content=st.binary(min_size=1))
def test_bytes_that_are_no_message_are_refused(plugin: Plugin, rpc: str, content: bytes) -> None:
    """By gRPC, with a status; some bytes happen to be a message, and get an answer."""
    call: Any = plugin.channel.unary_unary(f"/tfplugin6.Provider/{rpc}")

    answer = refused = None
    try:
        answer = getattr(pb, rpc).Response.FromString(call(content))
    except grpc.RpcError as error:
        refused = error

    if refused is not None:
        assert refused.code() is grpc.StatusCode.INTERNAL
    elif rpc != "CallFunction":
        check(answer)


@settings(max_examples=EXAMPLES)
@given(content=st.binary(min_size=1) | st.just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff" * 9))
def test_whoever_else_connects_does_no_harm(plugin: Plugin, content: bytes) -> None:
    """Not by what is no TLS, nor by leaving at once."""
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(plugin.socket))
        with contextlib.suppress(BrokenPipeError):
            stranger.sendall(content)

    serves(plugin)
