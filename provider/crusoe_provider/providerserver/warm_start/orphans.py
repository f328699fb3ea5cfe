"""Whether orphans are cleared away, as which every nursery ends."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Final

from crusoe_provider.providerserver.warm_start.launcher import (
    SESSION,
    STARTED,
    STATE,
    read,
    stat_of,
)

_FIRST: Final = 1
_ZOMBIE: Final = b"Z"
_PARENT: Final = 1
# So many dead nurseries are no sign yet that nobody ever clears them away: some look only each
# second. The system does not tell when one ended, only when it began.
_MOST_DEAD: Final = 16
_MOST_DEAD_AND_OLD: Final = 2
_OLD_SECONDS: Final = 10.0


def orphans_are_reaped(terraform: int) -> bool:
    """Say whether a nursery is cleared away after its end by whoever inherits it.

    That is process 1, or an ancestor that has asked for the orphans below it. In some containers,
    and below some programs, it clears nothing away, and what has ended stays in the list of
    processes for ever. The system does not tell who has asked, so none of them may have many.

    Args:
        terraform: The process ID of Terraform, which may be the heir itself.

    Raises:
        OSError: It cannot be found out.
    """
    return all(are_few(_ages_of_dead_nurseries(pid)) for pid in _heirs(terraform))


def _heirs(terraform: int) -> Iterator[int]:
    """Yield process 1, Terraform, and those between them."""
    yield _FIRST
    pid = terraform
    # The parent of one that has come into its namespace from outside is 0.
    while pid > _FIRST:
        yield pid
        pid = int(stat_of(pid)[_PARENT])


def _ages_of_dead_nurseries(parent: int) -> list[float]:
    return [age for pid in _children(parent) if (age := _age_if_dead_nursery(pid)) is not None]


def _children(parent: int) -> Iterator[int]:
    # The system may have added them to any thread.
    for thread in os.listdir(f"/proc/{parent}/task"):
        try:
            found = read(f"/proc/{parent}/task/{thread}/children")
        except OSError:
            if int(thread) == parent:
                raise
            continue  # it has ended, and left them to another
        yield from map(int, found.split())


def are_few(ages: Sequence[float]) -> bool:
    """Say whether there are so few dead nurseries that somebody may be about to clear them away.

    Args:
        ages: The seconds since each began.
    """
    return len(ages) <= _MOST_DEAD and sum(age > _OLD_SECONDS for age in ages) <= _MOST_DEAD_AND_OLD


def _age_if_dead_nursery(pid: int) -> float | None:
    try:
        told = stat_of(pid)
        if (
            told[STATE] != _ZOMBIE
            or int(told[SESSION]) != pid
            # A fork keeps the name, and so does who is dead.
            or read(f"/proc/{pid}/comm") != read("/proc/self/comm")
            or os.stat(f"/proc/{pid}").st_uid != os.getuid()
        ):
            return None
    except OSError:  # cleared away meanwhile
        return None
    began = int(told[STARTED]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began
