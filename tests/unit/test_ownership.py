"""Whose a key is."""

import pytest

from crusoe_provider.api.models import Identity
from crusoe_provider.tokens.errors import OwnerUnknown
from crusoe_provider.tokens.ownership import Ownership
from support.token_doubles import COLLEAGUE, ME, key

S3, OTHER_S3 = "S3U_ABC", "S3U_XYZ"


def test_keys_under_the_callers_id_are_the_callers() -> None:
    """And those of a colleague are not."""
    mine, theirs = key("A"), key("B", user_id=COLLEAGUE)

    assert Ownership().mine([mine, theirs], ME) == [mine]


def test_the_case_of_a_uuid_means_nothing() -> None:
    """One service may write it in capitals."""
    mine = key("A", user_id=ME.id.upper())

    assert Ownership().mine([mine, key("B", user_id=COLLEAGUE)], ME) == [mine]
    assert not Ownership().is_foreign(ME.id.upper(), [], ME)


def test_a_list_of_a_colleague_alone_has_none_of_the_callers() -> None:
    """IDs of one kind can be compared."""
    assert Ownership().mine([key("B", user_id=COLLEAGUE)], ME) == []


def test_a_list_of_one_user_of_another_kind_is_the_callers() -> None:
    """Keys are shown to their owner only."""
    keys = [key("A", user_id=S3), key("B", user_id=S3)]

    assert Ownership().mine(keys, ME) == keys


def test_several_users_of_another_kind_cannot_be_told_apart() -> None:
    """Nothing is guessed."""
    with pytest.raises(OwnerUnknown) as caught:
        Ownership().mine([key("A", user_id=S3), key("B", user_id=OTHER_S3)], ME)

    assert caught.value.users == (S3, OTHER_S3)


def test_what_was_learnt_goes_before_the_comparison_of_ids() -> None:
    """A key that we have made is listed under that ID, so it is ours there."""
    ownership = Ownership()
    ownership.learn(ME.id, S3)
    mine, theirs = key("A", user_id=S3), key("B", user_id=OTHER_S3)

    assert ownership.mine([mine, theirs], ME) == [mine]


@pytest.mark.parametrize(
    ("caller", "listed", "comparable"),
    [
        ("usr_ABC", "usr_XYZ", True),
        ("usr_ABC", S3, False),
        ("usr_ABC", COLLEAGUE, False),
        ("abc", "xyz", True),
        ("abc", S3, False),
        ("abc", COLLEAGUE, False),
    ],
)
def test_ids_of_one_kind_begin_alike(caller: str, listed: str, comparable: bool) -> None:
    """Where they can be compared the key is somebody else's; else it may be the caller's."""
    keys = [key("A", user_id=listed)]

    assert Ownership().mine(keys, Identity(caller, None)) == ([] if comparable else keys)


@pytest.mark.parametrize(
    ("owner", "listed", "learnt", "foreign"),
    [
        (None, [], None, False),
        (ME.id, [], None, False),
        (COLLEAGUE, [], None, True),
        (COLLEAGUE, [COLLEAGUE], None, True),
        (S3, [], S3, False),
        (S3, [OTHER_S3], S3, False),
        (S3, [S3], None, False),
        (S3, [OTHER_S3], None, True),
        (S3, [], None, True),
        (S3, [S3, OTHER_S3], None, True),
        (OTHER_S3, [S3], S3, True),
    ],
)
def test_whether_a_token_is_foreign(
    owner: str | None, listed: list[str], learnt: str | None, foreign: bool
) -> None:
    """Where nothing proves that it is the caller's, it may be somebody else's."""
    ownership = Ownership()
    ownership.learn(ME.id, learnt)
    keys = [key(f"K{i}", user_id=user) for i, user in enumerate(listed)]

    assert ownership.is_foreign(owner, keys, ME) is foreign


def test_what_another_caller_has_learnt_does_not_count() -> None:
    """The private data of a token may come from a run with other credentials."""
    ownership = Ownership()
    ownership.learn(COLLEAGUE, S3)

    assert ownership.is_foreign(S3, [], ME)
