"""The S3 endpoint: Object Storage as S3 clients see it, for the keys that the API has issued.

moto keeps the objects, in memory, as S3 does, and botocore recomputes the signatures (AWS
Signature Version 4). What is left to this module is which keys count: those that are there at this
moment, enabled, and not expired. Each organization has buckets of its own; as in S3, a name that
one has taken is taken for all.
"""

import hashlib
import hmac
import io
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.wrappers import Request, Response

from crusoe_simulator.creation import NEVER
from crusoe_simulator.state import Cloud, Key

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/, ]+)/(?P<date>\d{8})/(?P<region>[^/, ]+)/s3/"
    r"aws4_request, ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE: Final = "X-Amz-Date"
_DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_CONTENT_HASH: Final = "X-Amz-Content-SHA256"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST_SKEW: Final = timedelta(minutes=15)
_ACCOUNT_DIGITS: Final = 12

StartResponse = Callable[..., Any]


class RefusedError(Exception):
    """The request is refused.

    Args:
        code: The code of S3's error.
        message: Its message.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Authorization:
    """What the header of that name says."""

    access_key_id: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str


class S3:
    """The WSGI application; one per process, where moto keeps the objects.

    Args:
        cloud: The state, with the keys.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        s3_backends.reset()
        # How moto is told that a bucket is its owner's.
        os.environ["MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS"] = "false"
        self._storage = create_backend_app("s3")
        # moto is not made for threads: a write drops the content that another one still reads.
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        request = Request(environ)
        content = request.get_data()
        try:
            key = self._authenticate(request, content)
        except RefusedError as refusal:
            return _refusal(refusal)(environ, start_response)
        environ["wsgi.input"] = io.BytesIO(content)  # to be read once more
        # moto's name for whose buckets these are.
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = _account(key.organization_id)
        with self._one_at_a_time:
            return list(self._storage(environ, start_response))

    def _authenticate(self, request: Request, content: bytes) -> Key:
        """Return the key that has signed a request.

        Raises:
            RefusedError: None that counts has.
        """
        authorization = _authorization(request)
        key = self._key(authorization.access_key_id)
        _check_time(request)
        _check_content(request, content)
        expected = _signature(request, authorization, key)
        if not hmac.compare_digest(expected, authorization.signature):
            raise RefusedError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
        return key

    def _key(self, access_key_id: str) -> Key:
        key = self._cloud.key_by_access_key_id(access_key_id)
        if key is None or not _opens(key, self._cloud.clock.now()):
            raise RefusedError(
                "InvalidAccessKeyId",
                "The access key ID you provided does not exist in our records.",
            )
        return key


def _opens(key: Key, now: datetime) -> bool:
    expired = key.expire_at != NEVER and datetime.fromisoformat(key.expire_at) <= now
    return key.status == "enabled" and not expired


def _authorization(request: Request) -> _Authorization:
    header = request.headers.get("Authorization", "")
    match = _AUTHORIZATION.fullmatch(header)
    if match is None:
        raise RefusedError("AccessDenied", "The request bears no signature of version 4.")
    return _Authorization(
        match["key"], match["region"], tuple(match["headers"].split(";")), match["signature"]
    )


def _check_time(request: Request) -> None:
    """Refuse an old signature; by the time of this machine, which is that of the clients."""
    try:
        signed = datetime.strptime(request.headers.get(_DATE, ""), _DATE_FORMAT)  # noqa: DTZ007 - next line
    except ValueError:
        raise RefusedError("AccessDenied", f"{_DATE} is missing or malformed.") from None
    if abs(datetime.now(UTC) - signed.replace(tzinfo=UTC)) > _LARGEST_SKEW:
        raise RefusedError("RequestTimeTooSkewed", "The time of the request is too far off.")


def _check_content(request: Request, content: bytes) -> None:
    """Refuse content other than what was signed; a hash that is none says that it was not."""
    given = request.headers.get(_CONTENT_HASH, "")
    if _SHA256.fullmatch(given) and given != hashlib.sha256(content).hexdigest():
        raise RefusedError("XAmzContentSHA256Mismatch", "The content is not what was signed.")


def _signature(request: Request, authorization: _Authorization, key: Key) -> str:
    """Return the signature that a request must bear."""
    headers = {name: request.headers.get(name, "") for name in authorization.signed_headers}
    signed = AWSRequest(
        method=request.method,
        url=f"http://{request.host}{request.environ['REQUEST_URI']}",
        headers=headers,
    )
    signed.context["timestamp"] = request.headers[_DATE]
    credentials = Credentials(key.access_key_id, key.secret_key)
    signer = S3SigV4Auth(credentials, "s3", authorization.region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    signature: str = signer.signature(text, signed)
    return signature


def _refusal(refusal: RefusedError) -> Response:
    return Response(
        f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{refusal.code}</Code>"
        f"<Message>{refusal}</Message></Error>",
        status=HTTPStatus.FORBIDDEN,
        content_type="application/xml",
    )


def _account(organization_id: str) -> str:
    """Return the number that stands for an organization at moto."""
    digest = uuid.uuid5(uuid.NAMESPACE_OID, organization_id).int
    return str(digest)[:_ACCOUNT_DIGITS]
