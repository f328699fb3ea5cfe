"""`aws s3 cp --endpoint-url URL FILE s3://BUCKET/`, as the AWS CLI does it, for provisioners."""

import argparse
import os
from pathlib import Path

import boto3
from botocore.config import Config


def main() -> None:
    """Upload a file, with the credentials of the environment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("service", choices=["s3"])
    parser.add_argument("action", choices=["cp"])
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("file", type=Path)
    parser.add_argument("target")
    options = parser.parse_args()
    bucket = options.target.removeprefix("s3://").rstrip("/")
    client = boto3.client(
        "s3",
        endpoint_url=options.endpoint_url,
        region_name=os.environ["AWS_REGION"],
        config=Config(s3={"addressing_style": "path"}),
    )
    client.upload_file(str(options.file), bucket, options.file.name)


if __name__ == "__main__":
    main()
