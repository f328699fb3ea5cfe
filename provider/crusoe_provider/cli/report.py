"""What `check` reports: one line for each thing that it has looked at, for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from crusoe_provider.api.text import printable
from crusoe_provider.version import __version__

FORMAT_VERSION: Final = 1
"""The version of the JSON form: it changes when a reader of the form before would break."""

_LONGEST: Final = 2000
_NAME_WIDTH: Final = 13
_STATUS_WIDTH: Final = 7


class Status(StrEnum):
    """How it is with something."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at.

    Attributes:
        name: What was looked at; the names are part of the JSON form.
        status: How it is with it.
        message: What was found, without any secret.
        advice: What to do, where something is to be done.
        details: The same as values, for programs.
    """

    name: str
    status: Status
    message: str
    advice: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def has_problem(lines: Sequence[Line]) -> bool:
    """Say whether something has to be done."""
    return any(line.status is Status.PROBLEM for line in lines)


def as_text(lines: Sequence[Line]) -> str:
    """Return a line for each thing, and below it what to do, if there is something to do."""
    indent = " " * (_STATUS_WIDTH + _NAME_WIDTH + 4)
    shown = []
    for line in lines:
        message = printable(line.message, _LONGEST)
        shown.append(f"{line.status:{_STATUS_WIDTH}}  {line.name:{_NAME_WIDTH}}  {message}")
        if line.advice:
            shown.append(f"{indent}→ {printable(line.advice, _LONGEST)}")
    return "\n".join(shown)


def as_json(lines: Sequence[Line]) -> str:
    """Return the report for programs; the form is documented in docs/guides/check.md."""
    document = {
        "format_version": FORMAT_VERSION,
        "provider_version": __version__,
        "ok": not has_problem(lines),
        "checks": [
            {
                "name": line.name,
                "status": line.status,
                "message": printable(line.message, _LONGEST),
                "advice": printable(line.advice, _LONGEST) if line.advice else None,
                "details": dict(line.details),
            }
            for line in lines
        ],
    }
    return json.dumps(document, indent=2)
