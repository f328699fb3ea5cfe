"""What the API says, read strictly where it is acted upon and leniently where it is shown."""

import cProfile
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from crusoe_provider.api import documents, errors
from crusoe_provider.api.documents import NotAsDocumentedError
from support.api_fixtures import KEY, FakeApi, answer

ORG = "ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab"
NEW = {"access_key_id": "CKIA1", "secret_key": "SK-the-new-secret"}
JSON_TYPE = {"Content-Type": "application/json"}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


# -- Lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [{"items": []}, {"items": None}, {"items": [], "total": 0}])
def test_an_empty_list_proves_that_there_is_nothing(document: object) -> None:
    """Null is how Go writes an empty slice."""
    found = documents.key_list(encoded(document))

    assert (found, found.keys, found.proves_absence) == ((), (), True)


@pytest.mark.parametrize("document", [{}, {"next_page_token": ""}, {"next_page_token": None}])
def test_an_empty_object_is_an_empty_list_that_proves_nothing(document: object) -> None:
    """It is how protobuf's JSON writes an empty list, and what a broken server writes, too."""
    found = documents.key_list(encoded(document))

    assert (found, found.proves_absence) == ((), False)


def test_of_a_listed_key_only_its_access_key_id_is_needed() -> None:
    """What is merely shown may be missing."""
    (key,) = documents.key_list(encoded({"items": [{"access_key_id": "CKIA1"}]}))

    assert key.access_key_id == "CKIA1"
    assert {getattr(key, name) for name in key.__struct_fields__} == {"CKIA1", None}


@pytest.mark.parametrize("field", ["key_uuid", "user_id", "status", "created_at", "expire_at"])
@pytest.mark.parametrize("value", [5, True, [], {"a": 1}, "", "a\x1b[31mb", "a\nb", "x" * 20_000])
def test_a_field_of_an_unexpected_kind_is_taken_as_missing(
    field: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """With a line in the log that names it, and no more."""
    caplog.set_level(logging.DEBUG)
    found = documents.key_list(encoded({"items": [KEY | {field: value}]}))

    assert getattr(found[0], field) is None
    assert found.proves_absence
    if value != "":
        assert f"items[0].{field}" in caplog.text
    assert "31m" not in caplog.text


@pytest.mark.parametrize("alias", ["ünï", "👩‍🚀", "::error::x", " two  blanks ", "\x1b[31m"])
def test_an_alias_is_kept_as_it_is_stored(alias: str) -> None:
    """It is compared with the configuration; whoever shows it cleans it."""
    (key,) = documents.key_list(encoded({"items": [KEY | {"alias": alias}]}))

    assert key.alias == alias


@pytest.mark.parametrize(("length", "kept"), [(9_998, True), (9_999, False)])
def test_an_alias_beyond_measure_is_taken_as_missing(length: int, kept: bool) -> None:
    """10,000 bytes with its quotes are enough; each key of the list would be held in memory."""
    alias = "x" * length

    (key,) = documents.key_list(encoded({"items": [KEY | {"alias": alias}]}))

    assert key.alias == (alias if kept else None)


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 5, "x", [], {}),
        *({"access_key_id": None}, {"access_key_id": 5}, {"access_key_id": ""}),
        *({"access_key_id": "a\nb"}, {"access_key_id": "\u202e"}, {"access_key_id": []}),
    ],
)
def test_an_entry_that_may_be_any_key_takes_the_proof_away(entry: object) -> None:
    """The others are there all the same."""
    found = documents.key_list(encoded({"items": [entry, KEY]}))

    assert [key.access_key_id for key in found] == [KEY["access_key_id"]]
    assert not found.proves_absence


