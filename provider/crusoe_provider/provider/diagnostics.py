"""Errors of the Crusoe API, as diagnostics for practitioners."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from tf.utils import Diagnostics

from crusoe_provider.api import errors
from crusoe_provider.provider.problems import Problem

if TYPE_CHECKING:
    from crusoe_provider.api.models import StorageKey

_ADVICE: Final[Mapping[type[errors.CrusoeError], str]] = {
    errors.AuthenticationFailed: (
        "Check the access key and secret key in use ({credentials}), and that the clock of this "
        "machine is right. `crusoe whoami` tests them."
    ),
    errors.PermissionDenied: (
        "Check that the user of this access key ({credentials}) belongs to the organization and "
        "may manage storage tokens in it, and that the organization has Object Storage."
    ),
    errors.NotFound: "Check organization_id and api_endpoint.",
    errors.RateLimited: "Wait a little and run Terraform again, or raise max_retries.",
    errors.ServerError: (
        "The fault is on the server's side. Run Terraform again later; if it stays, tell Crusoe "
        "support the time and the error ID."
    ),
    errors.Interrupted: "Nothing was lost. Run Terraform again to go on.",
    errors.ConnectionFailed: (
        "Check the network, a proxy in between, and api_endpoint; a slow connection may need a "
        "longer request_timeout. Then run Terraform again."
    ),
    errors.UnexpectedAnswer: (
        "Check that api_endpoint leads to the Crusoe API and that no proxy answers in its place."
    ),
    errors.OrganizationNotDetermined: (
        "Set organization_id in the provider block, on the resource, or as "
        "CRUSOE_ORGANIZATION_ID in the environment."
    ),
}


def add_api_error(
    diagnostics: Diagnostics,
    summary: str,
    error: errors.CrusoeError,
    *,
    credentials: str,
    path: list[str] | None = None,
) -> None:
    """Report `error` under `summary`: what happened, and what to do about an error of its kind.

    Args:
        diagnostics: Where to report.
        summary: What failed, without values.
        error: What the API layer says.
        credentials: Where the credentials in use come from.
        path: The attribute to blame, if one is.
    """
    diagnostics.add_error(
        summary, f"{error}\n\n{advice(error, credentials=credentials)}", path=path
    )


def advice(error: errors.CrusoeError, *, credentials: str) -> str:
    """Return what a practitioner can do about `error`."""
    text = _ADVICE.get(type(error), "Run Terraform again.")
    return text.format(credentials=credentials)


def add_problems(diagnostics: Diagnostics, problems: Iterable[Problem]) -> None:
    """Report problems of the provider block, each on its attribute."""
    for problem in problems:
        path = [problem.attribute] if problem.attribute else None
        diagnostics.add_error(problem.summary, problem.detail, path=path)


def add_unknown_credentials(diagnostics: Diagnostics, consequence: str) -> None:
    """Report that there is no account yet: the provider block depends on a resource to come.

    Args:
        diagnostics: Where to report.
        consequence: What cannot be done during this plan; a clause.
    """
    diagnostics.add_error(
        "Credentials not known yet",
        "The provider block takes its settings from a resource that does not exist yet, so "
        f"{consequence} during this plan.\n\n"
        "Create that resource first, with terraform apply -target=…",
    )


def describe_token(key: "StorageKey") -> str:
    """Return one line that tells a person which token `key` is."""
    alias = f'alias "{key.alias}"' if key.alias else "no alias"
    expiry = f"expires {key.expire_at}" if key.expire_at else "never expires"
    return (
        f"access key ID {key.access_key_id}, token ID {key.key_uuid}, {alias}, "
        f"created {key.created_at}, {expiry}, {key.status}"
    )


def deletion_command(key: "StorageKey") -> str:
    """Return the CLI's command that deletes `key`.

    The CLI takes the token ID; newer versions take the access key ID.
    """
    return f"crusoe storage tokens delete {key.key_uuid}"


# Added wherever the command is given.
NEWER_CLI: Final = "(newer versions of the CLI take the access key ID instead of the token ID)"
