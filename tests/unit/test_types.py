"""The attribute type that `tf` lacks: an object with attributes of different types."""

import json
from typing import Any

import pytest
from tf.types import Bool, Number, String, Unknown

from crusoe_provider.providerserver.types import Object

KIND = Object({"name": String(), "size": Number(), "on": Bool()})
WHOLE = {"name": "x", "size": 1, "on": True}


@pytest.mark.parametrize("value", [None, Unknown])
def test_an_object_as_a_whole_may_be_null_or_unknown(value: Any) -> None:
    assert KIND.encode(value) is value
    assert KIND.decode(value) is value


def test_attributes_that_are_missing_are_null() -> None:
    """Terraform requires all of them on the wire."""
    expected = {"name": "x", "size": None, "on": None}

    assert KIND.encode({"name": "x"}) == expected
    assert KIND.decode({"name": "x"}) == expected


def test_attributes_that_the_type_does_not_have_are_an_error() -> None:
    with pytest.raises(ValueError, match="no such attributes: colour, weight"):
        KIND.encode(WHOLE | {"weight": 2, "colour": "red"})


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (WHOLE, WHOLE | {"size": 1.0}, True),
        (WHOLE, WHOLE | {"size": 2}, False),
        (WHOLE, {"name": "x", "size": 1}, False),
        ({"name": "x"}, {"name": "x", "on": None}, True),
        (None, None, True),
        (Unknown, Unknown, True),
        (WHOLE, None, False),
        (None, Unknown, False),
    ],
)
def test_objects_are_equal_attribute_by_attribute(one: Any, other: Any, equal: bool) -> None:
    assert KIND.semantically_equal(one, other) is equal
    assert KIND.semantically_equal(other, one) is equal


def test_it_is_named_as_terraform_does() -> None:
    kind = {"name": "string", "size": "number", "on": "bool"}

    assert json.loads(KIND.tf_type()) == ["object", kind]