@pytest.mark.parametrize(
    ("expire_at", "created_at"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("1970-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00.000+00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00Z", "broken"),
        ("1969-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_never_has_many_spellings(expire_at: str | None, created_at: str | None) -> None:
    """Nothing that is not after the creation can be meant as an expiry."""
    entry = KEY | {"expire_at": expire_at, "created_at": created_at}

    (key,) = documents.key_list(encoded({"items": [entry]}))

    assert key.expire_at is None


# -- Callers and organizations ---------------------------------------------------------------------


def test_of_the_caller_and_of_organizations_only_the_id_is_needed() -> None:
    """Names and addresses are shown, so they are made printable."""
    assert documents.identity(b'{"identity": {"id": "user"}}').email is None
    assert documents.identity(b'{"identity": {"id": "u", "email": 5}}').email is None
    shown = documents.identity(encoded({"identity": {"id": "u", "email": "a\x1b[31m@\u202eb"}}))
    assert shown.email == "a[31m@b"
    (organization,) = documents.organizations(b'{"items": [{"id": "o"}]}')
    assert (organization.id, organization.name) == ("o", None)
    (odd,) = documents.organizations(encoded({"items": [{"id": "o", "name": "::error::x"}]}))
    assert odd.name == ": :error: :x"


@pytest.mark.parametrize("items", [None, []])
def test_no_organizations_are_none(items: object) -> None:
    assert documents.organizations(encoded({"items": items})) == []
    assert documents.organizations(b"{}") == []


@pytest.mark.parametrize("value", [None, "", 5, "a\nb"])
def test_an_id_that_is_acted_upon_has_to_be_one(value: object) -> None:
    """An organization without an ID could be the second one, in which nobody looks."""
    with pytest.raises(NotAsDocumentedError, match=r"items\[1\]\.id"):
        documents.organizations(encoded({"items": [{"id": "o"}, {"id": value, "name": "x"}]}))
    with pytest.raises(NotAsDocumentedError, match=r"identity\.id"):
        documents.identity(encoded({"identity": {"id": value}}))


@pytest.mark.parametrize(
    ("read", "document", "told"),
    [
        (documents.organizations, {"items": [{"id": "o"}, 5]}, "items[1] is no object"),
        (documents.identity, {"identity": []}, "identity is no object"),
        (documents.identity, {"identity": {}}, "identity.id is no text that can be used"),
    ],
)
def test_what_cannot_be_used_is_named(
    read: Callable[[bytes], object], document: object, told: str
) -> None:
    """The text is what users report, so it says which part of the answer it is about."""
    with pytest.raises(NotAsDocumentedError, match=f"^{re.escape(told)}$"):
        read(encoded(document))


# -- Creations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        answer(NEW, 201),
        answer(NEW, 202),
        answer(NEW, 299),
        httpx.Response(200, content=encoded(NEW)),
        httpx.Response(201, content=encoded(NEW), headers={"Content-Type": "text/html"}),
        httpx.Response(200, content=b"\xef\xbb\xbf" + encoded(NEW), headers=JSON_TYPE),
        answer(NEW | {"expire_at": 5, "alias": [], "access_key_id_": None}),
    ],
)
def test_a_secret_in_hand_is_kept(api: FakeApi, response: httpx.Response) -> None:
    """It cannot be had again, so whatever else is odd about the answer does not matter."""
    key = api.will(response).create_key(ORG, alias=None, expire_at=None)

    assert (key.access_key_id, key.secret_key) == ("CKIA1", NEW["secret_key"])


def test_a_secret_may_be_of_any_length(api: FakeApi) -> None:
    secret = "S" * 50_000

    key = api.will(answer(NEW | {"secret_key": secret})).create_key(ORG, alias=None, expire_at=None)

    assert key.secret_key == secret


def test_small_letters_in_an_expiry_are_sent_as_capitals(api: FakeApi) -> None:
    """RFC 3339 allows them, and parsers of other people may not."""
    api.will(answer(NEW)).create_key(ORG, alias="tz", expire_at="2040-01-01t00:00:00z")

    assert json.loads(api.requests[0].content)["expire_at"] == "2040-01-01T00:00:00Z"


DEEP = b'{"items": ' + b"[" * 2_000 + b"]" * 2_000 + b', "secret_key": "SK"}'


@pytest.mark.parametrize("content", [DEEP, DEEP.replace(b"items", b"access_key_id"), DEEP[10:-21]])
@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("operation", ["list", "create", "delete", "identity", "organizations"])
def test_json_that_is_nested_without_end_is_an_error_of_ours(
    api: FakeApi, content: bytes, status: int, operation: str
) -> None:
    """It was one that nobody caught, with a key that nobody knew of."""
    client = api.will(httpx.Response(status, content=content, headers=JSON_TYPE))
    calls = {
        "list": lambda: client.list_keys(ORG),
        "create": lambda: client.create_key(ORG, alias=None, expire_at=None),
        "delete": lambda: client.delete_key(ORG, "CKIA1"),
        "identity": client.identity,
        "organizations": client.organizations,
    }
    if operation == "delete" and status == 200:
        calls[operation]()  # what it says does not matter; the list is asked
        return

    with pytest.raises(errors.RequestError) as error:
        calls[operation]()

    if operation == "create" and status != 404:
        assert error.value.may_have_happened


@pytest.mark.parametrize("header", ["Retry-After", "Date"])
@pytest.mark.parametrize(
    "value",
    [
        "Mon, 23 Nov 99999 12:00:00 GMT",
        "Mon, 23 Nov 9999 23:59:59 -2359",
        "Fri, 31 Dec 9999 23:59:59 -99999999999",
        "1" * 5_000,
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)
@pytest.mark.parametrize("status", [401, 429, 503])
def test_times_beyond_all_calendars_are_no_times(
    api: FakeApi, header: str, value: str, status: int
) -> None:
    """They say nothing about what the request did."""
    with pytest.raises(errors.ApiError) as error:
        api.will(answer({}, status, **{header: value})).create_key(ORG, alias=None, expire_at=None)

    assert error.value.status == status


class _Unexpected(Exception):  # noqa: N818 - an exception of somebody else
    pass


@pytest.mark.parametrize("exception", [_Unexpected, OverflowError, MemoryError, RecursionError])
def test_whatever_an_answer_provokes_is_an_error_of_ours(
    api: FakeApi, exception: type[Exception]
) -> None:
    """The request was sent, so it may have happened; the text may quote a header, so it is not."""
    with pytest.raises(errors.RequestError, match=exception.__name__) as error:
        api.will(exception("Bearer 1.0")).create_key(ORG, alias=None, expire_at=None)

    assert (error.value.method, error.value.may_have_happened) == ("POST", True)
    assert "Bearer" not in str(error.value)


def calls_to_read(number: int) -> int:
    """Return how many calls the reading of a list takes."""
    items = [KEY | {"access_key_id": f"CKIA{n:016}", "alias": f"alias {n}"} for n in range(number)]
    content = encoded({"items": items})
    profile = cProfile.Profile()
    assert len(profile.runcall(documents.key_list, content)) == number
    return sum(entry.callcount for entry in profile.getstats())


def test_a_list_of_twice_the_length_takes_at_most_twice_the_work() -> None:
    """Each of its texts is looked at once."""
    assert calls_to_read(2000) <= 2 * calls_to_read(1000)
