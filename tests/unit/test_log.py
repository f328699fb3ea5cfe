"""The log as go-plugin reads it, and the secrets that are not in it."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crusoe_provider.providerserver.log import Redactor, configure_logging


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def logged(redactor: Redactor) -> Iterator[Callable[[], dict[str, Any]]]:
    """Return the entry that was logged last."""
    root, ours = logging.getLogger(), logging.getLogger("crusoe_provider")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    configure_logging({"TF_LOG": "TRACE"}, redactor, stream)

    def last() -> dict[str, Any]:
        entry: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
        return entry

    yield last
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


logger = logging.getLogger("crusoe_provider.test")


@pytest.mark.parametrize(
    "secret",
    ['with "quotes"', "back\\slash\\n", "line\nend", "tab\tin it", "ümläüt", "short", "\x07bel"],
)
def test_secrets_are_found_before_they_are_encoded(
    redactor: Redactor, logged: Callable[[], dict[str, Any]], secret: str
) -> None:
    """In the message, in a field, deep inside a field, and in the name of one."""
    redactor.hide(secret)

    logger.info("it is %s!", secret, extra={"field": {"deep": [f"x{secret}x"], secret: 1}})

    assert logged()["@message"] == "it is (redacted)!"
    assert logged()["field"] == {"deep": ["x(redacted)x"], "(redacted)": 1}


def test_of_secrets_that_hold_each_other_the_longest_goes_first(redactor: Redactor) -> None:
    """Nothing of it is left."""
    for secret in ("secret", "secret-key", "my-secret-key-1"):
        redactor.hide(secret)

    assert redactor.clean("my-secret-key-1 secret-key secret") == " ".join(["(redacted)"] * 3)


def test_secrets_that_overlap_leave_nothing_behind(redactor: Redactor) -> None:
    """Neither the end of the one nor the beginning of the other."""
    redactor.hide("abcdef")
    redactor.hide("defghi")

    assert redactor.clean("x abcdefghi y") == "x (redacted) y"


def test_what_is_too_short_for_a_secret_stays(redactor: Redactor) -> None:
    """It would blank out ordinary words."""
    for word in ("", "on", "key"):
        redactor.hide(word)

    assert redactor.clean("on a key") == "on a key"


def test_values_of_other_types_are_logged_as_text(
    redactor: Redactor, logged: Callable[[], dict[str, Any]]
) -> None:
    """Secrets in them are found, too."""
    redactor.hide("hidden")

    logger.info("x", extra={"error": ValueError("hidden"), "count": 3, "nothing": None})

    assert (logged()["error"], logged()["count"], logged()["nothing"]) == ("(redacted)", 3, None)


def test_text_without_secrets_is_not_touched(
    logged: Callable[[], dict[str, Any]],
) -> None:
    """As long as there are none."""
    logger.warning("plain")

    assert (logged()["@message"], logged()["@level"]) == ("plain", "warn")
