"""What is remembered of a rotating token beside its state, as private data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from crusoe_provider.tokens.lifetime import instant_or_none
from crusoe_provider.tokens.presence import Memory, stamp
from crusoe_provider.tokens.rotation import Holding

if TYPE_CHECKING:
    from crusoe_provider.tokens.ownership import Ownership

# The time of a refresh is written down no more often than this: it should not churn the state.
_LOOK_STEP: Final = timedelta(hours=1)


@dataclass(slots=True)
class RotationMemory:
    """What is kept beside the state of a rotating token.

    Attributes:
        keys: What is remembered of each key, by its access key ID.
        leaving: Keys that are still to be revoked, and that no attribute shows.
        looked: When the state was refreshed last, RFC 3339, give or take an hour.
        home: The organization that an empty organization_id stands for; see `Memory`.
        counted: Whether this plan has counted the creation of a key, for the case that it turns
            out to be the first half of a replacement.
        excused: Whether it was excused from that, because there is no room for it.
    """

    keys: dict[str, Memory] = field(default_factory=dict)
    leaving: tuple[str, ...] = ()
    looked: str | None = None
    home: str | None = None
    counted: bool = False
    excused: bool = False

    @classmethod
    def of(cls, private: Mapping[str, Any]) -> Self:
        """Return what the private data says; what is not in our form says nothing."""
        keys, leaving = private.get("keys"), private.get("leaving")
        looked, home = private.get("looked"), private.get("home")
        return cls(
            keys={
                name: Memory.of(value)
                for name, value in (keys if isinstance(keys, dict) else {}).items()
                if isinstance(value, dict)
            },
            leaving=tuple(
                name
                for name in (leaving if isinstance(leaving, list) else [])
                if isinstance(name, str)
            ),
            looked=looked if isinstance(looked, str) else None,
            home=home if isinstance(home, str) else None,
            counted=private.get("counted") is True,
            excused=private.get("excused") is True,
        )

    def of_key(self, access_key_id: str) -> Memory:
        """Return what is remembered of a key, to be added to."""
        return self.keys.setdefault(access_key_id, Memory(key=access_key_id))

    def teach(self, ownership: "Ownership") -> None:
        """Tell whose the keys are, as far as that is remembered."""
        for memory in self.keys.values():
            if memory.caller is not None:
                ownership.learn(memory.caller, memory.owner)

    def keep(self, holding: Holding, private: dict[str, Any]) -> None:
        """Write what concerns these keys into the private data, in place of what was there."""
        private.clear()
        keys: dict[str, Any] = {}
        for name in holding.keys:
            self.of_key(name).keep(keys.setdefault(name, {}))
        private["keys"] = keys
        if holding.leaving:
            private["leaving"] = list(holding.leaving)
        if self.looked is not None:
            private["looked"] = self.looked
        if self.home is not None:
            private["home"] = self.home
        if self.counted:
            private["counted"] = True
        if self.excused:
            private["excused"] = True

    def plans_anew(self) -> None:
        """Forget what a plan has counted."""
        self.counted = self.excused = False

    @property
    def looked_at(self) -> datetime | None:
        """When the state was refreshed last, give or take an hour; never later than that."""
        instant = instant_or_none(self.looked)
        return instant.moment if instant else None

    def look(self, now: datetime) -> None:
        """Take note of a refresh."""
        before = self.looked_at
        if before is None or now - before >= _LOOK_STEP:
            self.looked = stamp(now)
