"""Creating a token: which key is the new one, and what a lost answer means, with others present."""

from dataclasses import dataclass

import pytest

from crusoe_provider.api.errors import (
    ApiError,
    ConnectionFailed,
    PermissionDenied,
    RequestError,
    ServerError,
)
from crusoe_provider.api.models import NewStorageKey, StorageKey
from crusoe_provider.tokens.creation import Created, Creation, could_be_it
from crusoe_provider.tokens.errors import AnswerLost, NoSlotCameFree
from support.token_doubles import COLLEAGUE, ME, ORGANIZATION, Account, World, key

EXPIRY = "2027-01-31T12:00:00Z"


def creation(world: World) -> Creation:
    """Return what creates tokens in this world."""
    return Creation(
        world.account,  # type: ignore[arg-type]  # a double
        ORGANIZATION,
        quota=world.quota,
        ownership=world.ownership,
        stop=world.stop,
    )


def create(world: World, alias: str | None = "ci", expiry: str | None = None) -> Created:
    """Create a token."""
    return creation(world).create(alias=alias, expire_at=lambda: expiry, seconds=60.0)


def lose_answer(
    world: World,
    *appearing: StorageKey,
    cause: RequestError | None = None,
    expiry: str | None = None,
) -> AnswerLost:
    """Create a token whose answer is lost while these keys appear, and return the error."""

    def lost(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        world.account.listed = [*world.account.listed, *appearing]
        raise cause or ConnectionFailed("cut", method="POST", may_have_happened=True)

    world.account.on_create = lost
    with pytest.raises(AnswerLost) as caught:
        create(world, expiry=expiry)
    return caught.value


# -- Which key it is -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A key in the list after a POST for `alias="ci"`, and whether it can be the new one."""

    key: StorageKey
    expected: bool
    alias: str | None = "ci"
    expire_at: str | None = None


CASES = {
    "it is new and has the alias": Case(key("K", "ci"), True),
    "it was there before": Case(key("OLD", "ci"), False),
    "it has another alias": Case(key("K", "laptop"), False),
    "it has no alias": Case(key("K"), False),
    "neither has an alias": Case(key("K"), True, alias=None),
    "it should have no alias": Case(key("K", "ci"), False, alias=None),
    "the server trims aliases": Case(key("K", "ci"), True, alias=" ci "),
    "the server folds aliases": Case(key("K", "ci"), True, alias="CI"),
    "it has the expiry": Case(key("K", "ci", expire_at=EXPIRY), True, expire_at=EXPIRY),
    "it has the expiry in another spelling": Case(
        key("K", "ci", expire_at="2027-01-31T13:00:00+01:00"), True, expire_at=EXPIRY
    ),
    "it has another expiry": Case(
        key("K", "ci", expire_at="2027-01-31T12:00:01Z"), False, expire_at=EXPIRY
    ),
    "it never expires and should": Case(key("K", "ci"), False, expire_at=EXPIRY),
    "it expires and should not": Case(key("K", "ci", expire_at=EXPIRY), False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_which_key_a_creation_may_have_made(case: Case) -> None:
    """It is new, and as it was asked for."""
    found = could_be_it(
        [case.key], before=frozenset({"OLD"}), alias=case.alias, expire_at=case.expire_at
    )

    assert found == ([case.key] if case.expected else [])


# -- What was asked for ----------------------------------------------------------------------------


def test_the_key_is_made_as_it_was_asked_for() -> None:
    """And what comes of it says by whom, and until when."""
    world = World()
    asked: list[tuple[str | None, str | None]] = []

    def make(alias: str | None, expiry: str | None) -> NewStorageKey:
        asked.append((alias, expiry))
        return NewStorageKey("NEW", "secret")

    world.account.on_create = make

    created = create(world, "ci", EXPIRY)

    assert asked == [("ci", EXPIRY)]
    assert created == Created(NewStorageKey("NEW", "secret"), EXPIRY, ME)


def test_a_new_key_is_looked_for_among_the_others() -> None:
    """Some seconds long: the list may lag. Without it the token has no ID yet."""
    others, new = [key("OLD", "ci")], key("NEW", "ci")
    world = World(Account(listed=[*others, new], lists=[others, others]))

    assert creation(world).listed("NEW") == new
    assert world.clock.seconds == 1.5
    assert creation(world).token_id("NEW") == "uuid-NEW"
    assert creation(world).token_id("OTHER") is None
    world.account.lists = [ServerError("down", method="GET", status=500)]
    assert creation(world).token_id("NEW") is None


def test_what_has_reached_the_api_is_brought_to_its_end() -> None:
    """The list is read and the key is revoked even if Terraform asks to stop meanwhile."""
    world = World()
    new = key("NEW", "ci")
    world.account.lists = [[], [], []]

    lose_answer(world, new)

    # The first is that of the quota, from before.
    assert world.account.reads[1:] == [(False, True), (True, True), (True, True)]
    assert world.account.finished == ["NEW"]


# -- A lost answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "others",
    [
        [],
        [key("OLD", "ci")],
        [key("OLD", "laptop")],
        [key("THEIRS", "ci", user_id=COLLEAGUE), key("THEIRS2", "ci", user_id=COLLEAGUE)],
    ],
    ids=["nobody", "same alias, before", "another alias", "a colleague's"],
)
def test_the_key_whose_secret_was_lost_is_revoked(others: list[StorageKey]) -> None:
    """It, and no other: whose alias is the same, or who is made at the same time."""
    world = World(Account(listed=list(others)))

    lost = lose_answer(
        world, key("NEW", "ci"), key("COLLEAGUES", "ci", user_id=COLLEAGUE), key("OTHER", "x")
    )

    assert lost.revoked is not None
    assert lost.revoked.access_key_id == "NEW"
    assert world.account.deletions == ["NEW"]


def test_a_key_with_another_expiry_is_not_the_lost_one() -> None:
    """Whoever has made it at the same moment, with the same alias."""
    world = World()
    cause = ConnectionFailed("cut", method="POST", may_have_happened=True)

    lost = lose_answer(
        world,
        key("NEW", "ci", expire_at=EXPIRY),
        key("OTHER", "ci"),
        cause=cause,
        expiry=EXPIRY,
    )

    assert world.account.deletions == ["NEW"]
    assert (lost.cause, lost.expire_at) == (cause, EXPIRY)


def test_where_owners_cannot_be_told_apart_every_new_key_can_be_it() -> None:
    """So only one that is alone is revoked."""
    strangers = [key("A", "ci", user_id="S3U_A"), key("B", "x", user_id="S3U_B")]
    one, two = World(limit=0), World(limit=0)

    assert lose_answer(one, *strangers).revoked == strangers[0]
    lost = lose_answer(two, *strangers, key("C", "ci", user_id="S3U_C"))

    assert lost.candidates == [strangers[0], key("C", "ci", user_id="S3U_C")]
    assert two.account.deletions == []


@pytest.mark.parametrize(("revocable", "full"), [(True, False), (False, True)])
def test_a_key_that_stays_takes_a_slot_and_one_that_was_revoked_does_not(
    revocable: bool, full: bool
) -> None:
    """Also while the list shows neither."""
    world = World(Account(listed=[key("A")]))
    if not revocable:
        world.account.deletion_error = ServerError("no", method="DELETE", status=500)
    lose_answer(world, key("NEW", "ci"))
    world.account.listed = [key("A")]

    assert world.quota.is_full(fresh=True) is full


def test_of_two_keys_that_can_be_it_none_is_touched() -> None:
    """Somebody else made one with the same alias at the same moment."""
    world = World()

    lost = lose_answer(world, key("A", "ci"), key("B", "ci"))

    assert {k.access_key_id for k in lost.candidates or ()} == {"A", "B"}
    assert lost.revoked is None
    assert world.account.deletions == []


def test_a_key_of_a_sibling_of_this_apply_is_not_taken_for_the_lost_one() -> None:
    """Even with the same alias: it was made by this process."""
    world = World()
    create(world)
    world.account.listed = [key("NEW", "ci")]

    lost = lose_answer(world, key("SECOND", "ci"))

    assert world.account.deletions == ["SECOND"]
    assert lost.revoked is not None


@pytest.mark.parametrize(("limit", "full"), [(1, True), (2, False)])
def test_a_key_that_cannot_be_revoked_is_named(limit: int, full: bool) -> None:
    """The error says what is left, and the slot counts as taken, by one key."""
    world = World(limit=limit)
    world.account.deletion_error = ServerError("no", method="POST", status=500)

    lost = lose_answer(world, key("NEW", "ci"))

    assert lost.left is not None
    assert lost.left.access_key_id == "NEW"
    assert isinstance(lost.revoke_error, ServerError)
    assert lost.revoked is None
    assert world.quota.is_full() is full
    assert world.quota.is_full(fresh=True) is full


def test_a_list_that_cannot_be_read_proves_nothing() -> None:
    """Nothing is revoked, and the error says why it is not known."""
    world = World()
    world.account.lists = [[], ServerError("down", method="POST", status=500)]

    lost = lose_answer(world, key("NEW", "ci"))

    assert lost.candidates is None
    assert isinstance(lost.list_error, ServerError)
    assert world.account.deletions == []


def test_a_key_of_before_the_creation_is_not_taken_for_the_new_one() -> None:
    """Somebody has made it since the list was read that others have used."""
    world = World()
    world.account.keys(ORGANIZATION)
    rival = key("RIVAL", "ci")
    world.account.listed, world.account.cached = [rival], []

    lost = lose_answer(world)

    assert lost.candidates == []
    assert world.account.deletions == []


def test_a_late_key_is_looked_for_some_seconds() -> None:
    """The list lags: it is asked again."""
    world = World()
    shown = key("NEW", "ci")
    world.account.lists = [[], [], [], [shown]]

    lost = lose_answer(world, shown)

    assert lost.revoked == shown


def test_a_key_that_does_not_appear_is_not_said_not_to_exist() -> None:
    """A request that timed out may be carried out later."""
    world = World()

    lost = lose_answer(world)

    assert lost.candidates == []
    assert lost.list_error is None
    assert world.clock.seconds >= 7


def test_a_request_that_was_never_sent_is_no_lost_answer() -> None:
    """Nothing was created, so nothing is looked for."""
    world = World()

    def refuse(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        raise ConnectionFailed("no route", method="POST", may_have_happened=False)

    world.account.on_create = refuse

    with pytest.raises(ConnectionFailed):
        create(world)
    assert world.clock.seconds == 0


# -- Owners that cannot be told apart --------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 2])
def test_a_token_is_created_where_nobody_knows_whose_the_others_are(limit: int) -> None:
    """The plan has warned of it, and the API decides whether there is room."""
    theirs = [key("A", user_id="S3U_A"), key("B", "ci", user_id="S3U_B")]
    world = World(Account(listed=theirs), limit=limit)

    assert create(world).key.access_key_id == "NEW"


def test_a_refusal_where_nobody_knows_whose_the_others_are_is_final() -> None:
    """What it is for is in it, not who the others are."""
    theirs = [key("A", user_id="S3U_A"), key("B", user_id="S3U_B")]
    world = World(Account(listed=theirs))

    def refuse(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        raise ApiError("too many keys", method="POST", status=400)

    world.account.on_create = refuse

    with pytest.raises(ApiError, match="too many keys"):
        create(world)


def test_none_of_the_keys_of_before_is_taken_for_a_lost_one() -> None:
    """Whoever they are of."""
    theirs = [key("A", "ci", user_id="S3U_A"), key("B", user_id="S3U_B")]
    world = World(Account(listed=theirs))

    lost = lose_answer(world, key("NEW", "ci", user_id="S3U_C"))

    # Nor is the new one certainly the caller's.
    assert lost.candidates == [key("NEW", "ci", user_id="S3U_C")]
    assert world.account.deletions == []


def test_a_key_of_this_run_is_not_taken_for_a_lost_one_where_owners_are_unknown() -> None:
    """The list does not show it yet when the next one is made."""
    theirs = [key("A", user_id="S3U_A"), key("B", user_id="S3U_B")]
    world = World(Account(listed=theirs))
    assert create(world).key.access_key_id == "NEW"

    lost = lose_answer(world, key("NEW", "ci", user_id="S3U_C"))

    assert lost.candidates == []
    assert world.account.deletions == []


# -- Refusals --------------------------------------------------------------------------------------


def test_a_refusal_with_a_free_slot_is_final() -> None:
    """It is not for want of a slot."""
    world = World()

    def refuse(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        raise ApiError("bad alias", method="POST", status=400)

    world.account.on_create = refuse

    with pytest.raises(ApiError, match="bad alias"):
        create(world)
    assert world.account.creations == 1


def test_a_refusal_for_want_of_a_slot_waits_for_one() -> None:
    """Another process was faster; then its key goes, and the creation is tried again."""
    world = World(Account(listed=[key("A")]))
    rival = key("RIVAL")

    def refuse_once(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        if world.account.creations == 1:
            world.account.listed = [key("A"), rival]
            raise ApiError("too many keys", method="POST", status=400)
        return NewStorageKey("NEW", "secret")

    def rival_goes(seconds: float) -> None:
        if seconds > 5:
            world.account.listed = [key("A")]

    world.account.on_create = refuse_once
    world.clock.on_wait = rival_goes
    world.terraform.planning = False

    create(world)

    assert world.account.creations == 2


@pytest.mark.parametrize("made_here", [False, True])
def test_a_refusal_beside_a_deletion_that_has_not_come_through_waits_for_it(
    made_here: bool,
) -> None:
    """The API still counts the key that this process has deleted, as its list shows."""
    world = World(Account(listed=[key("A"), key("B")]))
    if made_here:
        with world.quota.reserve(0) as slot:
            slot.take("A")
    world.quota.is_full()
    world.quota.release("A")

    def refuse_while_full(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        if len(world.account.listed) == 2:
            raise ApiError("too many keys", method="POST", status=400)
        return NewStorageKey("NEW", "secret")

    def deletion_comes_through(seconds: float) -> None:
        if seconds > 5:
            world.account.listed = [key("B")]

    world.account.on_create = refuse_while_full
    world.clock.on_wait = deletion_comes_through
    world.terraform.planning = False

    create(world)

    assert world.account.creations == 2


@pytest.mark.parametrize("operations", [1, 10])
def test_a_refusal_beside_a_deletion_that_does_not_come_through_is_told(operations: int) -> None:
    """It may be for quite another reason, which only the API knows."""
    world = World(Account(listed=[key("A"), key("B")]))
    world.terraform.planning, world.terraform.operations = False, operations
    world.quota.is_full()
    world.quota.release("A")

    def refuse(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        raise ApiError("expire_at is too far away", method="POST", status=400)

    world.account.on_create = refuse

    with pytest.raises(ApiError, match="too far away"):
        create(world)
    assert world.account.creations == 1


def test_no_permission_is_not_taken_for_a_full_quota() -> None:
    """Only a plain refusal can be one."""
    world = World(Account(listed=[key("A"), key("B")]), limit=3)

    def refuse(_alias: str | None, _expiry: str | None) -> NewStorageKey:
        world.account.listed = [*world.account.listed, key("C")]
        raise PermissionDenied("no", method="POST", status=403)

    world.account.on_create = refuse

    with pytest.raises(PermissionDenied):
        create(world)


def test_the_expiry_counts_from_the_post() -> None:
    """Not from before the wait for a slot, which may be longer than a short life."""
    world = World(Account(listed=[key("A"), key("B")]))
    world.terraform.planning = False

    def b_goes(seconds: float) -> None:
        if seconds > 30:
            world.account.listed = [key("A")]

    world.clock.on_wait = b_goes
    asked_at: list[float] = []

    def expiry() -> None:
        asked_at.append(world.clock.seconds)

    creation(world).create(alias=None, expire_at=expiry, seconds=60.0, patient=True)

    assert asked_at[0] > 30


# -- Waiting for a slot ----------------------------------------------------------------------------


def test_a_creation_gives_up_after_its_time() -> None:
    """Both slots stay taken."""
    world = World(Account(listed=[key("A"), key("B")]))
    world.terraform.planning = False

    with pytest.raises(NoSlotCameFree) as caught:
        creation(world).create(alias=None, expire_at=lambda: None, seconds=60.0, patient=True)

    assert 60 <= caught.value.waited < 65
    assert not caught.value.idle
    assert world.account.creations == 0


def test_nothing_that_could_free_a_slot_ends_the_wait_early() -> None:
    """With create_before_destroy, say, the old token's slot comes free only afterwards."""
    world = World(Account(listed=[key("A"), key("B")]))
    world.terraform.planning = False

    with pytest.raises(NoSlotCameFree) as caught:
        creation(world).create(alias=None, expire_at=lambda: None, seconds=120.0)

    assert caught.value.idle
    assert caught.value.waited < 20


def test_a_deletion_under_way_is_waited_for() -> None:
    """It takes its time; nothing is idle meanwhile."""
    world = World(Account(listed=[key("A"), key("B")]))
    world.terraform.planning = False

    def a_goes(seconds: float) -> None:
        if seconds > 50:
            world.quota.release("A")

    world.clock.on_wait = a_goes
    with world.calls.call(), world.calls.call():
        creation(world).create(alias=None, expire_at=lambda: None, seconds=120.0)

    assert world.account.creations == 1


def test_room_is_made_where_there_is_none_before_anything_is_waited_for() -> None:
    """As often as it takes; a rotating token revokes its own previous key."""
    world = World(Account(listed=[key("A"), key("B"), key("C")]))
    world.terraform.planning = False
    going = ["B", "C"]

    def make_room() -> bool:
        name = going.pop()
        world.account.listed = [k for k in world.account.listed if k.access_key_id != name]
        world.quota.release(name)
        return True

    creation(world).create(alias=None, expire_at=lambda: None, seconds=60.0, make_room=make_room)

    assert going == []
    assert world.account.creations == 1
    assert world.clock.seconds == 0
