"""The function `credentials_file`: a token in the form of `~/.aws/credentials`."""

import re
from typing import Any, Final

from tf.function import CallContext, Function, FunctionSignature, Parameter, Return
from tf.types import String

_PROFILE: Final = re.compile(r"[^\s\[\]][^\r\n\[\]]*")
_VALUE: Final = re.compile(r"[!-~]+")


class CredentialsFileFunction(Function):
    """Writes a credentials file as AWS's tools and SDKs read it."""

    def __init__(self, provider: object) -> None:
        del provider  # it is pure, and works without a configured provider

    @classmethod
    def get_name(cls) -> str:
        """Return the function's name."""
        return "credentials_file"

    @classmethod
    def get_signature(cls) -> FunctionSignature:
        """Return its parameters and result."""
        return FunctionSignature(
            parameters=[
                Parameter(
                    "access_key_id",
                    String(),
                    "Access key ID of the token. Example: `CKIA493K6LOVDNNAR4SZ`.",
                ),
                Parameter("secret_key", String(), "Secret of the token."),
                Parameter("profile", String(), "Name of the profile. Example: `default`."),
            ],
            return_type=Return(String()),
            summary="Writes a token in the form of an AWS credentials file",
            description=(
                "Returns the content of a credentials file with one profile, as S3 clients read it "
                "from `~/.aws/credentials` or from the file that `AWS_SHARED_CREDENTIALS_FILE` "
                "names. The result is as sensitive as the secret in it."
            ),
        )

    def call(self, ctx: CallContext, arguments: list[Any]) -> str | None:
        """Return the file's content."""
        access_key_id, secret_key, profile = arguments
        for name, value in (("access_key_id", access_key_id), ("secret_key", secret_key)):
            if not _VALUE.fullmatch(value):
                ctx.diagnostics.add_error(
                    f"{name} is empty, or holds blanks or characters that no key has, which would "
                    "break the file.",
                    path=[name],
                )
                return None
        if not _PROFILE.fullmatch(profile):
            ctx.diagnostics.add_error(
                "profile must be a name without brackets and line breaks, such as default.",
                path=["profile"],
            )
            return None
        return (
            f"[{profile}]\n"
            f"aws_access_key_id = {access_key_id}\n"
            f"aws_secret_access_key = {secret_key}\n"
        )
