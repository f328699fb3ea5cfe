"""Other processes of this provider under the same Terraform: those of other provider blocks."""

import os
from pathlib import Path


def has_siblings(parent: int, *, only_quickly: bool = False) -> bool:
    """Say whether `parent` runs another process that was started by the command of this one.

    Asked in every plan, so Linux is asked by itself: the library takes longer than all the rest.

    Args:
        parent: Its process ID.
        only_quickly: Say no where it would take the library.
    """
    try:
        children = _children(parent) - {os.getpid()}
        mine = _command(os.getpid())
        return any(_command(child) == mine for child in children)
    except OSError:
        return not only_quickly and _has_siblings_elsewhere(parent)


def _children(parent: int) -> set[int]:
    # A process may start children from any of its threads.
    found: set[int] = set()
    for thread in Path(f"/proc/{parent}/task").iterdir():
        found.update(map(int, (thread / "children").read_text().split()))
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def _has_siblings_elsewhere(parent: int) -> bool:
    from crusoe_provider.providerserver.processes import Process  # noqa: PLC0415 - see above

    mine = Process.of(os.getpid()).command()
    children = Process.of(parent).children() - {os.getpid()}
    return any(Process.of(pid).command() == mine for pid in children)
