"""The simulator's side of signatures, against the vectors of Crusoe's own client."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlencode, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from crusoe_simulator.errors import Unauthenticated
from crusoe_simulator.signature import authenticate
from crusoe_simulator.state import User
from support.signed_requests import authorization

VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "schemas" / "signature-vectors.json").read_text()
)
# The secrets in the vectors that have one of their own are about how a client reads them.
SIGNED: Final = [
    case for case in VECTORS["cases"] if "authorization" in case and "secret_key" not in case
]
USER: Final = User("id", "dev@x", VECTORS["access_key_id"], VECTORS["secret_key"])
WINDOW: Final = timedelta(minutes=5)
NOW: Final = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
TIMESTAMP: Final = "2026-11-23T12:34:56Z"

parameters = st.lists(st.tuples(st.text(), st.text()), max_size=5)


def accepted(
    *,
    authorization: str,
    method: str = "GET",
    path: bytes = b"/v1/x",
    query: bytes = b"",
    timestamp: str = TIMESTAMP,
    now: datetime = NOW,
) -> bool:
    """Tell whether `USER` is recognized as who has signed the request."""
    try:
        user = authenticate(
            method=method,
            path=path,
            query=query,
            authorization=authorization,
            timestamp=timestamp,
            now=now,
            window=WINDOW,
            find_user={USER.access_key_id: USER}.get,
        )
    except Unauthenticated:
        return False
    return user is USER


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case["case"])
def test_signatures_of_crusoes_own_client_are_accepted(case: dict[str, Any]) -> None:
    """When the query is sent as it is signed; otherwise the signature is worth nothing."""
    method, url = case["request"].split(" ", 1)
    parts = urlsplit(url)
    path, signed = unquote_to_bytes(parts.path), case["signed"][-3].encode()
    sent = parts.query.encode()

    def as_sent(query: bytes) -> bool:
        return accepted(authorization=case["authorization"], method=method, path=path, query=query)

    assert as_sent(signed)
    assert as_sent(sent) == (sent == signed)


@given(parameters)
def test_parameters_in_the_order_of_their_names_are_accepted_and_in_no_other(
    pairs: list[tuple[str, str]],
) -> None:
    ordered = sorted(pairs, key=lambda pair: pair[0].encode())
    assume(ordered != pairs)
    canonical, other = urlencode(ordered), urlencode(pairs)
    signature = authorization(USER, "GET", f"/v1/x?{canonical}", TIMESTAMP)
    signed_as_sent = authorization(USER, "GET", f"/v1/x?{other}", TIMESTAMP)

    assert accepted(authorization=signature, query=canonical.encode())
    assert not accepted(authorization=signature, query=other.encode())
    assert not accepted(authorization=signed_as_sent, query=other.encode())


@given(
    changed=st.fixed_dictionaries(
        {},
        optional={
            "method": st.text(),
            "path": st.binary(),
            "query": st.binary(),
            "timestamp": st.text(),
        },
    )
)
def test_a_signature_is_for_one_request(changed: dict[str, Any]) -> None:
    """Whatever else is sent with it, the answer is no, and never a crash."""
    whole = {"method": "GET", "path": b"/v1/x", "query": b"a=1", "timestamp": TIMESTAMP}
    signature = authorization(USER, "GET", "/v1/x?a=1", TIMESTAMP)

    assert accepted(authorization=signature, **whole | changed) == (whole | changed == whole)


@given(st.integers(-600, 600))
@example(300)
@example(-300)
@example(301)
@example(-301)
def test_a_signature_is_good_for_a_window_both_ways(seconds: int) -> None:
    """To the second."""
    now = NOW + timedelta(seconds=seconds)
    signature = authorization(USER, "GET", "/v1/x", TIMESTAMP)

    assert accepted(authorization=signature, now=now) == (abs(seconds) <= WINDOW.total_seconds())


@pytest.mark.parametrize(
    ("timestamp", "good"),
    [
        ("2026-11-23T12:34:56+00:00", True),  # Crusoe's own Python sends it so
        ("2026-11-23T13:34:56+01:00", False),
        ("2026-11-23T12:34:56", False),
        ("2026-11-23T12:34:56.5Z", False),
        ("2026-13-23T12:34:56Z", False),
        ("", False),
    ],
)
def test_timestamps_are_utc_in_whole_seconds(timestamp: str, good: bool) -> None:
    signature = authorization(USER, "GET", "/v1/x", timestamp)

    assert accepted(authorization=signature, timestamp=timestamp) == good


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer 1.0",
        "Bearer 1.0:CKIDTESTONLYKEY00001",
        "Bearer 1.0:CKIDTESTONLYKEY00001:",
        "Bearer 2.0:CKIDTESTONLYKEY00001:{signature}",
        "Basic 1.0:CKIDTESTONLYKEY00001:{signature}",
        "Bearer 1.0:CKIDTESTONLYKEY00002:{signature}",
        "Bearer 1.0:CKIDTESTONLYKEY00001:{signature}=",
        "Bearer 1.0:CKIDTESTONLYKEY00001:{signature} ",
    ],
)
def test_a_header_of_another_form_or_key_is_refused(header: str) -> None:
    signature = authorization(USER, "GET", "/v1/x", TIMESTAMP).rpartition(":")[2]

    assert not accepted(authorization=header.format(signature=signature))
