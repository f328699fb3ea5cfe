"""A rotating token over time, and what is remembered of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crusoe_provider.tokens.errors import InvalidToken
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.rotation import Holding
from crusoe_provider.tokens.rotation_memory import RotationMemory
from crusoe_provider.tokens.token import Token

MADE = datetime(2026, 11, 1, tzinfo=UTC)
TOKEN = RotatingToken(
    access_key_id="b",
    created_at="2026-11-01T00:00:00Z",
    status="enabled",
    previous_access_key_id="a",
    previous_created_at="2026-10-01T00:00:00Z",
    previous_status="enabled",
)


@pytest.mark.parametrize(
    ("arguments", "days", "rotation", "revocation"),
    [
        ({}, 10_000, False, False),
        ({"rotate_after": "30d"}, 29.9, False, False),
        ({"rotate_after": "30d"}, 30, True, False),
        ({"rotate_after": "30d", "created_at": None}, 30, False, False),
        ({"rotate_after": "rubbish"}, 30, False, False),
        ({"expires_at": "2026-11-03T00:00:00Z"}, 1.9, False, False),
        ({"expires_at": "2026-11-03T00:00:00Z"}, 2, True, False),
        ({"access_key_id": None}, 0, True, False),
        ({"revoke_previous_after": "7d"}, 6.9, False, False),
        ({"revoke_previous_after": "7d"}, 7, False, True),
        ({"revoke_previous_after": "7d", "previous_access_key_id": None}, 7, False, False),
        ({"ready_for_rotation": True, "ready_for_revocation": True}, 0, True, True),
    ],
)
def test_what_has_come_is_written_down(
    arguments: dict[str, Any], days: float, rotation: bool, revocation: bool
) -> None:
    """And stays, until a refresh begins anew."""
    token = TOKEN.but(**arguments).as_of(MADE + timedelta(days=days))

    assert (token.ready_for_rotation, token.ready_for_revocation) == (rotation, revocation)


def test_the_next_key_is_made_as_the_token_says() -> None:
    """It is no key yet, and nobody's."""
    token = TOKEN.but(
        alias="ci",
        expires_at="2027-01-31T12:00:00Z",
        expires_after="30d",
        organization_id="o",
        profile="ops",
        user_id="u",
    )

    assert token.next_token() == Token(
        access_key_id="",
        alias="ci",
        expires_at="2027-01-31T12:00:00Z",
        expires_after="30d",
        organization_id="o",
        profile="ops",
    )


def test_the_first_key_gives_the_token_its_id_and_its_owner() -> None:
    """For good: those after it change neither."""
    token = RotatingToken(alias="ci").begun_with(Token(access_key_id="a", id="n", user_id="u"))

    assert (token.id, token.user_id, token.access_key_id, token.token_id) == ("n", "u", "a", "n")


@pytest.mark.parametrize(("stored", "generation"), [(None, 1), (0, 1), (1, 1), (7, 7), (7.0, 7)])
def test_a_state_without_a_generation_is_of_the_first(
    stored: float | None, generation: int
) -> None:
    """As after an import; JSON may give a float."""
    token = RotatingToken.of_state(TOKEN.to_state() | {"generation": stored})

    assert (token.generation, type(token.generation)) == (generation, int)


def test_expired_keys_are_useless() -> None:
    """Each by its own expiry."""
    token = TOKEN.but(expires_at="2026-12-01T00:00:00Z", previous_expires_at="2026-11-15T00:00:00Z")

    assert token.as_of(MADE + timedelta(days=14)).useless() == {"a"}
    assert token.as_of(MADE + timedelta(days=30)).useless() == {"a", "b"}


def test_keys_come_and_go_as_tokens() -> None:
    """The current one with the alias, under the names that a token has."""
    token = TOKEN.but(
        alias="ci", token_id="t", id="first", organization_id="o", user_id="u", profile="ops"
    )

    current, previous = token.current, token.previous

    assert current is not None
    assert (current.id, current.alias, current.organization_id) == ("t", "ci", "o")
    assert (current.user_id, current.profile) == ("u", "ops")
    assert previous is not None
    assert (previous.access_key_id, previous.alias, previous.user_id) == ("a", None, "u")
    swapped = token.with_previous(current).with_current(Token(access_key_id="c", id="n"))
    assert swapped.holding == Holding("c", "b")
    assert (swapped.previous_token_id, swapped.token_id, swapped.id) == ("t", "n", "first")
    assert swapped.with_current(None).current is None


def test_a_state_without_any_key_is_one_where_a_rotation_has_left_it_so() -> None:
    """Its number of rotations goes on. Whoever edits a state leaves something of a key in it."""
    emptied = RotatingToken(id="1", user_id=None, generation=3)

    assert RotatingToken.of_state(emptied.to_state()).generation == 3
    for left in ("secret_key", "created_at", "status", "previous_token_id"):
        with pytest.raises(InvalidToken):
            RotatingToken.of_state(emptied.to_state() | {left: "x"})


def test_a_state_without_any_key_is_none() -> None:
    """Somebody has edited it."""
    with pytest.raises(InvalidToken):
        RotatingToken.of_state({"alias": "ci"})


@pytest.mark.parametrize(
    "private",
    [
        {},
        {"keys": 1, "leaving": "x", "looked": 2},
        {"keys": {"a": 1}, "leaving": [1]},
        {"key": "a"},
    ],
)
def test_private_data_of_somebody_else_says_nothing(private: dict[str, Any]) -> None:
    """An earlier provider may have left anything there."""
    assert RotationMemory.of(private) == RotationMemory()


def test_what_is_remembered_survives_and_is_bounded_to_the_keys_that_are_held() -> None:
    """Of each key what belongs to it; a refresh is written down once an hour."""
    memory = RotationMemory()
    memory.of_key("a").alias = "A"
    memory.of_key("gone").alias = "G"
    memory.look(MADE)
    memory.look(MADE + timedelta(minutes=59))
    private: dict[str, Any] = {"old": 1}

    memory.keep(Holding("b", "a", ("x",)), private)

    again = RotationMemory.of(private)
    assert set(again.keys) == {"a", "b", "x"}
    assert (again.keys["a"].alias, again.keys["b"].key) == ("A", "b")
    assert (again.leaving, again.looked_at) == (("x",), MADE)
    again.look(MADE + timedelta(hours=1))
    assert again.looked_at == MADE + timedelta(hours=1)
