"""The client on whatever may come back: a value of the right type, or an error of its own."""

import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api import errors, models
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.deletion import DeletionAnswer
from support.api_fixtures import KEY, SECRET, FakeApi

NEW_SECRET = "SK-shown-once"
READ: dict[str, tuple[Callable[[CrusoeClient], Any], Any]] = {
    "list": (lambda client: client.list_keys("org"), {"items": [KEY, KEY]}),
    "organizations": (
        lambda client: client.organizations(),
        {"items": [{"id": "org", "name": "acme"}]},
    ),
    "identity": (
        lambda client: client.identity(),
        {"identity": {"id": "user", "email": "dev@acme.example"}},
    ),
    "create": (
        lambda client: client.create_key("org", alias="a", expire_at=None),
        {"access_key_id": "CKIA1", "secret_key": NEW_SECRET, "expire_at": "1970-01-01T00:00:00Z"},
    ),
    "delete": (lambda client: client.delete_key("org", "CKIA1"), None),
}
OF_TYPE = {
    "list": lambda value: all(isinstance(key, models.StorageKey) for key in value),
    "organizations": lambda value: all(isinstance(o, models.Organization) for o in value),
    "identity": lambda value: isinstance(value, models.Identity),
    "create": lambda value: isinstance(value, models.NewStorageKey),
    "delete": lambda value: isinstance(value, DeletionAnswer),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
CONTENT_TYPES = st.sampled_from(
    [b"application/json", b"application/json; charset=latin-1", b"text/html", b"", b"\xfc\xff"]
)


def statuses() -> st.SearchStrategy[int]:
    return st.sampled_from([200, 201, 204, 299, 301, 304, 400, 401, 403, 404, 409, 429, 500, 503])


def places(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where something stands in a document, as paths."""
    found = [at]
    if isinstance(document, dict):
        found += [path for name in document for path in places(document[name], (*at, name))]
    if isinstance(document, list):
        found += [path for n, item in enumerate(document) for path in places(item, (*at, n))]
    return found


@st.composite
def almost_right(draw: st.DrawFn, document: Any) -> bytes:
    """Return a right answer with one thing in it changed or removed, or cut off."""
    changed = [copy.deepcopy(document)]
    path: tuple[Any, ...] = (0, *draw(st.sampled_from(places(document))))
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    last = path[-1]
    if draw(st.booleans()):
        target[last] = draw(JSON)
    elif isinstance(target, dict):
        del target[last]
    text = json.dumps(changed[0]).encode()
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


def outcome(operation: str, response: httpx.Response) -> Any:
    """Return what the client makes of an answer."""
    api = FakeApi()
    call, _ = READ[operation]
    try:
        return call(api.will(response))
    except errors.RequestError as error:
        return error
    finally:
        api.client.close()


def check(operation: str, value: Any) -> None:
    """Check that it is a value of the operation's type, or an error fit for users."""
    if not isinstance(value, errors.RequestError):
        assert OF_TYPE[operation](value)
        return
    text = str(value)
    assert text.isprintable()
    assert SECRET not in text
    assert NEW_SECRET not in text


@pytest.mark.parametrize("operation", READ)
@given(data=st.data(), status=statuses(), content_type=CONTENT_TYPES)
def test_any_answer_is_a_value_or_an_error(
    operation: str, data: st.DataObject, status: int, content_type: bytes
) -> None:
    """Bytes of all kinds, and right answers that were damaged on the way."""
    _, right = READ[operation]
    content = data.draw(st.binary() | JSON.map(_json) | almost_right(right))
    headers = [(b"Content-Type", content_type)]

    value = outcome(operation, httpx.Response(status, content=content, headers=headers))

    check(operation, value)


@pytest.mark.parametrize("operation", ["list", "organizations", "identity", "create"])
@given(data=st.data(), status=st.integers(300, 599))
def test_nothing_but_success_is_taken_for_it(
    operation: str, data: st.DataObject, status: int
) -> None:
    """A right document with a wrong status is no answer."""
    _, right = READ[operation]
    content = data.draw(st.just(_json(right)))

    value = outcome(
        operation,
        httpx.Response(status, content=content, headers={"Content-Type": "application/json"}),
    )

    assert isinstance(value, errors.RequestError)


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()
