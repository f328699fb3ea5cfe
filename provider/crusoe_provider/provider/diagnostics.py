"""What users are told: errors as diagnostics, and the texts of warnings.

Elements and tokens raise errors; `diagnose` is the one place that makes sentences of them. A
summary says what failed, without values. A detail says what happened and, after a blank line, what
to do.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from crusoe_provider.api import errors
from crusoe_provider.api.text import printable
from crusoe_provider.provider import encryption_texts, lost_answer_texts, quota_texts
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.tokens.errors import (
    AnswerLost,
    ForeignToken,
    NotKnownYet,
    OwnerUnknown,
    QuotaExceeded,
    SecretClaimed,
    TokenError,
    WrongRecipient,
)

if TYPE_CHECKING:
    from tf.utils import Diagnostics

    from crusoe_provider.provider.problems import Problem
    from crusoe_provider.tokens.sessions import Sessions, Whom

SECRET_VARIABLE: Final = "CRUSOE_STORAGE_TOKEN_SECRET"  # noqa: S105 - a variable's name
"""Environment variable with the secret of the token that is imported."""

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
    errors.RateLimited: "Wait a little and run Terraform again.",
    errors.ServerError: (
        "The fault is on the server's side. Run Terraform again later; if it stays, tell Crusoe "
        "support the time and the error ID."
    ),
    errors.Interrupted: "Run Terraform again to go on.",
    errors.ConnectionFailed: (
        "Check the network, a proxy in between, and api_endpoint. Then run Terraform again."
    ),
    errors.TimedOut: (
        "Check the network and a proxy in between; a slow connection may need a longer "
        "request_timeout. Then run Terraform again."
    ),
    errors.TlsFailed: (
        "Check api_endpoint and the clock of this machine. If a proxy puts a certificate of its "
        "own in the place of Crusoe's, take the certificate of its authority and name the file "
        "with it in SSL_CERT_FILE; where neither that nor SSL_CERT_DIR is set it may be installed "
        "in this system (Linux) instead. Verification cannot be switched off."
    ),
    errors.UnexpectedAnswer: (
        "Check that api_endpoint leads to the Crusoe API and that no proxy answers in its place."
    ),
    errors.NotDeleted: (
        "The token stays in the state. Run Terraform again; if it stays listed, ask Crusoe support."
    ),
    errors.NotSent: "Check the settings of proxies and TLS in the environment, then try again.",
    errors.OrganizationNotDetermined: (
        "Set organization_id in the provider block, on the resource, or as "
        "CRUSOE_ORGANIZATION_ID in the environment."
    ),
    errors.ApiError: (
        "Crusoe has refused the request for the reason it gives. Correct that, then run Terraform "
        "again."
    ),
}
_HEADLINES: Final[Mapping[type[errors.CrusoeError], str]] = {
    errors.OrganizationNotDetermined: "Organization not determined",
    errors.AuthenticationFailed: "Crusoe refused the credentials",
    errors.PermissionDenied: "Crusoe refused permission",
    errors.ConnectionFailed: "Crusoe API not reachable",
}
_UNKNOWN: Final = {
    "credentials": (
        "Credentials not known yet",
        (
            "The provider block takes its settings from a resource that does not exist yet, so "
            "nothing can be asked of Crusoe, and nothing was."
        ),
    ),
    "organization_id": (
        "Organization not known yet",
        (
            "The provider block takes organization_id from a resource that does not exist yet, so "
            "it is not known where to look, and nothing was asked of Crusoe."
        ),
    ),
}


_UNREADABLE: Final = Diagnosis(
    "Unreadable state",
    "The stored state of this storage token names no access_key_id, so it cannot be told which "
    "token it is. Somebody has edited the state.\n\n"
    "Restore the state from a backup, or remove the token from it (terraform state rm) and import "
    "it again.",
)


class Refusal(Exception):  # noqa: N818 - named as what it is to the user
    """What the user asks for cannot be done.

    Args:
        diagnosis: What to tell.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.summary)
        self.diagnosis = diagnosis


