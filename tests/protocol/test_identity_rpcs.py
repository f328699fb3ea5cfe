"""Resource identity over a real connection to a toy provider."""

from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from support.plugin import Plugin, dynamic, errors, value_of
from support.toy_fixtures import StartToy, thing

TYPE = "toy_thing"
SEVEN = {"id": "7", "place": "here"}


@pytest.fixture
def plugin(start_toy: StartToy) -> Plugin:
    return start_toy()


def identity(**attributes: Any) -> pb.ResourceIdentityData:
    return pb.ResourceIdentityData(identity_data=dynamic(attributes))


def found(answer: Any, field: str) -> Any:
    """Return the identity in an answer; `None` if there is none."""
    if not answer.HasField(field):
        return None
    return value_of(getattr(answer, field).identity_data)


def read(plugin: Plugin, state: Any, **more: Any) -> Any:
    return plugin.provider.ReadResource(
        pb.ReadResource.Request(type_name=TYPE, current_state=dynamic(state), **more)
    )


def plan(plugin: Plugin, prior: Any, proposed: Any, **more: Any) -> Any:
    return plugin.provider.PlanResourceChange(
        pb.PlanResourceChange.Request(
            type_name=TYPE,
            prior_state=dynamic(prior),
            proposed_new_state=dynamic(proposed),
            config=dynamic(proposed),
            **more,
        )
    )


def apply(plugin: Plugin, prior: Any, planned: Any, **more: Any) -> Any:
    return plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(
            type_name=TYPE,
            prior_state=dynamic(prior),
            planned_state=dynamic(planned),
            config=dynamic(planned),
            **more,
        )
    )


def test_schemas(plugin: Plugin) -> None:
    """Each attribute says what an import needs of it."""
    answer = plugin.provider.GetResourceIdentitySchemas(pb.GetResourceIdentitySchemas.Request())

    (schema,) = answer.identity_schemas.values()
    assert list(answer.identity_schemas) == [TYPE]
    assert schema.version == 1
    assert [
        (a.name, a.type, a.required_for_import, a.optional_for_import, a.description)
        for a in schema.identity_attributes
    ] == [
        ("id", b'"string"', True, False, "The ID."),
        ("place", b'"string"', False, True, ""),
    ]


def test_a_refresh_carries_it(plugin: Plugin) -> None:
    """Also where the state had none, and beside an error."""
    failing = thing(id="7", does="fail in read")

    assert found(read(plugin, thing(id="7")), "new_identity") == SEVEN
    assert found(read(plugin, failing), "new_identity") is None
    stored = identity(id="7", place="stored")
    kept = read(plugin, failing, current_identity=stored)
    assert errors(kept)
    assert found(kept, "new_identity") == {"id": "7", "place": "stored"}
    gone = read(plugin, thing(id="7", does="vanish"), current_identity=stored)
    assert found(gone, "new_identity") is None


def test_a_resource_may_have_none_yet(plugin: Plugin) -> None:
    """Then none is sent."""
    state = thing(id="7", does="have no identity")

    assert found(read(plugin, state), "new_identity") is None


def test_plans_carry_it_as_far_as_it_is_known(plugin: Plugin) -> None:
    """Never that of the predecessor in the second half of a replacement."""
    prior, stored = thing(id="7"), identity(**SEVEN)

    update = plan(plugin, prior, prior | {"size": 1}, prior_identity=stored)
    replace = plan(plugin, prior, prior | {"id": Unknown}, prior_identity=stored)
    second_half = plan(plugin, None, thing(), prior_identity=stored)
    destroy = plan(plugin, prior, None, prior_identity=stored)

    assert found(update, "planned_identity") == SEVEN
    assert found(replace, "planned_identity") == SEVEN
    assert found(second_half, "planned_identity") is None
    assert found(destroy, "planned_identity") == SEVEN


