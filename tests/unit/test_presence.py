"""What has become of a token, and what is remembered of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.api.models import KeyList, StorageKey
from crusoe_provider.tokens.errors import ForeignToken
from crusoe_provider.tokens.presence import (
    Gone,
    Memory,
    NotListedYet,
    NotProved,
    Presence,
    Present,
)
from crusoe_provider.tokens.token import Token
from support.token_doubles import COLLEAGUE, ME, ORGANIZATION, Account, World, key

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOKEN = Token(access_key_id="K", alias="ci", user_id=ME.id, organization_id=ORGANIZATION)
SHOWN = key("K", "ci")
# Asked for to the minute, kept to the hour, and that in another spelling.
MINUTES = "2027-01-31T12:34:00Z"
HOURS = "2027-01-31T12:00:00Z"
ELSEWHERE = "2027-01-31T13:00:00+01:00"


def presence(world: World) -> Presence:
    """Return what looks for tokens in this world."""
    return Presence(
        world.account,  # type: ignore[arg-type]  # a double
        ORGANIZATION,
        ownership=world.ownership,
        stop=world.stop,
        now=NOW,
    )


def look(
    *lists: list[StorageKey] | KeyList, token: Token = TOKEN, memory: Memory | None = None
) -> tuple[object, World]:
    """Look for a token in an account that shows these lists, the last one for good."""
    world = World(Account(listed=lists[-1], lists=[*lists]))
    return presence(world).of(token, memory or Memory()), world


def test_a_listed_token_is_present() -> None:
    """One list is enough, and nobody asks who the caller is."""
    found, world = look([key("OTHER"), SHOWN])

    assert found == Present(SHOWN)
    assert world.clock.seconds == 0


def test_a_token_is_gone_when_two_lists_agree() -> None:
    """Some time apart."""
    memory = Memory(seen="2026-11-20T08:00:00Z")

    found, world = look([], memory=memory)

    assert found == Gone(datetime(2026, 11, 20, 8, tzinfo=UTC))
    assert world.clock.seconds >= 2


def test_a_token_that_a_list_forgets_for_a_moment_is_present() -> None:
    """The first list, and the one that looks for the owner, do not show it; the last one does."""
    found, _ = look([], [], [SHOWN])

    assert found == Present(SHOWN)


def test_a_list_that_proves_nothing_drops_no_token() -> None:
    """`{}` for example, which a broken server may answer, too."""
    assert look(KeyList([], proves_absence=False))[0] == NotProved()


def test_a_new_token_need_not_be_listed_yet() -> None:
    """For an hour."""
    fresh = Memory(made="2026-11-24T11:30:00Z")
    old = Memory(made="2026-11-24T11:00:00Z")

    assert look([], memory=fresh)[0] == NotListedYet("2026-11-24T11:30:00Z")
    assert look([], memory=old)[0] == Gone(None)


@pytest.mark.parametrize("shown", [[], [key("OTHER")], [key("T", user_id=COLLEAGUE)]])
def test_another_users_token_is_not_gone(shown: list[StorageKey]) -> None:
    """Its owner alone is shown it."""
    token = TOKEN.but(user_id=COLLEAGUE)

    with pytest.raises(ForeignToken) as caught:
        look(shown, token=token)

    assert caught.value.name == token.name
    assert caught.value.owner == COLLEAGUE
    assert caught.value.caller == ME


def test_a_token_listed_under_an_id_of_another_kind_can_be_gone() -> None:
    """What was learnt from our own key says that it was ours."""
    token = TOKEN.but(user_id="S3U_ABC")

    found, _ = look([], token=token, memory=Memory(caller=ME.id, owner="S3U_ABC"))

    assert found == Gone(None)


def test_without_proof_a_token_of_another_kind_of_user_stays() -> None:
    """It could be anybody's."""
    with pytest.raises(ForeignToken):
        look([], token=TOKEN.but(user_id="S3U_ABC"))


# -- Memory ----------------------------------------------------------------------------------------


def test_private_data_goes_there_and_back() -> None:
    """What is not ours, or no text, is left out."""
    private: dict[str, Any] = {"key": "K", "seen": "2026-11-20T08:00:00Z", "x": 1, "made": 5}

    memory = Memory.of(private)
    memory.keep(private)

    assert memory == Memory(key="K", seen="2026-11-20T08:00:00Z")
    assert private == {"key": "K", "seen": "2026-11-20T08:00:00Z"}


