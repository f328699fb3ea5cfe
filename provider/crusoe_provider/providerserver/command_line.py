"""The command line of Terraform (or OpenTofu), read as Terraform reads it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Self

# Options that may take the next argument for their value. Every other one is a boolean, which Go's
# flag package reads from `-name` or `-name=value` alone.
_WITH_VALUE: Final = frozenset(
    {
        "backup",
        "deprecation",
        "exclude",
        "exclude-file",
        "generate-config-out",
        "invoke",
        "json-into",
        "lock-timeout",
        "out",
        "parallelism",
        "replace",
        "state",
        "state-out",
        "target",
        "target-file",
        "var",
        "var-file",
    }
)
# Python's letters may stand together, as in -Im; Terraform's -chdir=team is none of them.
_PYTHONS_MODULE: Final = re.compile(r"-[A-Za-z]*m")
# What Go's strconv.ParseBool takes for true.
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
# The key of an instance, in which anything may stand.
_INDEX: Final = re.compile(r"\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\]")
_DEFAULT_PARALLELISM: Final = 10


class Does(Enum):
    """What a command does with the providers that it configures."""

    PLANS = auto()
    APPLIES = auto()
    BOTH = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class CommandLine:
    """A command of Terraform with the options that count.

    Attributes:
        name: The subcommand, such as `apply`; empty if there is none.
        options: The options by name, without hyphens; of one that is given twice the last.
        positional: Whether an argument follows that is no option: a saved plan, for `apply`.
        replaced: The addresses of all options `-replace`.
    """

    name: str
    options: Mapping[str, str]
    positional: bool
    replaced: tuple[str, ...] = ()

    @classmethod
    def read(cls, command: Sequence[str], environ: Mapping[str, str]) -> Self:
        """Read a command line.

        Args:
            command: The program and its arguments.
            environ: The environment; `TF_CLI_ARGS` and `TF_CLI_ARGS_<name>` hold more arguments,
                which Terraform puts before its own.
        """
        name, given = _split(command[1:])
        variables = ("TF_CLI_ARGS", f"TF_CLI_ARGS_{name.replace('-', '_')}")
        more = [word for variable in variables for word in _words(environ.get(variable, ""))]
        return cls(name, *_read([*more, *given]))

    def does(self) -> Does:
        """Return what the command does."""
        match self.name:
            case "plan" | "refresh" | "import" | "console" | "query":
                return Does.PLANS
            case "apply":
                return Does.APPLIES if self.positional else Does.BOTH
            case "destroy":
                return Does.BOTH
        # `test` plans and applies in turn, as often as its files say.
        return Does.UNKNOWN

    def creates_nothing(self) -> bool:
        """Say whether the command certainly does no more than destroy or refresh."""
        if self.name in {"destroy", "refresh"}:
            return True
        chosen = any(self.options.get(mode) in _TRUE for mode in ("destroy", "refresh-only"))
        return chosen and self.name in {"plan", "apply"} and not self.positional

    def only_refreshes(self) -> bool:
        """Say whether the command certainly does no more than refresh."""
        if self.name == "refresh":
            return True
        return self.options.get("refresh-only") in _TRUE and self.creates_nothing()

    def is_targeted(self) -> bool:
        """Say whether the command works on a part of the configuration only."""
        names = ("target", "target-file", "exclude", "exclude-file")
        return any(name in self.options for name in names)

    def replaces(self, type_name: str) -> int:
        """Return how many objects of a resource type the command is told to replace.

        Whether there are objects with these addresses is not known here.
        """
        of_type = [a for a in self.replaced if _INDEX.sub("", a).split(".")[-2:-1] == [type_name]]
        return len(set(of_type))

    def parallelism(self) -> int:
        """Return how many operations run at a time."""
        given = self.options.get("parallelism", "")
        return int(given) if given.isdecimal() else _DEFAULT_PARALLELISM


def _split(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the subcommand and what follows it; options before it are global ones."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if rest and _PYTHONS_MODULE.fullmatch(option):
            rest.pop(0)  # Terraform as a library of Python: python -m MODULE apply
    return (rest[0], rest[1:]) if rest else ("", ())


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # Terraform refuses it, too
        return []


def _read(arguments: Sequence[str]) -> tuple[dict[str, str], bool, tuple[str, ...]]:
    options: dict[str, str] = {}
    replaced: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            break
        if not argument.startswith("-") or argument == "-":
            return options, True, tuple(replaced)
        name, equals, value = argument.removeprefix("-").removeprefix("-").partition("=")
        if not equals and name in _WITH_VALUE:
            value = rest.pop(0) if rest else ""
        options[name] = value if equals or name in _WITH_VALUE else "true"
        if name == "replace":
            replaced.append(value)
    return options, bool(rest), tuple(replaced)
