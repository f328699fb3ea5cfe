"""What one user's session does with keys and with secrets: revokes, lends, and gives them away."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from crusoe_provider.api.errors import (
    ConnectionFailed,
    Interrupted,
    NotDeleted,
    PermissionDenied,
    ServerError,
)
from crusoe_provider.api.models import KeyList, NewStorageKey, StorageKey
from crusoe_provider.tokens.errors import (
    AnswerLost,
    ForeignToken,
    NoSlotCameFree,
    NotKnownYet,
    PlanExceedsQuota,
    SecretClaimed,
)
from crusoe_provider.tokens.presence import Gone, Memory, NotListedYet
from crusoe_provider.tokens.session import Importer, Once, Session
from crusoe_provider.tokens.tally import Tallies
from crusoe_provider.tokens.token import Token
from support.token_doubles import (
    COLLEAGUE,
    ME,
    ORGANIZATION,
    Account,
    Clock,
    Stop,
    Terraform,
    WaitingCalls,
    key,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECRET = "c2VjcmV0"
# The ID of a user as lists may have it: of another kind than that of a caller.
LISTED_AS = "S3U_ABC"
NOT_CONFIRMED = NotDeleted("The list still shows the key.")


@dataclass
class Place:
    """One user's session with an account whose API is a list, and with waits that take no time."""

    account: Account = field(default_factory=Account)
    terraform: Terraform = field(default_factory=Terraform)
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.stop = Stop(self.clock)
        self.calls = WaitingCalls(self.clock, self.stop)
        self.session = Session(
            account=self.account,  # type: ignore[arg-type]  # a double
            credentials="the environment",
            now=lambda: NOW,
            stop=self.stop,
            calls=self.calls,
            terraform=self.terraform,
            **{"key_limit": 1} | self.more,
        )


# -- Revoking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("listed", "there"), [(["A", "B"], True), (["B"], False)])
def test_a_revocation_says_whether_the_key_was_there(listed: list[str], there: bool) -> None:
    """And revokes that key alone."""
    place = Place(Account([key(name) for name in listed]))

    assert place.session.revoke(ORGANIZATION, "A") is there

    assert place.account.deletions == ["A"]
    assert place.account.listed == [key("B")]


@pytest.mark.parametrize("finish", [True, False])
def test_a_revocation_outlasts_a_stop_only_where_it_is_to(finish: bool) -> None:
    """A key that is nobody's goes all the same; one that a state has is left for the next run."""
    place = Place(Account([key("A")]))

    place.session.revoke(ORGANIZATION, "A", finish=finish)

    assert place.account.finished == (["A"] if finish else [])


def test_without_a_word_a_revocation_ends_with_a_stop() -> None:
    """Nothing new is begun then."""
    place = Place(Account([key("A")]))

    place.session.revoke(ORGANIZATION, "A")

    assert place.account.finished == []


def test_a_revocation_gives_the_slot_back() -> None:
    """At once, not with the next list: a creation waits for it."""
    place = Place(Account([key("A")]))
    quota = place.session.quota(ORGANIZATION)
    assert quota.is_full()

    place.session.revoke(ORGANIZATION, "A")

    assert not quota.is_full()
    assert len(place.account.reads) == 1


@pytest.mark.parametrize("listed", [[key("K"), key("B")], [key("B")]])
def test_a_token_of_a_state_is_revoked_or_gone_already(listed: list[Any]) -> None:
    """Either is success, and no other key is touched."""
    place = Place(Account(listed))

    place.session.revoke_own(ORGANIZATION, Token(access_key_id="K", user_id=ME.id))

    assert place.account.deletions == ["K"]
    assert place.account.listed == [key("B")]


@pytest.mark.parametrize("error", [None, NOT_CONFIRMED])
def test_another_users_token_is_not_taken_for_a_revoked_one(error: Exception | None) -> None:
    """To its owner it is still there, and the state would forget it."""
    place = Place(Account(deletion_error=error))
    token = Token(access_key_id="K", alias="ci", user_id=COLLEAGUE)

    with pytest.raises(ForeignToken) as caught:
        place.session.revoke_own(ORGANIZATION, token, Memory())

    assert (caught.value.owner, caught.value.caller) == (COLLEAGUE, ME)
    assert caught.value.name == 'Storage token with alias "ci" (access key ID K)'


def test_a_deletion_that_is_not_confirmed_is_an_error_for_the_owner() -> None:
    """The key may still be there, so the state keeps it."""
    place = Place(Account([key("K")], deletion_error=NOT_CONFIRMED))

    with pytest.raises(NotDeleted):
        place.session.revoke_own(ORGANIZATION, Token(access_key_id="K", user_id=ME.id))


def test_a_token_that_was_there_is_not_asked_about() -> None:
    """Only its owner can have deleted it."""
    place = Place(Account([key("K")]))

    place.session.revoke_own(ORGANIZATION, Token(access_key_id="K", user_id=COLLEAGUE))

    assert place.account.reads == []


