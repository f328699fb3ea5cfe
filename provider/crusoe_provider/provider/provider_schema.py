"""The schema of the provider block."""

from tf.schema import Attribute, Schema
from tf.types import Map, Number, String

from crusoe_provider.api.settings import ENDPOINT
from crusoe_provider.providerserver.types import Object


def provider_schema() -> Schema:
    """Return the schema."""
    return Schema(
        description=(
            "Manages the API keys of Crusoe Cloud Object Storage. Every argument is optional: "
            "what is not set here comes from the environment, then from the profile in "
            "`~/.crusoe/config` that the Crusoe CLI uses. An empty text counts as not set, as "
            "modules hand it on, but not for credentials: there it is refused."
        ),
        attributes=[
            Attribute(
                "profile",
                String(),
                optional=True,
                description=(
                    "Profile of `~/.crusoe/config` to use. A profile named here goes before "
                    "credentials and endpoint in the environment. Default: `CRUSOE_PROFILE`, "
                    "then the file's own `profile`, then `default`. Example: `work`."
                ),
            ),
            Attribute(
                "api_endpoint",
                String(),
                optional=True,
                description=(
                    "Base URL of the API; HTTPS, except on loopback. Where it is another one "
                    "than that of the credentials' source, set the credentials here too, or "
                    "name it in the environment variable `CRUSOE_ALLOW_ENDPOINT`. Default: "
                    "`CRUSOE_API_ENDPOINT`, then the profile's `api_endpoint`, then "
                    f"`{ENDPOINT}`. Example: `https://api.cloud.crusoe.ai/v1`."
                ),
            ),
            Attribute(
                "access_key_id",
                String(),
                optional=True,
                description=(
                    "Access key ID of the Crusoe API key that this provider signs its requests "
                    "with; set it together with `secret_key`. Default: `CRUSOE_ACCESS_KEY_ID` "
                    "with `CRUSOE_SECRET_KEY`, then the profile. Not to be confused with the "
                    "storage tokens that the provider manages. Example: "
                    "`uK5RZPYxQ3yzVwTnmLbNzA`."
                ),
            ),
            Attribute(
                "secret_key",
                String(),
                optional=True,
                sensitive=True,
                description=(
                    "Secret of the Crusoe API key in `access_key_id`. Default: "
                    "`CRUSOE_SECRET_KEY` with `CRUSOE_ACCESS_KEY_ID`, then the profile. "
                    "Prefer the environment or a profile: a secret written here stands in the "
                    "configuration."
                ),
            ),
            Attribute(
                "profiles",
                Map(Object({"access_key_id": String(), "secret_key": String()})),
                optional=True,
                sensitive=True,
                description=(
                    "Credentials of further users by the name that `profile` of a resource, "
                    "data source or ephemeral resource gives, each an object with "
                    "`access_key_id` and `secret_key`; for pipelines that have no "
                    "`~/.crusoe/config`. A name that the file has too is taken from here. May "
                    "come from an ephemeral variable. Default: only the file's profiles. "
                    "Example: `var.crusoe_profiles`."
                ),
            ),
            Attribute(
                "organization_id",
                String(),
                optional=True,
                description=(
                    "ID (a UUID) of the organization for resources that do not name one. "
                    "Default: `CRUSOE_ORGANIZATION_ID`, then the only organization of the "
                    "user. Example: `ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab`."
                ),
            ),
            Attribute(
                "request_timeout",
                String(),
                optional=True,
                description=(
                    "How long one request may take, as a duration from `1s` to `10m`. "
                    "Default: `30s`. Example: `1m`."
                ),
            ),
            Attribute(
                "max_retries",
                Number(),
                optional=True,
                description=(
                    "How often a failed reading or deleting request is tried again, from 0 to "
                    "10; a creation never is. Default: `3`. Example: `5`."
                ),
            ),
            Attribute(
                "key_limit",
                Number(),
                optional=True,
                description=(
                    "How many storage tokens Crusoe lets a user have in an organization. Plans "
                    "that need more are refused before anything is changed. 0 switches the "
                    "check off. Default: `2`. Example: `4`."
                ),
            ),
        ],
    )
