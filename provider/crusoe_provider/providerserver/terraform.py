"""The Terraform that has started this process, and whether it is planning or applying.

An apply repeats `PlanResourceChange` for everything it creates, with exactly the request of the
plan phase. Nearly always that does not matter. It does when a plan was accepted because it frees
something that a creation needs: the repetition may come before the freeing, and must not be taken
for a new plan. What tells the two apart, in this order:

1. Since Terraform 1.9 its capabilities, from `ConfigureProvider` on.
2. The command that has started the plugin: `terraform plan` plans, `terraform apply FILE` applies.
3. Plain `apply` does both, each in a plugin process of its own. The first process that is
   configured leaves a marker, and while it lives the others plan, too. See `markers.py`.
"""

import os
import re
import threading
from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from crusoe_provider.providerserver.siblings import has_siblings, other_children

# What is rarely needed here is imported where it is: every start of the plugin loads this module,
# and the library that asks the operating system takes as long as all the rest of it.
if TYPE_CHECKING:
    from crusoe_provider.providerserver.command_line import CommandLine
    from crusoe_provider.providerserver.processes import Process

_TELLS_SINCE: Final = (1, 9)
# Go writes into each program what it was built from.
_IS_TERRAFORM: Final = b"path\tgithub.com/hashicorp/terraform\n"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


class Phase(Enum):
    """What Terraform does with a provider that it has configured."""

    PLANNING = auto()
    APPLYING = auto()
    UNKNOWN = auto()


class Terraform:
    """The Terraform that has started this process: go-plugin's host. Safe under threads.

    Args:
        pid: Its process ID.
        environ: Its environment.
        plugin: The ID of the process that it has started: this one, or the one in its place.
        folder: Where the folder of markers is made, if there have to be any.
    """

    def __init__(
        self,
        pid: int,
        environ: Mapping[str, str] = os.environ,
        *,
        plugin: int | None = None,
        folder: str | None = None,
    ) -> None:
        self._pid = pid
        self._plugin = os.getpid() if plugin is None else plugin
        self._environ = environ
        self._folder = folder
        self._lock = threading.Lock()
        self._config: bytes | None = None
        self._version = ""
        self._phase: Phase | None = Phase.UNKNOWN
        self._others = 0
        # OpenTofu starts one as soon as another is configured, which may have ended before this
        # one is.
        self._siblings_seen = has_siblings(pid, self._plugin, only_quickly=True)

    def configures(self, config: bytes, *, deferral_allowed: bool, version: str = "") -> None:
        """Take note of what Terraform says when it configures the provider.

        Args:
            config: The provider block on the wire, which tells it from other blocks.
            deferral_allowed: What Terraform says of itself. Since 1.9 it is set in every apply and
                in no plan; OpenTofu never sets it.
            version: The version of Terraform (or OpenTofu).
        """
        with self._lock:
            self._config = config
            self._version = version
            self._phase = Phase.APPLYING if deferral_allowed else None
        if not deferral_allowed:
            # Terraform starts them together, and those of other provider blocks may end soon.
            self._look_for_siblings()

    def phase(self) -> Phase:
        """Return what Terraform does with this process, as far as it can be found out.

        The first call may ask the operating system, and leave a marker for the process to come. So
        a process that plans a creation has to ask, if only for the one that will apply it.
        """
        with self._lock:
            if self._phase is None:
                self._phase = self._found_out()
            return self._phase

    def is_planning(self) -> bool:
        """Say whether it certainly plans."""
        return self.phase() is Phase.PLANNING

    def is_applying(self) -> bool:
        """Say whether it certainly applies."""
        return self.phase() is Phase.APPLYING

    def loads_whole_state(self) -> bool:
        """Say whether this process certainly is shown all of the state in a plan.

        Not with -target, nor where another provider block has a process of its own.
        """
        if not self.is_planning() or self._command().is_targeted():
            return False
        self._look_for_siblings()
        return not self._siblings_seen

    def imports_only(self) -> bool:
        """Say whether its command is certainly `import`, which stores what is imported at once."""
        return self._command().name == "import"

    def creates_nothing(self) -> bool:
        """Say whether the command certainly does no more than destroy or refresh.

        Terraform makes an ordinary plan before that of a destruction, and nothing that this one
        would run into must stand in the way of the other.
        """
        return self._command().creates_nothing()

    def only_refreshes(self) -> bool:
        """Say whether the command certainly does no more than refresh."""
        return self._command().only_refreshes()

    def takes_unknown_results(self) -> bool:
        """Say whether values of an ephemeral resource certainly may be unknown.

        OpenTofu calls that a defect of the provider.
        """
        return self._process().program_contains(_IS_TERRAFORM)

    def replaces(self, type_name: str) -> int:
        """Return how many objects of a resource type its command is told to replace.

        It is all that tells: the plan that comes first for an object to be replaced is that of an
        ordinary update.
        """
        return self._command().replaces(type_name)

    def parallelism(self) -> int:
        """Return how many operations Terraform carries out at a time."""
        return self._command().parallelism()

    def other_plugins(self) -> int:
        """Return how many other processes Terraform has been seen to run beside this one at a time.

        One that has ended counts: what waited for it may not have come yet.
        """
        self._look_for_siblings()
        now = len(other_children(self._pid, self._plugin))
        self._others = max(self._others, now)
        return self._others

    def _look_for_siblings(self) -> None:
        # One that was seen counts even when it has ended.
        self._siblings_seen = self._siblings_seen or has_siblings(self._pid, self._plugin)

    def _found_out(self) -> Phase:
        from crusoe_provider.providerserver.command_line import Does  # noqa: PLC0415 - see above

        does = self._command().does()
        # In this order: most commands say it themselves, and need no look at the program.
        if does is Does.PLANS or self._tells():
            return Phase.PLANNING
        match does:
            case Does.APPLIES:
                return Phase.APPLYING
            case Does.BOTH:
                return self._phase_by_marker()
        return Phase.UNKNOWN

    def _tells(self) -> bool:
        """Say whether this Terraform would have said so if it were applying."""
        version = _VERSION.match(self._version)
        recent = version is not None and (int(version[1]), int(version[2])) >= _TELLS_SINCE
        # OpenTofu counts its versions on from the same number, and may be called terraform, too.
        return recent and self._process().program_contains(_IS_TERRAFORM)

    def _phase_by_marker(self) -> Phase:
        from crusoe_provider.providerserver.markers import Markers  # noqa: PLC0415 - see above
        from crusoe_provider.providerserver.processes import Process  # noqa: PLC0415 - see above

        markers = Markers(self._folder, self._environ)
        here = Process.of(self._plugin)
        first = markers.first_of(self._process(), self._config or b"", here)
        if first is None:
            return Phase.UNKNOWN
        return Phase.PLANNING if first.is_alive() else Phase.APPLYING

    def _command(self) -> "CommandLine":
        from crusoe_provider.providerserver.command_line import CommandLine  # noqa: PLC0415

        return CommandLine.read(self._process().command(), self._environ)

    def _process(self) -> "Process":
        from crusoe_provider.providerserver.processes import Process  # noqa: PLC0415 - see above

        return Process.of(self._pid)
