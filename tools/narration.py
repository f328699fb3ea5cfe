"""What the demonstration tells its reader, and never tells."""

import itertools
import os
from typing import Final, TextIO

# How sentences of Terraform begin that mean something to who types the commands, but not here. The
# rest of the paragraph goes with them.
_LEFT_OUT: Final = (
    "Terraform has created a lock file",
    "Warning: Incomplete lock file information",
    "Due to your customized provider installation",
    "The current .terraform.lock.hcl file only includes",
    "To calculate additional checksums",
    "Terraform used the selected providers",
    "Terraform will perform the following actions",
    "Resource actions are indicated with",
    "Terraform has compared your real infrastructure",
    "Note: You didn't use the -out option",
    "Saved the plan to:",
    "To perform exactly these actions",
    "──",
)
_HEADLINES: Final = frozenset({"Initializing the backend...", "Initializing provider plugins..."})
_BOLD: Final = "\x1b[1m"
_DIM: Final = "\x1b[2m"
_RED: Final = "\x1b[31m"
_RESET: Final = "\x1b[0m"


class SecretShownError(Exception):
    """Something was about to be printed, or had been, that holds a secret."""


class Narrator:
    """Prints numbered steps, commands and condensed output, and refuses to print secrets.

    Args:
        out: Where to print.
        colour: Whether `out` shows colours; see `shows_colour`.
    """

    def __init__(self, out: TextIO, *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._step = 0
        self._shown: list[str] = []
        self._secrets: dict[str, str] = {}

    def keep_secret(self, name: str, secret: str) -> None:
        """Never print `secret` from now on.

        Raises:
            SecretShownError: It has been printed already.
        """
        self._secrets[secret] = name
        for text in self._shown:
            self._check(text)

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._step += 1
        self._print("")
        self._print(f"{self._step}. {title}", _BOLD)

    def say(self, text: str) -> None:
        """Print a remark."""
        for line in text.splitlines():
            self._print(f"   {line}" if line else "")

    def command(self, line: str) -> None:
        """Print the command that runs next."""
        self._print(f"   $ {line}", _BOLD)

    def quote(self, output: str, *, whole: bool = False) -> None:
        """Print what a program has printed, shortened unless `whole`; all of it is checked."""
        self._shown.append(output)
        self._check(output)
        for line in (output if whole else condensed(output)).splitlines():
            self._print(f"   | {line}", _DIM)

    def exports(self, lines: str) -> None:
        """Print lines for the reader's shell, which may hold the simulator's credentials."""
        print(lines, file=self._out, flush=True)

    def failure(self, text: str) -> None:
        """Print why the demonstration has failed."""
        self._print("")
        self._print(f"FAILED: {text}", _RED)

    def _print(self, text: str, style: str = "") -> None:
        self._shown.append(text)
        self._check(text)
        styled = f"{style}{text}{_RESET}" if self._colour and style else text
        print(styled, file=self._out, flush=True)

    def _check(self, text: str) -> None:
        for secret, name in self._secrets.items():
            if secret in text:
                raise SecretShownError(f"{name} appeared in the output.")


def shows_colour(out: TextIO) -> bool:
    """Return whether to colour what is printed to `out`: to a terminal, unless NO_COLOR is set."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def condensed(output: str) -> str:
    """Return Terraform's output without blank lines and standing phrases."""
    kept = []
    for paragraph in output.split("\n\n"):
        lines = paragraph.splitlines()
        wanted = itertools.takewhile(lambda line: not _is_left_out(line), lines)
        kept += [line for line in wanted if line.strip() and line not in _HEADLINES]
    return "\n".join(kept)


def _is_left_out(line: str) -> bool:
    return line.lstrip().replace("OpenTofu", "Terraform", 1).startswith(_LEFT_OUT)
