"""How the plugins of a real Terraform have started."""

import os
from collections.abc import Callable
from typing import Final, NamedTuple

import psutil

from crusoe_simulator.faults import Fault
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

# No nursery is left where several have just ended, as in other tests, and are not cleared away yet.
_TRIES: Final = 5


class Processes:
    """The plugins of a Terraform.

    Attributes:
        nurseries: Those that lead a session of their own, and serve nobody.
        cold: Those that serve the Terraform that has started them.
        launchers: Those that do so by a child of a nursery.
    """

    def __init__(self, workspace: Workspace) -> None:
        found = [look for p in workspace.plugin_processes() if (look := _look_at(p))]
        nurseries = [look for look in found if look.leads]
        started = [
            look
            for look in found
            if not look.leads and look.parent not in {n.process.pid for n in nurseries}
        ]
        self.nurseries = [look.process for look in nurseries]
        self.cold = [look.process for look in started if look.serves]
        self.launchers = [look.process for look in started if not look.serves]
        self.users = {look.user for look in found}


class _Look(NamedTuple):
    """What is to be seen of a process while it is there."""

    process: psutil.Process
    parent: int
    user: int
    leads: bool
    serves: bool


def _look_at(process: psutil.Process) -> _Look | None:
    """Return what is to be seen; `None` if it has ended meanwhile, as those of earlier calls do."""
    try:
        leads = os.getsid(process.pid) == process.pid
        user = process.uids().effective
        return _Look(process, process.ppid(), user, leads, has_grpc(process))
    except (psutil.Error, ProcessLookupError):
        return None


def has_grpc(process: psutil.Process) -> bool:
    """Say whether a process has loaded what serves."""
    return any("grpc" in mapped.path for mapped in process.memory_maps())


def seen_planning(crusoe: Crusoe, *workspaces: Workspace) -> list[Processes]:
    """Return the plugins of each workspace while all of them plan, and wait for the API."""
    faults = [crusoe.simulator.faults.add(Fault("list", hold="before")) for _ in workspaces]
    running = [workspace.start("plan") for workspace in workspaces]
    try:
        for fault in faults:
            fault.wait_arrived()
        return [Processes(workspace) for workspace in workspaces]
    finally:
        crusoe.simulator.faults.clear()
        for each in running:
            each.wait().succeeded()


def seen_warm(see: Callable[[], list[Processes]]) -> list[Processes]:
    """Look until in each workspace a plugin has started warm; return what was seen then."""
    for _ in range(_TRIES):
        seen = see()
        if all(each.nurseries and each.launchers for each in seen):
            return seen
    raise AssertionError("no plugin has started warm")
