"""Whether Terraform is planning or applying, which no request of the protocol tells.

An apply repeats `PlanResourceChange` for everything it creates, with exactly the request of the
plan phase. Nearly always that does not matter. It does when a plan was accepted because it frees
something that a creation needs: the repetition may come before the freeing, and must not be taken
for a new plan. So, only then, this module looks at the command that started the plugin:
`terraform plan` plans, `terraform apply FILE` applies. Plain `terraform apply` does both, each in a
plugin process of its own, and there the plan's process leaves a note for the one that applies.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Final

# What is rarely needed here is imported where it is: every start of the plugin loads this module.

# Options of `terraform apply` whose value may be the next argument.
_OPTIONS_WITH_VALUE: Final = frozenset(
    {
        "-backup",
        "-lock-timeout",
        "-parallelism",
        "-replace",
        "-state",
        "-state-out",
        "-target",
        "-var",
        "-var-file",
    }
)
_NOTE: Final = re.compile(
    r"tf-crusoe-note-(?P<uid>\d+)-(?P<pid>\d+)-(?P<started>[\w-]+)\.(?P<label>\w*)"
)
_PARALLELISM: Final = re.compile(r"--?parallelism=(\d+)")
_DEFAULT_PARALLELISM: Final = 10


class Phase(Enum):
    """What a Terraform command does with a provider that it has configured."""

    PLANS = auto()
    APPLIES = auto()
    DOES_BOTH = auto()
    UNKNOWN = auto()


def phase_of(command: Sequence[str]) -> Phase:
    """Return what a command line of Terraform (or OpenTofu) does.

    Args:
        command: The program and its arguments.
    """
    arguments = list(command[1:])
    while arguments and arguments[0].startswith("-"):
        arguments.pop(0)
    match arguments:
        case ["plan" | "refresh" | "import" | "console", *_]:
            return Phase.PLANS
        case ["apply", *rest]:
            return Phase.APPLIES if _has_positional(rest) else Phase.DOES_BOTH
        case ["destroy" | "test", *_]:
            return Phase.DOES_BOTH
    return Phase.UNKNOWN


def _has_positional(arguments: Sequence[str]) -> bool:
    value_follows = False
    for argument in arguments:
        name = argument.replace("--", "-", 1) if argument.startswith("--") else argument
        if value_follows:
            value_follows = False
        elif name.startswith("-"):
            value_follows = name in _OPTIONS_WITH_VALUE
        else:
            return True
    return False


class TerraformProcess:
    """The Terraform that has started this process.

    Args:
        pid: Its process ID.
        environ: Its environment.
        folder: Where notes are left.
        label: Tells the notes of one provider block from those of others.
    """

    def __init__(
        self,
        pid: int,
        environ: Mapping[str, str] = os.environ,
        *,
        folder: Path | None = None,
        label: str = "",
    ) -> None:
        self._pid = pid
        self._environ = environ
        self._folder = folder or Path(tempfile.gettempdir())
        self._label = label
        self._applying: bool | None = None
        self._others = 0

    def with_label(self, *parts: str | None) -> "TerraformProcess":
        """Return the same process, with notes of its own for what `parts` name."""
        import hashlib  # noqa: PLC0415 - see above

        label = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
        return TerraformProcess(self._pid, self._environ, folder=self._folder, label=label)

    def parallelism(self) -> int:
        """Return how many operations Terraform carries out at a time."""
        import shlex  # noqa: PLC0415 - see above

        command = _command_of(self._pid)
        name = next((word for word in command[1:] if not word.startswith("-")), "apply")
        arguments = " ".join(
            [
                *shlex.split(self._environ.get("TF_CLI_ARGS", "")),
                *shlex.split(self._environ.get(f"TF_CLI_ARGS_{name}", "")),
                *command,
            ]
        )
        given = _PARALLELISM.findall(arguments.replace("parallelism ", "parallelism="))
        return int(given[-1]) if given else _DEFAULT_PARALLELISM

    def may_be_applying(self) -> bool:
        """Say whether this process may serve an apply of a plan that relies on freed slots.

        When nothing can be found out the answer is yes: an alarm that comes only in the apply is
        better than a false one.
        """
        if self._applying is None:
            phase = phase_of(_command_of(self._pid))
            if phase is Phase.DOES_BOTH:
                self._applying = self._note().exists()
            else:
                self._applying = phase is not Phase.PLANS
        return self._applying

    def other_plugins(self) -> int:
        """Return how many other processes Terraform has been seen to run beside this one at a time.

        One that has ended counts: what waited for it may not have come yet.
        """
        now = len(_children_of(self._pid) - {os.getpid()})
        self._others = max(self._others, now)
        return self._others

    def applies_saved_plan(self) -> bool:
        """Say whether this is certainly the apply of a plan that was made by another command."""
        return phase_of(_command_of(self._pid)) is Phase.APPLIES

    def note_reliance(self) -> None:
        """Note, in a plan, that it was accepted because it frees what a creation needs."""
        if phase_of(_command_of(self._pid)) is not Phase.DOES_BOTH:
            return
        self._remove_stale_notes()
        # Without the note an apply may be refused that could have waited; nothing breaks.
        with contextlib.suppress(OSError):
            self._note().touch(mode=0o600)

    def forget_reliance(self) -> None:
        """Remove the note, once the apply that it was meant for has begun."""
        self.may_be_applying()  # from now on the note is remembered here
        with contextlib.suppress(OSError):
            self._note().unlink(missing_ok=True)

    def _note(self) -> Path:
        name = f"tf-crusoe-note-{os.getuid()}-{self._pid}-{_start_of(self._pid)}"
        return self._folder / f"{name}.{self._label}"

    def _remove_stale_notes(self) -> None:
        for path in self._folder.glob(f"tf-crusoe-note-{os.getuid()}-*"):
            match = _NOTE.fullmatch(path.name)
            if match and _start_of(int(match["pid"])) != match["started"]:
                with contextlib.suppress(OSError):
                    path.unlink()


def _command_of(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        return raw.decode(errors="replace").rstrip("\0").split("\0")
    return _ps("args", pid).split()  # macOS has no /proc


def _children_of(pid: int) -> set[int]:
    """Return the IDs of the child processes, as far as they can be found out."""
    try:
        stats = [(int(p.name), p / "stat") for p in Path("/proc").iterdir() if p.name.isdigit()]
    except OSError:
        lines = (line.split() for line in _ps_all().splitlines())
        return {int(child) for child, parent in lines if int(parent) == pid}
    children = set()
    for child, stat in stats:
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                children.add(child)
    return children


def _start_of(pid: int) -> str:
    """Return a text that tells this process from an earlier one with the same ID."""
    with contextlib.suppress(OSError):
        # The name in parentheses may hold anything; what follows it are fields from the third on.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[19]  # starttime, the 22nd of proc(5)
    return "-".join(re.findall(r"\w+", _ps("lstart", pid))) or "gone"


def _ps(column: str, pid: int) -> str:
    return _run_ps("-o", f"{column}=", "-p", str(pid))


def _ps_all() -> str:
    return _run_ps("-A", "-o", "pid=,ppid=")


def _run_ps(*arguments: str) -> str:
    import subprocess  # noqa: PLC0415 - see above

    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["ps", *arguments], capture_output=True, text=True, timeout=5, check=False
        )
        return done.stdout.strip()
    return ""
