"""S3 clients for the simulator's endpoint: the demonstration and the tests both use them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def s3_client(endpoint: str, access_key_id: str, secret_key: str) -> "S3Client":
    """Return a client that tries everything once.

    Args:
        endpoint: The S3 endpoint.
        access_key_id: The access key ID of a storage token.
        secret_key: Its secret.
    """
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_key,
        config=Config(
            s3={"addressing_style": "path"}, proxies={}, retries={"total_max_attempts": 1}
        ),
    )


def refusal(call: Callable[[], Any]) -> str | None:
    """Return the code of the error that a call ends with; `None` if it succeeds."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None
