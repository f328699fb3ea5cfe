"""What an S3 client can do with a storage token, at the simulator's S3 endpoint."""

import os
from typing import Final

from s3_access import refusal, s3_client

BUCKET: Final = "demo"
OBJECT: Final = "hello.txt"


class Bucket:
    """A bucket, for who has this key.

    Args:
        endpoint: The S3 endpoint.
        access_key_id: The access key ID of a storage token.
        secret_key: Its secret.
    """

    def __init__(self, endpoint: str, access_key_id: str, secret_key: str) -> None:
        # What the reader has set up for AWS has nothing to say here.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
        self._s3 = s3_client(endpoint, access_key_id, secret_key)

    def make(self) -> None:
        """Create the bucket."""
        self._s3.create_bucket(Bucket=BUCKET)

    def put(self, content: bytes) -> None:
        """Store the object."""
        self._s3.put_object(Bucket=BUCKET, Key=OBJECT, Body=content)

    def get(self) -> bytes:
        """Return the content of the object."""
        content: bytes = self._s3.get_object(Bucket=BUCKET, Key=OBJECT)["Body"].read()
        return content

    def refusal(self) -> str | None:
        """Return the code of the error that reading the object ends with, if it does."""
        return refusal(self.get)
