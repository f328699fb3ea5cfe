"""What is undone when Terraform dies without a word."""

import pytest

from crusoe_provider.providerserver.recent_creations import RecentCreations


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def creations(clock: Clock) -> RecentCreations:
    return RecentCreations(clock)


def test_what_was_answered_just_before_the_end_is_undone(
    creations: RecentCreations, clock: Clock
) -> None:
    """All of it, and once."""
    undone: list[str] = []
    creations.add(lambda: undone.append("a"))
    clock.seconds += 0.1
    creations.add(lambda: undone.append("b"))

    creations.undo(clock.seconds + 0.1)
    creations.undo(clock.seconds + 0.1)

    assert undone == ["a", "b"]


def test_what_terraform_has_had_time_to_store_stays(
    creations: RecentCreations, clock: Clock
) -> None:
    """Half a second is plenty."""
    undone: list[str] = []
    creations.add(lambda: undone.append("old"))
    clock.seconds += 0.6
    creations.add(lambda: undone.append("new"))

    creations.undo(clock.seconds)

    assert undone == ["new"]


def test_what_is_answered_after_the_end_is_undone(creations: RecentCreations, clock: Clock) -> None:
    """The connection may not have shown yet that nobody listens."""
    undone: list[str] = []
    gone_at = clock.seconds
    clock.seconds += 60
    creations.add(lambda: undone.append("late"))

    creations.undo(gone_at)

    assert undone == ["late"]