def test_of_a_new_token_is_remembered_which_one_it_is_when_it_was_made_and_by_whom() -> None:
    """Until a list shows it, nothing else can tell."""
    memory = Memory()

    memory.created(TOKEN, ME, NOW)

    assert memory == Memory(key="K", made="2026-11-24T12:00:00Z", caller=ME.id)


@pytest.mark.parametrize(
    ("token", "listed"),
    [
        (TOKEN, SHOWN),
        (TOKEN.but(alias=None), key("K")),
        (TOKEN.but(expires_at=HOURS), key("K", "ci", expire_at=HOURS)),
        (TOKEN.but(expires_at=HOURS), key("K", "ci", expire_at=ELSEWHERE)),
    ],
)
def test_what_is_listed_as_it_was_asked_for_is_not_written_down(
    token: Token, listed: StorageKey
) -> None:
    """Nor the owner, who is the caller; nor any more when it was made."""
    memory = Memory()
    memory.created(token, ME, NOW)

    shown = memory.first_seen(token, listed, NOW)

    assert (shown.alias, shown.expires_at) == (token.alias, token.expires_at)
    assert memory == Memory(key="K", seen="2026-11-24T12:00:00Z", caller=ME.id)


def test_what_was_not_asked_for_is_the_servers_and_no_drift() -> None:
    """The plan has promised nothing, and the next one must not replace it; a later change is."""
    token, memory = TOKEN.but(alias=None), Memory()
    memory.created(token, ME, NOW)
    listed = key("K", "server", expire_at=HOURS)

    first = memory.first_seen(token, listed, NOW)
    again = memory.seen_again(first, listed, NOW)
    changed = memory.seen_again(again, key("K", "laptop", expire_at=HOURS), NOW)

    assert (first.alias, first.expires_at) == (again.alias, again.expires_at) == (None, None)
    assert (changed.alias, changed.expires_at) == ("laptop", None)


@pytest.mark.parametrize(
    ("renew_before", "listed", "shown"),
    [
        (None, "2026-12-24T12:00:00Z", "2026-12-24T12:00:00Z"),
        ("10d", "2026-12-24T12:00:00Z", "2026-12-24T12:00:00Z"),
        # It would be renewed at once, and so would each that comes after it.
        ("40d", "2026-12-24T12:00:00Z", "2027-02-22T12:00:00Z"),
        (None, None, "2027-02-22T12:00:00Z"),
        # Nobody could tell when to renew it.
        ("10d", "2027-02-22T12:00:00+0000 UTC", "2027-02-22T12:00:00Z"),
    ],
)
def test_an_expiry_that_counts_from_the_creation_is_the_listed_one(
    renew_before: str | None, listed: str | None, shown: str
) -> None:
    """Where there is one that is of any use."""
    asked = "2027-02-22T12:00:00Z"
    token = TOKEN.but(expires_at=asked, expires_after="90d", renew_before=renew_before)
    memory = Memory()
    memory.created(token, ME, NOW)
    entry = key("K", "ci", expire_at=listed)

    first = memory.first_seen(token, entry, NOW)
    again = memory.seen_again(first, entry, NOW)

    assert (first.expires_at, again.expires_at) == (shown, shown)


def test_a_token_without_a_creation_time_has_that_of_this_machine() -> None:
    """By which a rotation counts, for good."""
    token, memory = Token(access_key_id="K", alias="ci", created_at=Unknown), Memory()  # type: ignore[arg-type]  # planned
    memory.created(token, ME, NOW)
    entry = key("K", "ci", created_at=None)

    first = memory.first_seen(token, entry, NOW + timedelta(seconds=5))
    again = memory.seen_again(first, entry, NOW + timedelta(days=5))

    assert first.created_at == again.created_at == "2026-11-24T12:00:00Z"


def test_of_an_imported_token_no_owner_is_remembered() -> None:
    """Nobody knows under which ID the caller made it, so nothing is learnt."""
    memory = Memory()

    memory.seen_again(TOKEN, key("K", "ci", user_id="S3U_ABC"), NOW)

    assert memory == Memory(key="K", seen="2026-11-24T12:00:00Z")