def test_applies_carry_it(plugin: Plugin) -> None:
    """Beside errors, too, as long as there is an object."""
    prior, stored = thing(id="7"), identity(**SEVEN)
    new = thing(id=Unknown, secret=Unknown)

    created = apply(plugin, None, new)
    half = apply(plugin, None, new | {"does": "fail after saving"})
    nothing = apply(plugin, None, new | {"does": "fail before saving"})
    updated = apply(plugin, prior, prior | {"size": 1}, planned_identity=stored)
    failed = apply(plugin, prior, prior | {"does": "fail in update"}, planned_identity=stored)
    kept = apply(plugin, prior | {"does": "fail in delete"}, None, planned_identity=stored)
    destroyed = apply(plugin, prior, None, planned_identity=stored)

    assert found(created, "new_identity") == {"id": "1", "place": "here"}
    assert errors(half)
    assert found(half, "new_identity") == {"id": "1", "place": "here"}
    assert found(nothing, "new_identity") is None
    assert found(updated, "new_identity") == SEVEN
    assert errors(failed)
    assert found(failed, "new_identity") == SEVEN
    assert errors(kept)
    assert found(kept, "new_identity") == SEVEN
    assert found(destroyed, "new_identity") is None


def test_imports_by_identity(plugin: Plugin) -> None:
    """Beside imports by ID; what is optional may be null."""
    request = pb.ImportResourceState.Request

    by_id = plugin.provider.ImportResourceState(request(type_name=TYPE, id="7"))
    by_identity = plugin.provider.ImportResourceState(
        request(type_name=TYPE, identity=identity(id="7", place=None))
    )

    for answer in (by_id, by_identity):
        (imported,) = answer.imported_resources
        assert value_of(imported.state)["id"] == "7"
        assert found(imported, "identity") == SEVEN


@pytest.mark.parametrize(
    "junk",
    [
        pb.ResourceIdentityData(),
        identity(id=5),
        identity(id=Unknown),
        pb.ResourceIdentityData(identity_data=dynamic(None)),
        pb.ResourceIdentityData(identity_data=pb.DynamicValue(msgpack=b"\xc1")),
    ],
)
def test_imports_by_junk(plugin: Plugin, junk: pb.ResourceIdentityData) -> None:
    """A diagnostic, and no state."""
    answer = plugin.provider.ImportResourceState(
        pb.ImportResourceState.Request(type_name=TYPE, identity=junk)
    )

    assert [d.summary for d in errors(answer)] == ["Malformed request"]
    assert not answer.imported_resources


def test_moves_carry_it(plugin: Plugin) -> None:
    """The object has an identity of its new type."""
    answer = plugin.provider.MoveResourceState(
        pb.MoveResourceState.Request(
            source_type_name="other_thing",
            source_state=pb.RawState(json=b'{"number": "7"}'),
            source_identity=pb.RawState(json=b'{"old": "x"}'),
            target_type_name=TYPE,
        )
    )

    assert value_of(answer.target_state)["id"] == "7"
    assert found(answer, "target_identity") == SEVEN


@pytest.mark.parametrize(
    ("version", "raw", "expected"),
    [
        (0, b'{"id": "7"}', {"id": "7", "place": "from version 0"}),
        (1, b'{"id": "7", "gone": 1}', {"id": "7", "place": None}),
        (0, b"", None),
        (0, b"null", None),
    ],
)
def test_stored_identities_are_upgraded(
    plugin: Plugin, version: int, raw: bytes, expected: Any
) -> None:
    """A state without an identity has nothing to be upgraded."""
    answer = plugin.provider.UpgradeResourceIdentity(
        pb.UpgradeResourceIdentity.Request(
            type_name=TYPE, version=version, raw_identity=pb.RawState(json=raw)
        )
    )

    assert not answer.diagnostics
    assert found(answer, "upgraded_identity") == expected


@pytest.mark.parametrize(
    ("version", "raw", "summary"),
    [
        (2, b'{"id": "7"}', "State written by a newer version of the provider"),
        (1, b"[]", "Unreadable state"),
        (1, b"{", "Unreadable state"),
        (1, b'{"id": 7}', "Unreadable state"),
    ],
)
def test_stored_identities_that_cannot_be_read(
    plugin: Plugin, version: int, raw: bytes, summary: str
) -> None:
    """Each is explained."""
    answer = plugin.provider.UpgradeResourceIdentity(
        pb.UpgradeResourceIdentity.Request(
            type_name=TYPE, version=version, raw_identity=pb.RawState(json=raw)
        )
    )

    assert [d.summary for d in errors(answer)] == [summary]
