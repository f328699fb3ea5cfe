"""The S3 endpoint of the simulator: which keys open it, and which do not."""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from crusoe_simulator.state import Key
from s3_access import refusal
from support.s3_clients import BUCKET, client_of
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.s3

HOUR_FROM_NOW = timedelta(hours=1)


@pytest.fixture
def key(crusoe: Crusoe) -> Key:
    """A key that expires in an hour, and with which a bucket was made."""
    expires = crusoe.simulator.cloud.clock.now() + HOUR_FROM_NOW
    key = crusoe.simulator.cloud.add_key(
        crusoe.user, expire_at=expires.isoformat(timespec="seconds")
    )
    client_of(crusoe.simulator, key.access_key_id, key.secret_key).create_bucket(Bucket=BUCKET)
    return key


@pytest.mark.parametrize("name", ["plain", "with blanks/and/folders", "ünïcode", "a+b=c&d", "%41"])
@pytest.mark.parametrize("content", [b"", b"Hello", bytes(range(256)) * 40_000])
def test_what_is_put_can_be_got(crusoe: Crusoe, key: Key, name: str, content: bytes) -> None:
    """Whatever is in a name has to be escaped, and signed as it is sent."""
    client = client_of(crusoe.simulator, key.access_key_id, key.secret_key)

    client.put_object(Bucket=BUCKET, Key=name, Body=content)

    assert client.get_object(Bucket=BUCKET, Key=name)["Body"].read() == content


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns so often that whatever can come in between does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_clients_that_write_one_object_at_once_are_all_served(crusoe: Crusoe, key: Key) -> None:
    """Moto drops the content that a write replaces, while others may still read it."""

    def write(number: int) -> int:
        client = client_of(crusoe.simulator, key.access_key_id, key.secret_key)
        for round_ in range(20):
            client.put_object(Bucket=BUCKET, Key="one", Body=f"{number} {round_}".encode())
        return number

    with ThreadPoolExecutor() as executor:
        assert list(executor.map(write, range(8))) == list(range(8))


@pytest.mark.parametrize(
    "change",
    [
        lambda crusoe, key: crusoe.simulator.cloud.remove_key(key.key_uuid),
        lambda crusoe, key: crusoe.simulator.cloud.change_key(key.key_uuid, status="disabled"),
        lambda crusoe, _: crusoe.simulator.cloud.clock.advance(HOUR_FROM_NOW),
    ],
    ids=["deleted", "disabled", "expired"],
)
def test_a_key_that_counts_no_more_is_refused_at_once(
    crusoe: Crusoe, key: Key, change: Callable[[Crusoe, Key], object]
) -> None:
    """Also by a client that has just been served."""
    client = client_of(crusoe.simulator, key.access_key_id, key.secret_key)
    assert refusal(client.list_buckets) is None

    change(crusoe, key)

    assert refusal(client.list_buckets) == "InvalidAccessKeyId"


def test_a_key_that_was_never_issued_and_a_wrong_secret_are_told_apart(
    crusoe: Crusoe, key: Key
) -> None:
    """As S3 does."""
    unknown = client_of(crusoe.simulator, "CKIANEVERISSUED", key.secret_key)
    wrong = client_of(crusoe.simulator, key.access_key_id, f"{key.secret_key}x")

    assert refusal(unknown.list_buckets) == "InvalidAccessKeyId"
    assert refusal(wrong.list_buckets) == "SignatureDoesNotMatch"


def test_the_credentials_of_the_api_open_no_bucket(crusoe: Crusoe) -> None:
    """They are another kind of key."""
    user = crusoe.user
    client = client_of(crusoe.simulator, user.access_key_id, user.secret_key)

    assert refusal(client.list_buckets) == "InvalidAccessKeyId"


def signed(crusoe: Crusoe, key: Key, content: bytes) -> urllib.request.Request:
    """Return a request that puts `content`, as boto3 would send it."""
    client = client_of(crusoe.simulator, key.access_key_id, key.secret_key)
    sent = []
    client.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(request)
    )
    client.put_object(Bucket=BUCKET, Key="k", Body=content)
    (request,) = sent
    headers = {name: _text(value) for name, value in request.headers.items()}
    return urllib.request.Request(request.url, content, headers, method="PUT")  # noqa: S310 - loopback


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def answer(request: urllib.request.Request) -> str:
    """Return the body of the answer, which is an error."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)  # noqa: S310 - loopback
    with caught.value as error:
        assert error.code == 403
        return error.read().decode()


def test_a_request_without_a_signature_is_refused(crusoe: Crusoe, key: Key) -> None:
    """Nothing here is public."""
    request = signed(crusoe, key, b"x")
    request.remove_header("Authorization")

    assert "<Code>AccessDenied</Code>" in answer(request)


def test_content_that_was_not_signed_is_refused(crusoe: Crusoe, key: Key) -> None:
    """The hash that is signed has to be that of what comes."""
    request = signed(crusoe, key, b"x")
    request.data = b"y"

    assert "<Code>XAmzContentSHA256Mismatch</Code>" in answer(request)


@pytest.mark.parametrize(
    ("date", "code"), [("20200101T000000Z", "RequestTimeTooSkewed"), ("now", "AccessDenied")]
)
def test_an_old_signature_is_refused(crusoe: Crusoe, key: Key, date: str, code: str) -> None:
    """It may have been overheard."""
    request = signed(crusoe, key, b"x")
    request.add_header("X-Amz-Date", date)

    assert f"<Code>{code}</Code>" in answer(request)


def test_a_header_that_was_changed_is_noticed(crusoe: Crusoe, key: Key) -> None:
    """Everything that is signed counts."""
    request = signed(crusoe, key, b"x")
    request.full_url = request.full_url.replace("/k", "/other")

    assert "<Code>SignatureDoesNotMatch</Code>" in answer(request)


def test_another_organization_has_other_buckets(crusoe: Crusoe, key: Key) -> None:
    """A user of both needs a key for each."""
    cloud = crusoe.simulator.cloud
    elsewhere = cloud.add_organization("elsewhere")
    other = cloud.add_key(cloud.add_user("dev@elsewhere.example", elsewhere))
    client = client_of(crusoe.simulator, other.access_key_id, other.secret_key)

    assert client.list_buckets()["Buckets"] == []
    assert refusal(lambda: client.list_objects_v2(Bucket=BUCKET)) == "AccessDenied"
    assert key.organization_id != other.organization_id
