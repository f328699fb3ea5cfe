"""No message has a word of Python in it: None, True, or the quotes of a repr."""

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from crusoe_provider.api import errors as api
from crusoe_provider.api.models import Identity, StorageKey
from crusoe_provider.provider.diagnostics import Failure, diagnose
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.tokens.durations import format_duration
from crusoe_provider.tokens.errors import (
    AnswerLost,
    ForeignToken,
    InvalidToken,
    NoRoomToOpen,
    NoSlotCameFree,
    NotKnownYet,
    OwnerUnknown,
    PlanExceedsQuota,
    SecretClaimed,
    Shortage,
)
from crusoe_provider.tokens.quota_count import Verdict
from crusoe_provider.tokens.token import Token

BARE = StorageKey(access_key_id="CKIABARE")
FULL = StorageKey(
    key_uuid="9a12bdf5-14c5-4c71-95a2-62c7089c4598",
    user_id="3c1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f10",
    access_key_id="CKIAFULL",
    status="enabled",
    created_at="2026-01-01T00:00:00Z",
    alias="ci",
    expire_at="2040-01-01T00:00:00Z",
)
CALLERS = (Identity("3c1f", None), Identity("3c1f", "dev@acme.example"))
CAUSE = api.ConnectionFailed("The connection was cut.", may_have_happened=True)
PYTHON = re.compile(r"\b(None|True|False|NoneType|Unknown|frozenset|datetime)\b|\w+\(\)|='|: '|\['")


def shortages() -> Iterator[Shortage]:
    for keys, known, opening in itertools.product(
        ((), (BARE,), (BARE, FULL)), (False, True), (0, 1, 3)
    ):
        names = frozenset(key.access_key_id for key in keys)
        yield Shortage(
            limit=2,
            keys=keys,
            seen=names & {"CKIAFULL"},
            borrowed=frozenset(),
            verdict=Verdict(2, names, names, frozenset(), 1),
            opening=opening,
            unmanaged_known=known,
        )


def lost() -> Iterator[AnswerLost]:
    kinds: tuple[dict[str, Any], ...] = ({}, {"ephemeral": True}, {"rotating": True})
    for kind, key, expiry in itertools.product(kinds, (BARE, FULL), (None, "2040")):
        for found in (
            {"candidates": None, "list_error": CAUSE},
            {"candidates": ()},
            {"candidates": (key, FULL)},
            {"candidates": (key,), "revoked": key},
            {"candidates": (key,), "left": key, "revoke_error": CAUSE},
        ):
            yield AnswerLost(CAUSE, expire_at=expiry, **kind, **found)


def problems() -> Iterator[Exception]:
    """Yield every kind of error that is told, with and without what may be missing."""
    yield from lost()
    for shortage in shortages():
        yield PlanExceedsQuota(shortage)
        rotation = PlanExceedsQuota(shortage)
        rotation.rotating = True
        yield rotation
        yield NoRoomToOpen(shortage)
        for blocked, idle in ((False, False), (True, False), (False, True)):
            yield NoSlotCameFree(shortage, waited=1.5, blocked=blocked, idle=idle)
    for caller in CALLERS:
        yield ForeignToken(Token.of_key(BARE).name, "S3U_1", caller)
        yield OwnerUnknown(["S3U_1", "S3U_2"], caller)
    yield from (NotKnownYet("credentials"), NotKnownYet("organization_id"), InvalidToken())
    yield SecretClaimed("a", "b")
    yield Failure("Storage token not read", CAUSE)


def told(error: Exception) -> Diagnosis:
    found = diagnose(error, credentials="the environment")
    assert found is not None, error
    return found


@pytest.mark.parametrize("error", list(problems()), ids=lambda error: type(error).__name__)
def test_no_word_of_python_is_in_a_message(error: Exception) -> None:
    """Whatever is missing."""
    diagnosis = told(error)

    assert not PYTHON.search(diagnosis.summary + "\n" + diagnosis.detail), diagnosis.detail


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ForeignToken(Token.of_key(FULL).name, "7d1f", CALLERS[1]),
            (
                'Storage token with alias "ci" (',
                "belongs to user 7d1f,",
                "in use (the environment) are those of user 3c1f (dev@acme.example)",
            ),
        ),
        (SecretClaimed("first", "second"), ("in this run: first and second.",)),
        (
            OwnerUnknown(["S3U_1", "S3U_2"], CALLERS[0]),
            ("of several users (S3U_1, S3U_2),", "credentials are in use (3c1f)"),
        ),
        (NotKnownYet("credentials"), ("takes its settings from a resource",)),
        (NotKnownYet("organization_id"), ("takes organization_id from a resource",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_message_says_whose_and_which(error: Exception, words: tuple[str, ...]) -> None:
    """What belongs to whom, by IDs that are not mixed up."""
    detail = told(error).detail

    assert [text for text in words if text not in detail] == []


@pytest.mark.parametrize(
    ("blocked", "idle", "reason"),
    [
        (False, False, "raise the time limit"),
        (True, False, "This creation makes way for it."),
        (False, True, "Nothing else was under way in this apply"),
    ],
)
def test_a_creation_that_got_no_slot_says_how_long_it_has_waited_and_why_no_longer(
    blocked: bool, idle: bool, reason: str
) -> None:
    """What to do about it depends on that."""
    shortage = next(shortages())

    detail = told(NoSlotCameFree(shortage, waited=89.6, blocked=blocked, idle=idle)).detail

    assert "No slot came free within 1m30s," in detail
    assert reason in detail


def test_names_of_tokens_have_no_word_of_python() -> None:
    """A state may lack all but the access key ID."""
    for key in (BARE, FULL):
        assert not PYTHON.search(Token.of_key(key).name)
    assert not PYTHON.search(format_duration(datetime.now(UTC) - datetime.now(UTC)))


@pytest.mark.parametrize("error", list(problems()), ids=lambda error: type(error).__name__)
def test_only_what_cannot_be_managed_here_is_offered_for_deletion(error: Exception) -> None:
    """No command that deletes, and no import, where it is not known what this state manages."""
    shortage = getattr(error, "shortage", None)
    if shortage is None or (shortage.unmanaged_known and not isinstance(error, NoSlotCameFree)):
        return
    detail = told(error).detail

    assert "crusoe storage tokens delete" not in detail
    assert "import {" not in detail


@pytest.mark.parametrize(("method", "advised"), [("GET", True), ("DELETE", True), ("POST", False)])
def test_more_retries_are_advised_only_where_there_are_any(method: str, advised: bool) -> None:
    """A creation is never sent again."""
    busy = api.RateLimited("Too many requests.", method=method, status=429)

    detail = told(Failure("Storage tokens not listed", busy)).detail

    assert ("max_retries" in detail) is advised
