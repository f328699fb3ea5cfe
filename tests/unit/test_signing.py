"""Signatures, against the vectors of Crusoe's own client."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.signing import (
    Signer,
    SigningError,
    canonical_query,
    decode_secret,
    format_timestamp,
    message,
)

VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "schemas" / "signature-vectors.json").read_text()
)
CASES: Final[dict[str, dict[str, Any]]] = {case["case"]: case for case in VECTORS["cases"]}
SIGNED: Final = [name for name, case in CASES.items() if "authorization" in case]
REFUSED: Final = [name for name, case in CASES.items() if "refused" in case]


def target(url: str) -> bytes:
    """Return what a client puts into the request line for a URL."""
    parts = urlsplit(url)
    return (parts.path + (f"?{parts.query}" if parts.query else "")).encode()


def sign(case: dict[str, Any]) -> str:
    method, url = case["request"].split(" ", 1)
    key = decode_secret(case.get("secret_key", VECTORS["secret_key"]))
    signer = Signer(VECTORS["access_key_id"], key)
    return signer.authorization(method, target(url), VECTORS["timestamp"])


@pytest.mark.parametrize("name", SIGNED)
def test_signatures_are_those_of_crusoes_own_client(name: str) -> None:
    """Byte for byte, whatever is odd about the request."""
    assert sign(CASES[name]) == CASES[name]["authorization"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_crusoes_own_client_refuses_is_refused(name: str) -> None:
    """With a text that does not quote the secret."""
    case = CASES[name]

    with pytest.raises(SigningError) as error:
        sign(case)

    assert case.get("secret_key", VECTORS["secret_key"]) not in str(error.value)


@pytest.mark.parametrize(
    ("query", "told"), [(b"a=%zz", '"%zz"'), (b"%4", '"%4"'), (b"a=%\xff\xfe", '"%\ufffd\ufffd"')]
)
def test_an_escape_that_is_none_is_shown(query: bytes, told: str) -> None:
    """Whatever bytes it has."""
    with pytest.raises(SigningError, match=f"invalid URL escape {told}"):
        canonical_query(query)


def test_the_vectors_cover_both_outcomes() -> None:
    """So that an empty file does not pass."""
    assert len(SIGNED) >= 28
    assert len(REFUSED) >= 5


def test_the_message_is_four_lines() -> None:
    """Path, query, method, timestamp; the last line ends too."""
    case = CASES["list orgs"]
    method, url = case["request"].split(" ", 1)

    signed = message(urlsplit(url).path.encode(), "", method, VECTORS["timestamp"])

    assert signed.decode().splitlines() == case["signed"]
    assert signed.endswith(b"Z\n")


@pytest.mark.parametrize("secret", ["", "  ", "\n", "a=", "YWJj=", "a b c", "ä"])
def test_secrets_that_are_none_are_refused(secret: str) -> None:
    """An empty one above all: anybody could sign with it."""
    with pytest.raises(SigningError):
        decode_secret(secret)


def test_a_secret_with_blanks_around_it_is_taken() -> None:
    """They come with copying."""
    assert decode_secret(" c2VjcmV0\n") == b"secret"


def test_the_key_is_in_no_repr() -> None:
    """It would end up in a log one day."""
    assert "secret" not in repr(Signer("id", b"secret"))


names = st.text(min_size=1, max_size=5)
pairs = st.lists(st.tuples(names, st.text(max_size=5)), max_size=6)


def encoded(items: list[tuple[str, str]]) -> bytes:
    def escape(text: str) -> bytes:
        return b"".join(b"%%%02x" % byte for byte in text.encode())

    return b"&".join(escape(name) + b"=" + escape(value) for name, value in items)


@given(pairs)
def test_a_canonical_query_stays_as_it_is(items: list[tuple[str, str]]) -> None:
    """What is signed is what is sent, so signing it again changes nothing."""
    once = canonical_query(encoded(items))

    assert canonical_query(once.encode()) == once


@given(pairs, st.randoms())
def test_the_order_of_names_does_not_matter(items: list[tuple[str, str]], random: Any) -> None:
    """Only values of one name keep their order."""
    unique = list(dict(items).items())
    shuffled = random.sample(unique, len(unique))

    assert canonical_query(encoded(unique)) == canonical_query(encoded(shuffled))


def test_timestamps_are_utc_in_whole_seconds() -> None:
    """Whatever the zone of the clock."""
    zone = timezone(timedelta(hours=2))

    assert format_timestamp(datetime(2026, 11, 23, 1, 2, 3, 999, zone)) == "2026-11-22T23:02:03Z"


@pytest.mark.usefixtures("elsewhere")
def test_a_timestamp_is_in_utc_wherever_the_machine_is() -> None:
    """Crusoe refuses any other."""
    moment = datetime(2040, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    assert format_timestamp(moment) == "2040-01-01T00:00:00Z"
