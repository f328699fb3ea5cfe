"""Whether process 1 clears orphans away, as which every nursery ends."""

import os
import time
from collections.abc import Sequence
from typing import Final

from crusoe_provider.providerserver.warm_start.launcher import STARTED, STATE, stat_of

_ZOMBIE: Final = b"Z"
_SESSION: Final = 3
# So many dead nurseries are no sign yet that process 1 never clears them away: some look only each
# second. The system does not tell when one ended, only when it began.
_MOST_DEAD: Final = 16
_MOST_DEAD_AND_OLD: Final = 2
_OLD_SECONDS: Final = 10.0


def orphans_are_reaped() -> bool:
    """Say whether process 1 clears orphans away, as which a nursery ends.

    In some containers it does not, and what has ended stays in the list of processes for ever.
    """
    with open("/proc/1/task/1/children", "rb") as file:
        children = file.read().split()
    return are_few([age for pid in children if (age := _age_if_dead_nursery(int(pid))) is not None])


def are_few(ages: Sequence[float]) -> bool:
    """Say whether there are so few dead nurseries that process 1 may be about to clear them away.

    Args:
        ages: The seconds since each began.
    """
    return len(ages) <= _MOST_DEAD and sum(age > _OLD_SECONDS for age in ages) <= _MOST_DEAD_AND_OLD


def _age_if_dead_nursery(pid: int) -> float | None:
    try:
        told = stat_of(pid)
        if (
            told[STATE] != _ZOMBIE
            or int(told[_SESSION]) != pid
            or os.stat(f"/proc/{pid}").st_uid != os.getuid()
        ):
            return None
    except OSError:  # cleared away meanwhile
        return None
    began = int(told[STARTED]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began