def test_what_is_remembered_of_a_token_says_that_it_was_the_callers() -> None:
    """Its ID in the list alone could be anybody's; then it is not gone for certain."""
    token = Token(access_key_id="K", user_id=LISTED_AS)
    memory = Memory(caller=ME.id, owner=LISTED_AS)

    Place().session.revoke_own(ORGANIZATION, token, memory)
    with pytest.raises(NotDeleted):
        Place(Account(deletion_error=NOT_CONFIRMED)).session.revoke_own(ORGANIZATION, token, memory)
    with pytest.raises(ForeignToken):
        Place().session.revoke_own(ORGANIZATION, token)


# -- Ephemeral tokens ------------------------------------------------------------------------------


def test_ephemeral_tokens_are_remembered_until_they_are_revoked() -> None:
    """Terraform may be killed before it closes them, and no state has them."""
    place = Place(Account([key("A"), key("B")]))
    for name in "AB":
        place.session.borrow(ORGANIZATION, name)
    copy = place.session.borrowed()
    assert copy == {"A": ORGANIZATION, "B": ORGANIZATION}

    place.session.revoke(ORGANIZATION, "A")

    assert place.session.borrowed() == {"B": ORGANIZATION}
    assert len(copy) == 2


def test_an_ephemeral_token_that_could_not_be_revoked_stays_remembered() -> None:
    """It is tried again when the run ends."""
    place = Place(Account([key("A")], deletion_error=NOT_CONFIRMED))
    place.session.borrow(ORGANIZATION, "A")

    with pytest.raises(NotDeleted):
        place.session.revoke(ORGANIZATION, "A")

    assert place.session.borrowed() == {"A": ORGANIZATION}


def test_the_quota_knows_which_keys_are_borrowed() -> None:
    """What says that there is no room offers none of them for deletion, and counts them."""
    place = Place(Account([key("A"), key("B")]))
    for name in "AB":
        place.session.borrow(ORGANIZATION, name)
    place.session.revoke(ORGANIZATION, "A")

    with pytest.raises(PlanExceedsQuota) as caught:
        place.session.quota(ORGANIZATION).plan_creation()

    assert caught.value.shortage.borrowed == {"B"}


# -- The secret of an import -----------------------------------------------------------------------


def test_the_first_imported_token_gets_the_secret() -> None:
    """As often as it asks: in the import, in the plan and in the apply."""
    session = Place(more={"import_secret": SECRET}).session

    assert [session.claim_import_secret("A") for _ in range(2)] == [SECRET, SECRET]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (None, None, ("A", "B")),
        ("uuid-a", "uuid-b", ("uuid-a", "uuid-b")),
        ("uuid-a", None, ("uuid-a", "B")),
    ],
)
def test_a_second_imported_token_does_not_get_the_secret(
    first: str | None, second: str | None, told: tuple[str, str]
) -> None:
    """It belongs to one key; the message calls both as the user does."""
    session = Place(more={"import_secret": SECRET}).session
    session.claim_import_secret("A", first)

    with pytest.raises(SecretClaimed) as caught:
        session.claim_import_secret("B", second)

    assert (caught.value.first, caught.value.second) == told
    assert session.claim_import_secret("A", "whatever it is called now") == SECRET


def test_the_secret_goes_to_one_token_of_all_users() -> None:
    """The environment has one, and each user has a session."""
    shared = {"import_secret": SECRET, "importer": Importer()}
    Place(more=shared).session.claim_import_secret("A")

    with pytest.raises(SecretClaimed):
        Place(more=shared).session.claim_import_secret("B")


def test_without_a_secret_any_number_of_tokens_is_imported() -> None:
    """There is nothing to give to the wrong one."""
    session = Place().session

    assert [session.claim_import_secret(name) for name in "AB"] == [None, None]


def test_a_secret_that_waits_for_the_apply_does_so_for_its_token() -> None:
    """Any other one with no secret in the state has none to come."""
    session = Place().session
    session.await_secret("A")

    assert session.awaits_secret("A")
    assert not session.awaits_secret("B")


# -- What it hands on ------------------------------------------------------------------------------


def test_a_warning_that_is_given_once_is_given_for_each_topic() -> None:
    """The second one says nothing new."""
    once = Once()

    assert [once("a"), once("a"), once("b"), once("a"), once("b")] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_warnings_are_given_once_for_each_user() -> None:
    """What one of them is told is not about the other."""
    assert Place().session.warn_once("gap")
    assert Place().session.warn_once("gap")


@pytest.mark.parametrize(
    ("given", "known", "found"),
    [("o", True, "o"), ("o", False, "o"), (None, True, ORGANIZATION), ("", True, ORGANIZATION)],
)
def test_the_organization_is_the_one_that_is_named_or_the_only_one(
    given: str | None, known: bool, found: str
) -> None:
    """What an element says itself goes before the provider block."""
    session = Place(more={"organization_known": known}).session

    assert session.organization_id(given) == found


