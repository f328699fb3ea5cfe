"""What lists leave out for a while, as a server does whose copies do not agree yet."""

from dataclasses import dataclass
from typing import Final

FOR_EVER: Final = -1


@dataclass(slots=True)
class _Phase:
    """For so many lists a key is shown, or is not."""

    lists: int
    shown: bool


class Visibility:
    """For each key, what the next lists do with it; the caller sees to threads."""

    def __init__(self) -> None:
        self._phases: dict[str, list[_Phase]] = {}

    def plan(self, key_uuid: str, *, hidden: int, hidden_again: int = 0) -> None:
        """Hide a key.

        Args:
            key_uuid: The key.
            hidden: From how many lists; `FOR_EVER` from all.
            hidden_again: From how many more, after one that shows it.
        """
        self._phases[key_uuid] = [
            _Phase(hidden, shown=False),
            _Phase(1, shown=True),
            _Phase(hidden_again, shown=False),
        ]

    def shows(self, key_uuid: str) -> bool:
        """Decide whether a list shows a key, and count that list."""
        phases = self._phases.get(key_uuid, [])
        while phases and phases[0].lists == 0:
            del phases[0]
        if not phases:
            return True
        if phases[0].lists != FOR_EVER:
            phases[0].lists -= 1
        return phases[0].shown

    def show_all(self) -> None:
        """Show every key from now on."""
        self._phases.clear()
