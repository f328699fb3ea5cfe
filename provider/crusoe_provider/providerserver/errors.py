"""Failures of a call, as diagnostics."""

import logging
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tf.utils import Diagnostic, Diagnostics

logger = logging.getLogger(__name__)


class Diagnosis(NamedTuple):
    """What to tell the user of an error.

    Attributes:
        summary: What failed, without values.
        detail: What happened and what to do.
        path: The attribute to blame, if one is.
    """

    summary: str
    detail: str
    path: Sequence[str] | None = None


class RequestError(Exception):
    """A request that cannot be served as it is.

    Args:
        summary: What failed, without values.
        detail: What happened and what to do.
    """

    def __init__(self, summary: str, detail: str) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail


class MalformedRequestError(RequestError):
    """A request that breaks the protocol, as Terraform never does.

    Args:
        what: What is wrong with it, without values.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            "Malformed request",
            f"{what}\n\n"
            "Terraform and the provider do not understand each other. Try again with another "
            "version of Terraform, and if that does not help please report it.",
        )


def add_exception(
    diagnostics: Diagnostics,
    rpc: str,
    exc: Exception,
    diagnose: Callable[[Exception], Diagnosis | None],
) -> None:
    """Report `exc`, raised while serving `rpc`, in `diagnostics`.

    A `RequestError` speaks for itself, and the provider says what its own errors mean. Anything
    else is a defect of the provider: the user gets its kind and place, and the log, at debug level,
    the traceback. The exception's own text stays out of both, because nobody can promise that it
    quotes no secret.

    Args:
        diagnostics: Where to report.
        rpc: The name of the call.
        exc: What was raised.
        diagnose: What the provider makes of it; see `Provider.diagnose`.
    """
    if isinstance(exc, RequestError):
        diagnostics.add_error(exc.summary, exc.detail)
        return
    if diagnosis := diagnose(exc):
        path = list(diagnosis.path) if diagnosis.path else None
        diagnostics.add_error(diagnosis.summary, diagnosis.detail, path=path)
        return
    frames = traceback.extract_tb(exc.__traceback__)
    where = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
    logger.debug(
        "%s failed: %s\n%s", rpc, type(exc).__name__, "".join(traceback.format_list(frames))
    )
    diagnostics.add_error(
        "Unexpected error in the Crusoe provider",
        f"{rpc} failed with {type(exc).__name__} at {where}. What had been done before is kept.\n\n"
        "This is a defect of the provider, not of your configuration. Please report it with the "
        "log of a run with TF_LOG_PROVIDER=DEBUG, after checking that the log holds nothing "
        "confidential.",
    )


def add_diagnostics(response: Any, diagnostics: Diagnostics) -> None:
    """Put `diagnostics` into a response; text that is no valid Unicode is replaced, not fatal."""
    found = [
        Diagnostic(d.severity, _printable(d.summary), _printable(d.detail or ""), d.path).to_pb()
        for d in diagnostics.diagnostics
    ]
    # The messages of `ephemeral.proto` have them as bytes.
    embedded = response.DESCRIPTOR.fields_by_name["diagnostics"].message_type is not None
    response.diagnostics.extend(found if embedded else [d.SerializeToString() for d in found])


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