def test_an_organization_that_does_not_exist_yet_is_said_to_be_what_is_missing() -> None:
    """The message is about it, and not about the credentials."""
    with pytest.raises(NotKnownYet) as caught:
        Place(more={"organization_known": False}).session.organization_id(None)

    assert caught.value.what == "organization_id"


def test_a_new_token_need_not_be_listed_and_an_old_one_is_looked_for_twice() -> None:
    """By the clock of the session, and with waits that a stop ends."""
    place = Place()
    token = Token(access_key_id="K", user_id=ME.id)
    presence = place.session.presence(ORGANIZATION)

    made = "2026-11-24T11:30:00Z"
    assert presence.of(token, Memory(made=made)) == NotListedYet(made)
    assert presence.of(token, Memory(made="2026-11-23T11:30:00Z")) == Gone(None)
    assert place.clock.seconds >= 2


def test_a_key_whose_answer_was_lost_is_known_by_what_was_learnt_of_its_owner() -> None:
    """And revoked; of two users the list may show keys that are made at the same time."""
    account = Account()
    place = Place(account)

    def lose(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        account.listed = [key("MINE", user_id=LISTED_AS), key("THEIRS", user_id="S3U_XYZ")]
        raise ConnectionFailed("The connection was cut.", may_have_happened=True)

    account.on_create = lose
    place.session.ownership.learn(ME.id, LISTED_AS)

    with pytest.raises(AnswerLost) as caught:
        place.session.creation(ORGANIZATION).create(alias=None, expire_at=lambda: None, seconds=60)

    assert caught.value.revoked == key("MINE", user_id=LISTED_AS)
    assert account.deletions == ["MINE"]


def test_a_creation_without_a_slot_gives_up_when_a_stop_is_asked_for() -> None:
    """It is not told that none came free, and has sent nothing."""
    place = Place(Account([key("A")]), Terraform(planning=False))
    place.stop.set()

    with (
        pytest.raises(Interrupted),
        place.session.quota(ORGANIZATION).reserve(60, patient=True) as slot,
    ):
        slot.wait()


def test_a_creation_without_a_slot_does_not_wait_for_the_slow_call_of_another_user() -> None:
    """That one frees no slot of this user."""
    place = Place(Account([key("A")]), Terraform(planning=False))
    place.calls.begin_elsewhere(object())

    with (
        place.calls.call(),
        pytest.raises(NoSlotCameFree) as caught,
        place.session.quota(ORGANIZATION).reserve(5) as slot,
    ):
        slot.wait()

    assert caught.value.idle


@pytest.mark.parametrize(("origins", "shared"), [("aa", True), ("ab", False)])
def test_a_user_has_as_many_keys_at_each_of_two_apis(origins: str, shared: bool) -> None:
    """Also where both call the user the same; at one API two sessions have one quota."""
    tallies = Tallies()
    one, two = (
        Place(more={"origin": f"https://{name}.example", "tallies": tallies}).session
        for name in origins
    )
    one.quota(ORGANIZATION).plan_creation()

    if shared:
        with pytest.raises(PlanExceedsQuota):
            two.quota(ORGANIZATION).plan_creation()
    else:
        assert two.quota(ORGANIZATION).plan_creation()


def test_a_quota_is_one_for_each_organization() -> None:
    """What is counted of it would be lost with a new one."""
    session = Place().session

    assert session.quota("a") is session.quota("a")
    assert session.quota("a") is not session.quota("b")


# -- Where a token is ------------------------------------------------------------------------------


class TwoOrganizations(Account):
    """An account whose user is in two organizations, each with a list or an error."""

    lists_of: dict[str, list[StorageKey] | Exception]

    def organizations(self) -> list[str]:
        return [*self.lists_of]

    def keys(self, organization_id: str, **_options: Any) -> KeyList:
        answer = self.lists_of[organization_id]
        if isinstance(answer, Exception):
            raise answer
        return KeyList(answer)


DENIED = PermissionDenied("no Object Storage", method="GET", status=403)
BROKEN = ServerError("down", method="GET", status=500)


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        ([key("K")], BROKEN, ORGANIZATION),
        ([], [key("K")], "other"),
        (DENIED, [key("K")], "other"),
        # Nothing is to be had there, so it is none of ours.
        ([], DENIED, ORGANIZATION),
        (DENIED, DENIED, ORGANIZATION),
        ([], [], ORGANIZATION),
    ],
)
def test_a_token_is_looked_for_in_the_organizations_that_can_have_it(
    here: list[StorageKey] | Exception, there: list[StorageKey] | Exception, found: str
) -> None:
    """In the default one first, which it is if none has it."""
    account = TwoOrganizations()
    account.lists_of = {ORGANIZATION: here, "other": there}

    assert Place(account).session.whereabouts(None, "K") == found


def test_a_list_that_is_out_of_order_says_nothing_of_a_token() -> None:
    """It may be there."""
    account = TwoOrganizations()
    account.lists_of = {ORGANIZATION: [], "other": BROKEN}
    session = Place(account).session

    with pytest.raises(ServerError):
        session.whereabouts(None, "K")