class Failure(Exception):  # noqa: N818 - named as what it is to the user
    """An operation failed for an error of the API.

    Args:
        summary: What failed, without values.
        cause: The error.
        then: What comes of it, and what else to do.
    """

    def __init__(self, summary: str, cause: errors.CrusoeError, then: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.cause = cause
        self.then = then


@contextmanager
def failing(summary: str | None = None, then: str = "") -> Iterator[None]:
    """Give errors of the API in the body a headline.

    Args:
        summary: What failed, without values. Default: as the kind of the error says.
        then: What comes of it, and what else to do.

    Raises:
        Failure: In place of the error.
    """
    try:
        yield
    except errors.CrusoeError as error:
        headline = _of_kind(_HEADLINES, error) or "Crusoe did not answer as expected"
        raise Failure(summary or headline, error, then) from error


def diagnose(error: BaseException, *, credentials: str) -> Diagnosis | None:
    """Return what to tell the user of an error; `None` if it is none of ours.

    Args:
        error: What was raised.
        credentials: Where the credentials in use come from, in words.
    """
    match error:
        case Refusal():
            return error.diagnosis
        case Failure():
            parts = (_detail(error.cause, credentials), error.then)
            return Diagnosis(error.summary, "\n\n".join(filter(None, parts)))
        case errors.CrusoeError():
            summary = _of_kind(_HEADLINES, error) or "Crusoe did not answer as expected"
            return Diagnosis(summary, _detail(error, credentials))
        case TokenError():
            return _token_diagnosis(error, credentials)
    return None


def _token_diagnosis(error: TokenError, credentials: str) -> Diagnosis | None:
    match error:
        case QuotaExceeded():
            found = quota_texts.diagnosis(error)
        case AnswerLost():
            found = lost_answer_texts.diagnosis(error)
        case ForeignToken():
            found = _foreign(error, credentials)
        case NotKnownYet():
            summary, problem = _UNKNOWN[error.what]
            found = Diagnosis(
                summary, f"{problem}\n\nCreate that resource first, with terraform apply -target=…"
            )
        case SecretClaimed():
            found = _secret_claimed(error)
        case WrongRecipient():
            found = encryption_texts.wrong_recipient(error.index, error.flaw)
        case OwnerUnknown():
            found = Diagnosis(
                "Owner of the listed tokens unknown",
                f"{owner_unknown(error)}\n\n"
                "Please report it, with the user IDs above: the provider has not met this yet.",
            )
        case _:  # InvalidToken
            found = _UNREADABLE
    return found


def _foreign(error: ForeignToken, credentials: str) -> Diagnosis:
    return Diagnosis(
        "Storage token belongs to another user",
        f"{error.name} belongs to user {error.owner}, and the credentials in use "
        f"({credentials}) are those of user {error.caller.id}{_email(error.caller.email)}. "
        "A user sees and deletes only tokens of their own, so nothing can be said about "
        "this one.\n\n"
        "Run Terraform with the owner's credentials. If the owner is gone for good, remove "
        "the token from the state (terraform state rm) and have it deleted by an "
        "administrator.",
    )


def _secret_claimed(error: SecretClaimed) -> Diagnosis:
    return Diagnosis(
        "One secret for two imported tokens",
        f"{SECRET_VARIABLE} holds one secret, and two tokens are to get theirs from it in this "
        f"run: {error.first} and {error.second}. A secret belongs to one token.\n\n"
        "Import the tokens in runs of their own, each with its secret, or without the variable. "
        "One whose import was planned before, and not carried out to its end, still waits for "
        "its own.",
    )


def _detail(error: errors.CrusoeError, credentials: str) -> str:
    why = "Terraform asked to stop. " if isinstance(error, errors.Interrupted) else ""
    return f"{why}{error}\n\n{advice(error, credentials=credentials)}"


def advice(error: errors.CrusoeError, *, credentials: str) -> str:
    """Return what a practitioner can do about `error`."""
    text = _of_kind(_ADVICE, error) or "Run Terraform again."
    if isinstance(error, errors.RateLimited) and error.retried:
        text += " A higher max_retries in the provider block makes it more patient."
    return text.format(credentials=credentials)


def told(sessions: "Sessions", detail: str) -> str:
    """Return a detail that says whom it is about, where there is more than one."""
    return about(detail, sessions.here()) if sessions.several() else detail


def about(detail: str, whom: "Whom | None") -> str:
    """Return a detail that says whom it is about, for where there is more than one.

    Args:
        detail: What there is to tell.
        whom: Whom it is about, if that is known.
    """
    if whom is None:
        return detail
    name = f"Profile: {whom.profile}" if whom.profile else "Profile: none"
    user = whom.session.account.known_identity()
    of = f"; user {user.email or user.id}" if user else ""
    return f"{detail}\n\n{printable(name)} ({whom.credentials}){of}."


def owner_unknown(error: OwnerUnknown) -> str:
    """Return why the limit cannot be checked."""
    users = ", ".join(error.users)
    return (
        f"Crusoe lists tokens of several users ({users}), and none of these IDs is of the same "
        f"kind as that of the user whose credentials are in use ({error.caller.id}), so it is not "
        "known which tokens count."
    )


def add_problems(
    diagnostics: "Diagnostics", problems: "Iterable[Problem]", *, warnings: bool = False
) -> None:
    """Report problems of the provider block, each on its attribute, as errors or as warnings."""
    for problem in problems:
        path = [problem.attribute] if problem.attribute else None
        if warnings:
            diagnostics.add_warning(problem.summary, problem.detail, path=path)
        else:
            diagnostics.add_error(problem.summary, problem.detail, path=path)


def _of_kind(
    texts: Mapping[type[errors.CrusoeError], str], error: errors.CrusoeError
) -> str | None:
    return next((texts[kind] for kind in type(error).__mro__ if kind in texts), None)


def _email(email: str | None) -> str:
    return f" ({email})" if email else ""
