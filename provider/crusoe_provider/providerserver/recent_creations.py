"""Creations whose states Terraform may not have stored when it dies.

An answer that reaches a Terraform that is being killed is lost, and gRPC does not say so: for the
milliseconds that the system takes to clear such a process away, its end of the connection stays
open. So what was created just before Terraform was gone is undone. If the state was stored all the
same, the next plan finds the object missing and makes it anew, which a killed apply needs anyway;
the other way round there would be an object that no state knows.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

# Longer than it takes to clear a process away, on a busy machine too.
_DOUBTFUL_SECONDS: Final = 0.5


class RecentCreations:
    """The latest creations. Safe under threads.

    Args:
        monotonic: The clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._undo: list[tuple[float, Callable[[], None]]] = []

    def add(self, undo: Callable[[], None]) -> None:
        """Take note of an object whose state is on its way to Terraform, and how to remove it."""
        now = self._monotonic()
        with self._lock:
            self._undo = [*self._since(now - _DOUBTFUL_SECONDS), (now, undo)]

    def undo(self, gone_at: float) -> None:
        """Remove the objects of which a Terraform that was gone at `gone_at` hardly knows."""
        with self._lock:
            doubtful = self._since(gone_at - _DOUBTFUL_SECONDS)
            self._undo.clear()
        for _, undo in doubtful:
            undo()

    def _since(self, moment: float) -> list[tuple[float, Callable[[], None]]]:
        return [(added, undo) for added, undo in self._undo if added >= moment]