def test_a_form_of_the_alias_that_the_server_chooses_is_no_drift() -> None:
    """A later change is."""
    memory = Memory()
    token = TOKEN.but(alias=" CI ")
    memory.created(token, ME, NOW)

    first = memory.first_seen(token, key("K", "ci"), NOW)
    again = memory.seen_again(first, key("K", "ci"), NOW)
    changed = memory.seen_again(again, key("K", "laptop"), NOW)
    back = memory.seen_again(changed, key("K", "ci"), NOW)

    assert (first.alias, again.alias) == (" CI ", " CI ")
    assert (changed.alias, back.alias) == ("laptop", "ci")


def test_a_form_of_the_expiry_that_the_server_chooses_is_no_drift() -> None:
    """It rounds to the minute, for example; a later change is drift."""
    memory = Memory()
    token = TOKEN.but(expires_at="2027-01-31T12:00:07Z")
    memory.created(token, ME, NOW)
    rounded = key("K", "ci", expire_at="2027-01-31T12:00:00Z")

    first = memory.first_seen(token, rounded, NOW)
    again = memory.seen_again(first, rounded, NOW)
    changed = memory.seen_again(again, key("K", "ci", expire_at="2027-02-01T00:00:00Z"), NOW)

    assert first.expires_at == again.expires_at == "2027-01-31T12:00:07Z"
    assert changed.expires_at == "2027-02-01T00:00:00Z"


def test_a_token_first_listed_at_a_refresh_is_as_new() -> None:
    """The list lagged at its creation; then the first sighting counts."""
    memory = Memory()
    token = TOKEN.but(alias="CI")
    memory.created(token, ME, NOW)

    assert memory.seen_again(token, key("K", "ci"), NOW).alias == "CI"
    assert memory.made is None


def test_the_owner_under_another_id_is_remembered() -> None:
    """With whose token it is."""
    memory = Memory()
    memory.created(TOKEN, ME, NOW)

    memory.first_seen(TOKEN, key("K", "ci", user_id="S3U_ABC"), NOW)

    assert (memory.caller, memory.owner) == (ME.id, "S3U_ABC")


def test_the_last_sighting_is_written_down_once_a_day() -> None:
    """The state does not churn."""
    memory = Memory()

    stamps = []
    for hours in (0, 1, 23, 24, 30):
        memory.seen_again(TOKEN, SHOWN, NOW + timedelta(hours=hours))
        stamps.append(memory.seen)

    assert stamps == ["2026-11-24T12:00:00Z"] * 3 + ["2026-11-25T12:00:00Z"] * 2


def test_absence_is_looked_for_in_a_list_that_is_asked_for_anew() -> None:
    """The first one may be what somebody else has just read."""
    _, world = look([], [])

    # The one in between tells whose the token is, and is the same as the first.
    assert world.account.reads == [(False, False), (False, False), (True, False)]


@pytest.mark.parametrize(
    ("alias", "expiry", "shown", "again"),
    [
        ("CI", None, key("K", "ci"), key("K", "ci")),
        ("ci", None, key("K"), key("K", "")),
        ("ci", MINUTES, key("K", "ci", expire_at=HOURS), key("K", "ci", expire_at=HOURS)),
        ("ci", MINUTES, key("K", "ci", expire_at=HOURS), key("K", "ci", expire_at=ELSEWHERE)),
        ("ci", MINUTES, key("K", "ci"), key("K", "ci", expire_at="")),
        ("CI", MINUTES, key("K", "ci", expire_at=HOURS), key("K", "ci", expire_at=HOURS)),
    ],
)
def test_the_servers_form_of_an_argument_is_no_drift_until_it_changes(
    alias: str, expiry: str | None, shown: StorageKey, again: StorageKey
) -> None:
    """What the first list shows is its form of what was asked for; anything else is a change."""
    token, memory = Token(access_key_id="K", alias=alias, expires_at=expiry), Memory()
    memory.created(token, ME, NOW)
    changed = key("K", "other", expire_at="2028-01-01T00:00:00Z")

    for listed in (shown, again, again):
        token = memory.seen_again(token, listed, NOW)
        assert (token.alias, token.expires_at) == (alias, expiry)
    assert memory.key == "K"
    token = memory.seen_again(token, changed, NOW)

    assert (token.alias, token.expires_at) == ("other", "2028-01-01T00:00:00Z")
    # And back again is one more.
    token = memory.seen_again(token, shown, NOW)
    assert (token.alias or None, token.expires_at or None) == (shown.alias, shown.expire_at)
