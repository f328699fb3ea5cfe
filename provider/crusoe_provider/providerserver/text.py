"""Text that leaves this process for a terminal, or for the log of a pipeline."""

import re
import unicodedata
from typing import Final

_KEPT_CONTROLS: Final = frozenset("\n\t")
# They join letters in several scripts, and the parts of an emoji.
_KEPT_FORMATS: Final = frozenset("\u200c\u200d")
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
# What GitHub Actions and Azure Pipelines take for a command in the output of a step.
_COMMAND: Final = re.compile(r"^(\s*:)(?=:)|(##\w*)(?=\[)", re.MULTILINE)


def printable(text: str) -> str:
    """Return `text` fit to be printed: several lines, and nothing that does more than appear.

    Control, escape and bidirectional characters are taken out, what is no valid Unicode is
    replaced, and what a pipeline would take for a command gets a space into it.
    """
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode()
    if not text.isascii() or not text.isprintable():
        text = "".join(filter(_is_printable, text))
    return _COMMAND.sub(_with_space, text)


def printable_line(text: str) -> str:
    """Return `text` as one line, fit to be printed."""
    return " ".join(printable(text).split())


def _is_printable(character: str) -> bool:
    if character in _KEPT_CONTROLS or character in _KEPT_FORMATS:
        return True
    return unicodedata.category(character) not in _UNPRINTABLE


def _with_space(match: re.Match[str]) -> str:
    return f"{match[0]} "
