"""What an error says of the answer that it stands for, and of what can be done."""

import json
import logging
from typing import Any

import httpx
import pytest

from crusoe_provider.api import errors
from crusoe_provider.version import __version__
from support.api_fixtures import KEY, FakeApi, answer

SECRET = "SK-the-new-secret"
JSON_TYPE = {"Content-Type": "application/json"}


def report(api: FakeApi, response: httpx.Response) -> str:
    with pytest.raises(errors.UnexpectedAnswer) as error:
        api.will(response).list_keys("o")
    assert error.value.report in str(error.value)
    assert str(error.value).isprintable()
    return error.value.report


def test_a_report_has_what_maintainers_ask_for(api: FakeApi) -> None:
    """Method, path, status, content type, size, shape, version; no value."""
    content = json.dumps({"keys": [KEY, KEY], "more": None, "n": 1.5, "ok": True}).encode()
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}

    found = report(api, httpx.Response(200, content=content, headers=headers))

    assert found == (
        f"GET /organizations/o/storage/s3/keys, HTTP 200, application/json, {len(content)} bytes, "
        "{keys: [{key_uuid: text, user_id: text, access_key_id: text, status: text, "
        "created_at: text}, 1 more], more: null, n: number, ok: boolean}, "
        f"terraform-provider-crusoe {__version__}"
    )


def test_an_error_in_another_form_can_be_reported(api: FakeApi) -> None:
    """Its shape tells what the provider did not know; a page and an empty object tell nothing."""
    strange = answer({"error": {"text": SECRET}}, 400)
    others = (answer({}, 400), httpx.Response(400, content=b"<html>", headers=JSON_TYPE))

    said = []
    for response in (strange, *others):
        with pytest.raises(errors.ApiError) as error:
            api.will(response).list_keys("o")
        said.append(str(error.value))

    assert "HTTP 400, application/json, 40 bytes, {error: {text: text}}, terraform-prov" in said[0]
    assert SECRET not in said[0]
    assert not any("report" in text for text in said[1:])


@pytest.mark.parametrize(
    ("document", "shape"),
    [
        ([], "[]"),
        ([[[[[[1]]]]]], "[[[[[…]]]]]"),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, "{a: {b: {c: {d: {…}}}}}"),
        ({"a": {"b": {"c": {"d": {}}}}}, "{a: {b: {c: {d: {}}}}}"),
        ("text", "text"),
        ({"a b": 1, SECRET + "!": 1, "\x1b": 1}, "{…: number, …: number, …: number}"),
        ({f"n{n}": n for n in range(100)}, "n11: number, …}"),
        ({f"n{n}": n for n in range(12)}, "n11: number}"),
    ],
)
def test_the_shape_of_a_document_is_bounded(api: FakeApi, document: Any, shape: str) -> None:
    """Names and types, down to a few levels; a name that looks like data is left out."""
    found = report(api, answer(document))

    assert f"{shape}, terraform" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>", "6 bytes, no JSON"),
        (b"", "0 bytes, no JSON"),
        (b"[" * 5_000, "no JSON"),
        (b'"' + b"x" * 100_000 + b'"', "100002 bytes, too long to describe"),
    ],
)
def test_what_has_no_shape(api: FakeApi, content: bytes, said: str) -> None:
    assert said in report(api, httpx.Response(200, content=content, headers=JSON_TYPE))


def test_a_foreign_content_type_is_printable(api: FakeApi) -> None:
    headers = [(b"Content-Type", b"text/\xff\x1b[31m" + b"x" * 5_000)]

    found = report(api, httpx.Response(200, content=b"{}", headers=headers))

    assert len(found) < 400


@pytest.mark.parametrize("status", [500, 503, 404, 429])
def test_a_status_is_told_once(api: FakeApi, status: int) -> None:
    """It said "HTTP 503: an empty answer with status 503"."""
    with pytest.raises(errors.ApiError) as error:
        api.will(httpx.Response(status)).create_key("o", alias=None, expire_at=None)

    assert str(error.value).count(str(status)) == 1


@pytest.mark.parametrize("given", [answer({}, 429), httpx.ReadError("cut"), httpx.Response(302)])
def test_an_error_says_whether_its_request_is_one_that_is_sent_again(
    api: FakeApi, given: httpx.Response | Exception
) -> None:
    """More retries are no advice for a creation, which is never sent again."""
    client = api.will(given)

    with pytest.raises(errors.RequestError) as created:
        client.create_key("o", alias=None, expire_at=None)
    with pytest.raises(errors.RequestError) as deleted:
        client.delete_key("o", "CKIA1")
    with pytest.raises(errors.RequestError) as listed:
        client.list_keys("o")

    found = [(e.value.method, e.value.retried) for e in (created, deleted, listed)]
    assert found == [("POST", False), ("DELETE", True), ("GET", True)]


@pytest.mark.parametrize(("seconds", "told"), [("5", False), ("6", True), ("40", True)])
def test_a_long_wait_that_the_server_asks_for_is_told(
    api: FakeApi, caplog: pytest.LogCaptureFixture, seconds: str, told: bool
) -> None:
    """Users look at INFO to see why nothing moves."""
    caplog.set_level(logging.INFO)

    api.will(answer({}, 429, **{"Retry-After": seconds}), answer({"items": []})).list_keys("o")

    assert (f"Waiting {seconds} seconds, as the server asks" in caplog.text) is told


def test_messages_of_the_server_are_printable_and_bounded(api: FakeApi) -> None:
    """They reach terminals and CI logs."""
    message = "\x1b]0;title\x07\n::error::gone\u202e" + "x" * 500_000
    body = {"code": "c", "message": message, "error_id": "E\x1b[2J"}

    with pytest.raises(errors.ApiError) as error:
        api.will(answer(body, 400)).create_key("o", alias=None, expire_at=None)

    assert str(error.value).isprintable()
    assert "::error" not in str(error.value)
    assert "gonexxx" in str(error.value)
    assert len(str(error.value)) < 700
