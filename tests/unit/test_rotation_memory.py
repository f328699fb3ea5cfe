"""What is remembered of a rotating token from a plan to its apply, and to the next run."""

from typing import Any

import pytest

from crusoe_provider.tokens.ownership import Ownership
from crusoe_provider.tokens.presence import Memory
from crusoe_provider.tokens.rotation import Holding
from crusoe_provider.tokens.rotation_memory import RotationMemory
from support.token_doubles import COLLEAGUE, ME

LISTED_AS = "S3U_ABC"


@pytest.mark.parametrize("excused", [True, False])
@pytest.mark.parametrize("counted", [True, False])
def test_what_a_plan_has_counted_goes_there_and_back(counted: bool, excused: bool) -> None:
    """Terraform plans a replacement in two halves, and the second has to know of the first."""
    private: dict[str, Any] = {}

    RotationMemory(counted=counted, excused=excused).keep(Holding(None), private)

    assert RotationMemory.of(private) == RotationMemory(counted=counted, excused=excused)


def test_everything_that_is_remembered_goes_there_and_back() -> None:
    """Of each key, and of the whole."""
    memory = RotationMemory(
        keys={"a": Memory(key="a", caller=ME.id, owner=LISTED_AS), "b": Memory(key="b", alias="B")},
        leaving=("a",),
        looked="2026-11-24T12:00:00Z",
        home="an-organization",
        counted=True,
        excused=True,
    )
    private: dict[str, Any] = {"left over": 1}

    memory.keep(Holding("b", None, ("a",)), private)

    assert RotationMemory.of(private) == memory
    assert "left over" not in private


@pytest.mark.parametrize("value", ["true", 1, None, False])
def test_what_is_not_in_our_form_has_counted_nothing(value: object) -> None:
    """Private data may be somebody else's."""
    private = {"counted": value, "excused": value}

    assert RotationMemory.of(private) == RotationMemory()


def test_a_plan_that_begins_anew_has_counted_nothing() -> None:
    """What the one before it has counted is forgotten, and only that."""
    memory = RotationMemory(keys={"a": Memory(key="a")}, counted=True, excused=True)

    memory.plans_anew()

    assert memory == RotationMemory(keys={"a": Memory(key="a")})


@pytest.mark.parametrize(
    ("memory", "foreign"),
    [
        (Memory(caller=ME.id, owner=LISTED_AS), False),
        (Memory(caller=COLLEAGUE, owner=LISTED_AS), True),
        (Memory(owner=LISTED_AS), True),
        (Memory(caller=ME.id), True),
        (Memory(), True),
    ],
)
def test_whose_a_key_is_is_told_as_far_as_it_is_remembered(memory: Memory, foreign: bool) -> None:
    """A key of the caller is not taken for somebody else's, nor the other way round."""
    ownership = Ownership()

    RotationMemory(keys={"x": Memory(), "a": memory}).teach(ownership)

    assert ownership.is_foreign(LISTED_AS, [], ME) is foreign
