"""Other processes of this provider under the same Terraform: those of other provider blocks."""

import os
import sys
from pathlib import Path


def has_siblings(parent: int, plugin: int, *, only_quickly: bool = False) -> bool:
    """Say whether `parent` runs another process that was started by the command of `plugin`.

    Args:
        parent: Its process ID.
        plugin: The process that it has started for this one.
        only_quickly: Say no where it would take the library that asks any system.
    """
    mine = _command(plugin)
    others = other_children(parent, plugin, only_quickly=only_quickly)
    return any(_command(child) == mine for child in others)


def other_children(parent: int, plugin: int, *, only_quickly: bool = False) -> set[int]:
    """Return the processes that `parent` has started, beside `plugin`, and that have not ended.

    Args:
        parent: Its process ID.
        plugin: See above.
        only_quickly: Return none where it would take the library that asks any system.
    """
    # Asked in every plan, so Linux is asked by itself: the library takes longer than all the rest.
    try:
        children = _children_on_linux(parent)
    except OSError:
        if only_quickly:
            return set()
        children = _children_elsewhere(parent)
    return _started_by_terraform(children, plugin)


def _started_by_terraform(children: set[int], plugin: int) -> set[int]:
    """Return those that Terraform has started beside `plugin`.

    Process 1 inherits those of others that have ended, the nursery of warm starts for one. That is
    in a session of its own; what Terraform has started is in Terraform's.
    """
    session = _session(plugin)
    return {c for c in children if c != plugin and _session(c) == session}


def _children_on_linux(parent: int) -> set[int]:
    # A process may start children from any of its threads.
    found: set[int] = set()
    for thread in Path(f"/proc/{parent}/task").iterdir():
        found.update(map(int, (thread / "children").read_text().split()))
    return found


def _children_elsewhere(parent: int) -> set[int]:
    from crusoe_provider.providerserver.processes import Process  # noqa: PLC0415 - see above

    return Process.of(parent).children()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:  # it has ended meanwhile
        return None


def _command(pid: int) -> list[str]:
    if sys.platform != "linux":
        from crusoe_provider.providerserver.processes import Process  # noqa: PLC0415 - see above

        return Process.of(pid).command()
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="surrogateescape").split("\0")
    except OSError:  # it has ended meanwhile
        return []
