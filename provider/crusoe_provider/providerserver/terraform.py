"""The Terraform that has started this process, and whether it is planning or applying.

An apply repeats `PlanResourceChange` for everything it creates, with exactly the request of the
plan phase. Nearly always that does not matter. It does when a plan was accepted because it frees
something that a creation needs: the repetition may come before the freeing, and must not be taken
for a new plan. Since 1.9 Terraform's capabilities tell the phases apart, from `ConfigureProvider`
on. Where they do not, the command that started the plugin does: `terraform plan` plans, `terraform
apply FILE` applies. Plain `apply` does both, each in a plugin process of its own, and there the
first one leaves a marker for the second.
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
_MARKER_PREFIX: Final = "tf-plugin-planned-"
_MARKER: Final = re.compile(
    _MARKER_PREFIX + r"(?P<uid>\d+)-(?P<pid>\d+)-(?P<started>[\w-]+)\.(?P<label>\w*)"
)
_PARALLELISM: Final = re.compile(r"--?parallelism=(\d+)")
_DEFAULT_PARALLELISM: Final = 10


class Phase(Enum):
    """What Terraform does with a provider that it has configured."""

    PLANNING = auto()
    APPLYING = auto()
    UNKNOWN = auto()


class Command(Enum):
    """What a command of Terraform does with the providers that it configures."""

    PLANS = auto()
    APPLIES = auto()
    DOES_BOTH = auto()
    UNKNOWN = auto()


def command_of(command: Sequence[str]) -> Command:
    """Return what a command line of Terraform (or OpenTofu) does.

    Args:
        command: The program and its arguments.
    """
    arguments = list(command[1:])
    while arguments and arguments[0].startswith("-"):
        arguments.pop(0)
    match arguments:
        case ["plan" | "refresh" | "import" | "console", *_]:
            return Command.PLANS
        case ["apply", *rest]:
            return Command.APPLIES if _has_positional(rest) else Command.DOES_BOTH
        case ["destroy" | "test", *_]:
            return Command.DOES_BOTH
    return Command.UNKNOWN


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


_PHASES: Final = {
    Command.PLANS: Phase.PLANNING,
    Command.APPLIES: Phase.APPLYING,
    Command.UNKNOWN: Phase.UNKNOWN,
}


class Terraform:
    """The Terraform that has started this process: go-plugin's host.

    Args:
        pid: Its process ID.
        environ: Its environment.
        folder: Where markers are left, if they have to be.
    """

    def __init__(
        self, pid: int, environ: Mapping[str, str] = os.environ, *, folder: Path | None = None
    ) -> None:
        self._pid = pid
        self._environ = environ
        self._folder = folder or Path(tempfile.gettempdir())
        self._phase = Phase.UNKNOWN
        self._others = 0

    def configures(self, config: bytes, *, deferral_allowed: bool) -> None:
        """Find out the phase, when Terraform configures the provider.

        Args:
            config: The provider block on the wire, which tells it from other blocks.
            deferral_allowed: What Terraform says of itself. Since 1.9 it is set in every apply and
                in no plan; OpenTofu never sets it.
        """
        if deferral_allowed:
            self._phase = Phase.APPLYING
            return
        command = command_of(_command_of(self._pid))
        if command is not Command.DOES_BOTH:
            self._phase = _PHASES[command]
        else:
            self._phase = self._phase_by_marker(config)

    def phase(self) -> Phase:
        """Return what Terraform does with this process, as far as it can be found out."""
        return self._phase

    def is_planning(self) -> bool:
        """Say whether it certainly plans."""
        return self._phase is Phase.PLANNING

    def is_applying(self) -> bool:
        """Say whether it certainly applies."""
        return self._phase is Phase.APPLYING

    def imports_only(self) -> bool:
        """Say whether its command is certainly `import`, which stores what is imported at once."""
        return "import" in _command_of(self._pid)[1:3]

    def creates_nothing(self) -> bool:
        """Say whether its command certainly only destroys or refreshes."""
        return False

    def loads_whole_state(self) -> bool:
        """Say whether it certainly plans with all of its state, so not with -target."""
        return self.is_planning()

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

    def other_plugins(self) -> int:
        """Return how many other processes Terraform has been seen to run beside this one at a time.

        One that has ended counts: what waited for it may not have come yet.
        """
        now = len(_children_of(self._pid) - {os.getpid()})
        self._others = max(self._others, now)
        return self._others

    def _phase_by_marker(self, config: bytes) -> Phase:
        """Tell the second process of one command for this provider block from the first."""
        import hashlib  # noqa: PLC0415 - see above

        self._remove_stale_markers()
        label = hashlib.sha256(config).hexdigest()[:16]
        marker = (
            self._folder
            / f"{_MARKER_PREFIX}{os.getuid()}-{self._pid}-{_start_of(self._pid)}.{label}"
        )
        with contextlib.suppress(OSError, ValueError):
            planner = int(marker.read_text())
            if _start_of(planner) != "gone":
                return Phase.PLANNING
            marker.unlink(missing_ok=True)
            return Phase.APPLYING
        with contextlib.suppress(OSError):
            marker.touch(mode=0o600)
            marker.write_text(str(os.getpid()))
            return Phase.PLANNING
        return Phase.UNKNOWN

    def _remove_stale_markers(self) -> None:
        for path in self._folder.glob(f"{_MARKER_PREFIX}{os.getuid()}-*"):
            match = _MARKER.fullmatch(path.name)
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
