"""Failures of a call, as diagnostics."""

import logging
import traceback
from typing import Any

from tf.utils import Diagnostic, Diagnostics

logger = logging.getLogger(__name__)


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


def add_exception(diagnostics: Diagnostics, rpc: str, exc: Exception) -> None:
    """Report `exc`, raised while serving `rpc`, in `diagnostics`.

    A `RequestError` speaks for itself. Anything else is a defect of the provider: the user gets
    its kind and place, and the log, at debug level, the traceback. The exception's own text stays
    out of both, because nobody can promise that it quotes no secret.
    """
    if isinstance(exc, RequestError):
        diagnostics.add_error(exc.summary, exc.detail)
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
