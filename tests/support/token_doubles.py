"""Doubles for what `tokens/` stands on: an account whose API is a list, and a clock that waits."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from crusoe_provider.api.deletion import Deletion
from crusoe_provider.api.models import Identity, KeyList, NewStorageKey, StorageKey
from crusoe_provider.tokens.in_flight import InFlightCalls
from crusoe_provider.tokens.ownership import Ownership
from crusoe_provider.tokens.quota import Quota

ORGANIZATION = "ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab"
ME = Identity("3c1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f10", "me@acme.example")
COLLEAGUE = "7d1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f11"
CACHE_SECONDS = 20.0
LONG_AGO = "2026-01-01T00:00:00Z"


def key(
    access_key_id: str,
    alias: str | None = None,
    *,
    user_id: str | None = ME.id,
    expire_at: str | None = None,
    created_at: str | None = LONG_AGO,
) -> StorageKey:
    """Return a key as the list shows it."""
    return StorageKey(
        key_uuid=f"uuid-{access_key_id}",
        user_id=user_id,
        access_key_id=access_key_id,
        status="enabled",
        created_at=created_at,
        alias=alias,
        expire_at=expire_at,
    )


class Clock:
    """A clock that only waits move, and a stop signal whose waits take no time.

    Attributes:
        on_wait: Called before every wait with the time that has passed.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.on_wait: Callable[[float], None] = lambda _seconds: None

    def monotonic(self) -> float:
        """Return the time."""
        return self.seconds


class Stop(threading.Event):
    """A stop signal; its waits move a clock instead of taking time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Let the clock go on, and say whether a stop was asked for."""
        self._clock.on_wait(self._clock.seconds)
        self._clock.seconds += timeout or 0.0
        return self.is_set()


@dataclass
class Account:
    """An account whose keys are a list.

    Attributes:
        listed: The keys that the API shows.
        lists: What the next lists show instead, in turn, or the errors that they are.
        cached: What a list of some seconds ago has shown, if that is something else.
        on_create: What a creation does: returns the key, or raises.
        deletions: The keys that were deleted, in order.
        deletion_error: What a deletion raises.
        caller: Who asks.
        reads: For each list whether it was to be fresh, and was to be read even after a stop.
        finished: The keys whose deletion was to be carried out even after a stop.
    """

    listed: list[StorageKey] | KeyList = field(default_factory=list)
    lists: list[list[StorageKey] | KeyList | Exception] = field(default_factory=list)
    cached: list[StorageKey] | None = None
    on_create: Callable[[str | None, str | None], NewStorageKey] = field(
        default=lambda _alias, _expiry: NewStorageKey("NEW", "secret")
    )
    deletions: list[str] = field(default_factory=list)
    deletion_error: Exception | None = None
    caller: Identity = ME
    creations: int = 0
    reads: list[tuple[bool, bool]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def expect_identity(self) -> None:
        """Do nothing: the identity is known."""

    def identity(self) -> Identity:
        """Return the caller."""
        return self.caller

    def organization_id(self) -> str:
        """Return the only organization."""
        return ORGANIZATION

    def keys(
        self,
        organization_id: str,
        *,
        fresh: bool = False,
        finish: bool = False,
        recent: float = 30.0,
    ) -> KeyList:
        """Return the next list."""
        assert organization_id == ORGANIZATION
        self.reads.append((fresh, finish))
        is_new = fresh or recent < CACHE_SECONDS
        listed = self.listed if is_new or self.cached is None else self.cached
        answer = self.lists.pop(0) if self.lists else listed
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, KeyList) else KeyList(answer)

    def create_key(
        self, organization_id: str, *, alias: str | None, expire_at: str | None
    ) -> NewStorageKey:
        """Create a key."""
        assert organization_id == ORGANIZATION
        self.creations += 1
        return self.on_create(alias, expire_at)

    def delete_key(
        self, organization_id: str, access_key_id: str, *, finish: bool = False
    ) -> Deletion:
        """Delete a key."""
        assert organization_id == ORGANIZATION
        if finish:
            self.finished.append(access_key_id)
        if self.deletion_error is not None:
            raise self.deletion_error
        self.deletions.append(access_key_id)
        there = any(k.access_key_id == access_key_id for k in self.listed)
        self.listed = [k for k in self.listed if k.access_key_id != access_key_id]
        return Deletion.DELETED if there else Deletion.ALREADY_GONE


@dataclass
class Terraform:
    """A Terraform that plans, unless it is told otherwise."""

    planning: bool = True
    nothing: bool = False
    importing: bool = False
    others: int = 0
    operations: int = 10
    replaced: int = 0
    whole_state: bool = True

    def is_planning(self) -> bool:
        return self.planning

    def is_applying(self) -> bool:
        return not self.planning

    def imports_only(self) -> bool:
        return self.importing

    def creates_nothing(self) -> bool:
        return self.nothing

    def only_refreshes(self) -> bool:
        return False

    def takes_unknown_results(self) -> bool:
        return True

    def loads_whole_state(self) -> bool:
        return self.planning and self.whole_state

    def replaces(self, type_name: str) -> int:
        del type_name
        return self.replaced

    def parallelism(self) -> int:
        return self.operations

    def other_plugins(self) -> int:
        return self.others


@dataclass(eq=False)
class World:
    """Everything that a quota or a creation needs, with time that costs nothing."""

    account: Account = field(default_factory=Account)
    terraform: Terraform = field(default_factory=Terraform)
    limit: int = 2

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.stop = Stop(self.clock)
        self.ownership = Ownership()
        self.calls = WaitingCalls(self.clock, self.stop)
        self.quota = Quota(
            self.account,  # type: ignore[arg-type]  # a double
            ORGANIZATION,
            limit=self.limit,
            ownership=self.ownership,
            calls=self.calls,
            terraform=self.terraform,
            stop=self.stop,
            party=self,
            monotonic=self.clock.monotonic,
        )


class WaitingCalls(InFlightCalls):
    """Calls whose waits move a clock instead of taking time."""

    def __init__(self, clock: Clock, stop: threading.Event) -> None:
        super().__init__(stop, clock.monotonic)
        self._clock = clock
        self._elsewhere = ExitStack()

    def _wait_for_change(self, seen: int, seconds: float) -> None:
        del seen
        self._clock.on_wait(self._clock.seconds)
        # Steps too small for a float would stop the clock.
        self._clock.seconds += max(seconds, 0.001)

    def begin_elsewhere(self, party: object) -> None:
        """Begin a call of somebody else that does not end, in another thread."""

        def begin() -> None:
            self._elsewhere.enter_context(self.call())
            self.belongs_to(party)

        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
