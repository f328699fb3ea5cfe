"""Failures of a call, as diagnostics."""

import logging
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tf.utils import Diagnostics

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.shortage import shortage_behind
from crusoe_provider.providerserver.text import printable, printable_line

if TYPE_CHECKING:
    from crusoe_provider.providerserver.provider import Provider

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


def diagnosis_of(rpc: str, exc: BaseException, provider: "Provider") -> Diagnosis:
    """Return what to tell the user of an exception.

    A `RequestError` speaks for itself, and the provider says what its own errors mean. Anything
    else is a defect of the provider: the user gets its kind and place, and the log, at debug level,
    the traceback. The exception's own text stays out of both, because nobody can promise that it
    quotes no secret.

    Args:
        rpc: The name of the call that raised it.
        exc: What was raised.
        provider: The provider.
    """
    if isinstance(exc, RequestError):
        return Diagnosis(exc.summary, exc.detail)
    try:
        if known := provider.diagnose(exc):
            return known
    except Exception:  # noqa: BLE001 - then the first one is reported as it is
        logger.debug("The diagnosis failed, too")
    if lacking := shortage_behind(exc):
        return Diagnosis(
            f"Not enough {lacking}",
            f"{rpc} of {provider.full_name()} failed because this machine, or a limit set for the "
            f"process, has not enough {lacking} left. How far it had come by then is not known.\n\n"
            "Make room or raise the limit, then run Terraform again. With a lower -parallelism it "
            "needs less.",
        )
    frames = traceback.extract_tb(exc.__traceback__)
    where = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
    logger.debug(
        "%s failed: %s\n%s", rpc, type(exc).__name__, "".join(traceback.format_list(frames))
    )
    return Diagnosis(
        "Unexpected error in the provider",
        f"{rpc} of {provider.full_name()} failed with {type(exc).__name__} at {where}. How far it "
        "had come by then is not known.\n\n"
        "This is a defect of the provider, not of your configuration. Please report it with the "
        "log of a run with TF_LOG_PROVIDER=DEBUG, after checking that the log holds nothing "
        "confidential.",
    )


def add_exception(
    diagnostics: Diagnostics, rpc: str, exc: BaseException, provider: "Provider"
) -> None:
    """Report `exc` in `diagnostics`; see `diagnosis_of`."""
    found = diagnosis_of(rpc, exc, provider)
    path = list(found.path) if found.path else None
    diagnostics.add_error(found.summary, found.detail, path=path)


def messages_of(diagnostics: Diagnostics) -> Iterable[pb.Diagnostic]:
    """Return diagnostics for the wire, their text fit to be printed."""
    for found in diagnostics.diagnostics:
        message = pb.Diagnostic(
            severity=found.severity.upper(),
            summary=printable_line(found.summary),
            detail=printable(found.detail or ""),
        )
        if found.path:
            message.attribute.CopyFrom(attribute_path(found.path))
        yield message


def attribute_path(path: Iterable[Any]) -> pb.AttributePath:
    """Return a path as `tf` has it: names as text, keys and indexes in a tuple of one."""
    return pb.AttributePath(steps=[_step(step) for step in path])


def _step(step: Any) -> pb.AttributePath.Step:
    if not isinstance(step, tuple):
        return pb.AttributePath.Step(attribute_name=printable_line(str(step)))
    (key,) = step
    if isinstance(key, int):
        return pb.AttributePath.Step(element_key_int=key)
    return pb.AttributePath.Step(element_key_string=str(key))
