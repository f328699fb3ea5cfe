"""Text that others have written, made fit for a terminal, a CI log and a shell."""

import re
import shlex
import unicodedata
from typing import Final

LONGEST: Final = 500
"""How many characters of a foreign text are shown, unless somebody says otherwise."""

# Controls (escape among them), format and bidi characters, surrogates, private and unassigned ones,
# line and paragraph separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# What CI systems take for a command: "::error::" (GitHub), "##[error]", "##vso[…]" and others. It
# counts at the beginning of a line only, but lines are wrapped, so nowhere is it left as it is.
_COMMAND: Final = re.compile(r"([:#])(?=\1[A-Za-z\[])")
_ORDINARY: Final = re.compile(rf"[A-Za-z0-9_.:@/+=-]{{1,{LONGEST}}}")


def printable(text: str, longest: int = LONGEST) -> str:
    """Return `text` as one line that a terminal and a CI log show and do not obey.

    Args:
        text: Anything; it is cut first, so that cleaning takes a bounded time.
        longest: How many characters are kept; an ellipsis says that there were more.
    """
    line = re.sub(r"\s", " ", text[: longest + 1])
    line = "".join(c for c in line if unicodedata.category(c) not in _HIDDEN)
    line = _COMMAND.sub(r"\1 ", re.sub(" +", " ", line).strip())
    return line if max(len(text), len(line)) <= longest else f"{line[:longest]}…"


def is_plain(text: str) -> bool:
    """Say whether a foreign text is shown as it is: one short line with nothing hidden in it."""
    # Lists have thousands of IDs and dates, hardly any of which is worth a second look.
    ordinary = _ORDINARY.fullmatch(text) and "::" not in text
    return bool(ordinary or (text and printable(text) == text))


def shell_word(text: str) -> str:
    """Return `text` as one word for a POSIX shell, whatever it holds.

    For what is offered for pasting: an ID that the API names is data, and no part of a command.
    """
    return shlex.quote(printable(text))
