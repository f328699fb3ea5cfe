"""A storage token: what of it comes from a state, and what from the list."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crusoe_provider.tokens.errors import InvalidToken
from crusoe_provider.tokens.token import Token, in_order, listed_token
from support.token_doubles import LONG_AGO, ME, key

EXPIRY = "2027-01-31T12:00:00Z"
# What means the same, written otherwise.
ELSEWHERE = "2027-01-31T13:00:00+01:00"
FRACTION = "2027-01-31T12:00:00.5Z"
LATER = "2027-02-01T00:00:00Z"
TOKEN = Token(
    access_key_id="K",
    secret_key="c2VjcmV0",
    alias="ci",
    expires_at=EXPIRY,
    organization_id="o",
    profile="ops",
)


def test_a_state_goes_there_and_back() -> None:
    """Whatever is not in it is null."""
    state = TOKEN.to_state()

    assert Token.of_state(state) == TOKEN
    assert Token.of_state({"access_key_id": "K"}) == Token(access_key_id="K").but(
        ready_for_renewal=None
    )


@pytest.mark.parametrize("created_at", [None, "yesterday"])
def test_what_a_list_leaves_out_stays_as_it_was_known(created_at: str | None) -> None:
    """Without its owner it would seem to be gone to anybody else, and without its age be new."""
    known = TOKEN.but(user_id=ME.id, created_at=LONG_AGO)
    entry = key("K", "ci", user_id=None, created_at=created_at)

    listed = known.as_listed(entry)

    assert (listed.user_id, listed.created_at) == (ME.id, LONG_AGO)


@pytest.mark.parametrize("access_key_id", [None, ""])
def test_a_state_without_an_access_key_id_is_no_token(access_key_id: str | None) -> None:
    """Somebody has edited it; an empty ID would name no key to the API."""
    with pytest.raises(InvalidToken):
        Token.of_state(TOKEN.to_state() | {"access_key_id": access_key_id})


def test_a_token_has_all_that_the_list_tells_of_its_key() -> None:
    """And what only the user knows."""
    token = Token.of_key(key("K", "ci", expire_at=EXPIRY), organization_id="o", profile="ops")

    assert token == Token(
        id="uuid-K",
        access_key_id="K",
        alias="ci",
        expires_at=EXPIRY,
        organization_id="o",
        profile="ops",
        status="enabled",
        created_at=LONG_AGO,
        user_id=ME.id,
    )


def test_a_list_tells_what_the_answer_to_a_creation_does_not() -> None:
    """What it does not tell stays: the secret above all."""
    assert TOKEN.as_listed(key("K", "ci", expire_at=EXPIRY)) == TOKEN.but(
        id="uuid-K", status="enabled", created_at=LONG_AGO, user_id=ME.id
    )


@pytest.mark.parametrize(
    ("stored", "listed", "shown"),
    [
        (None, None, None),
        (None, "", None),
        ("", None, ""),
        ("ci", "ci", "ci"),
        ("ci", "CI", "CI"),
        ("ci", None, None),
        (None, "ci", "ci"),
        ("", "ci", "ci"),
    ],
)
def test_an_alias_changes_where_it_means_something_else(
    stored: str | None, listed: str | None, shown: str | None
) -> None:
    """None and an empty one are the same; a change of them would be drift in every plan."""
    assert TOKEN.but(alias=stored).as_listed(key("K", listed)).alias == shown


@pytest.mark.parametrize(
    ("stored", "listed", "shown"),
    [
        (None, None, None),
        (None, "", None),
        (EXPIRY, EXPIRY, EXPIRY),
        (ELSEWHERE, EXPIRY, ELSEWHERE),
        (FRACTION, EXPIRY, FRACTION),
        (EXPIRY, LATER, LATER),
        (EXPIRY, None, None),
        (None, EXPIRY, EXPIRY),
    ],
)
def test_an_expiry_changes_where_it_is_another_moment(
    stored: str | None, listed: str | None, shown: str | None
) -> None:
    """Another spelling of it is no drift."""
    assert TOKEN.but(expires_at=stored).as_listed(key("K", expire_at=listed)).expires_at == shown


@pytest.mark.parametrize(
    ("now", "expired"),
    [
        (datetime(2027, 1, 31, 11, 59, 59, tzinfo=UTC), False),
        (datetime(2027, 1, 31, 12, tzinfo=UTC), True),
    ],
)
def test_a_data_source_shows_a_key_and_whether_it_has_expired(now: datetime, expired: bool) -> None:
    """By its own expiry: the status says nothing of it."""
    assert listed_token(key("K", "ci", expire_at=EXPIRY), now) == {
        "id": "uuid-K",
        "access_key_id": "K",
        "alias": "ci",
        "status": "enabled",
        "created_at": LONG_AGO,
        "expires_at": EXPIRY,
        "expired": expired,
        "user_id": ME.id,
    }


def test_a_key_that_never_expires_has_not() -> None:
    """However late it is."""
    shown = listed_token(key("K"), datetime(2999, 1, 1, tzinfo=UTC))

    assert (shown["expires_at"], shown["expired"]) == (None, False)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "Storage token (access key ID K)"),
        ({"alias": ""}, "Storage token (access key ID K)"),
        ({"alias": "ci"}, 'Storage token with alias "ci" (access key ID K)'),
        ({"id": "t"}, "Storage token (token ID t, access key ID K)"),
        ({"profile": "ops"}, "Storage token (access key ID K, profile ops)"),
        (
            {"alias": "ci", "id": "t", "profile": "ops"},
            'Storage token with alias "ci" (token ID t, access key ID K, profile ops)',
        ),
    ],
)
def test_a_message_calls_a_token_by_all_that_finds_it(values: dict[str, Any], name: str) -> None:
    """As far as it is known."""
    assert Token(access_key_id="K", **values).name == name


def test_keys_are_in_the_order_of_their_creation() -> None:
    """The API promises none; of two made at once the access key ID decides."""
    keys = [
        key("B", created_at="2026-02-01T00:00:00Z"),
        key("A", created_at="2026-02-01T00:00:00Z"),
        key("C", created_at="2026-01-01T00:00:00Z"),
    ]

    assert [found.access_key_id for found in in_order(keys)] == ["C", "A", "B"]
