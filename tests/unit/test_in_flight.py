"""Waiting for what other calls bring."""

import threading

from crusoe_provider.tokens.in_flight import InFlightCalls
from support.token_doubles import Clock, Stop, WaitingCalls


def calls() -> tuple[WaitingCalls, Clock]:
    """Return calls whose waits take no time, and their clock."""
    clock = Clock()
    return WaitingCalls(clock, Stop(clock)), clock


def test_what_is_done_is_not_waited_for() -> None:
    """It is asked once."""
    given, clock = calls()

    assert given.wait(lambda: True, at_most=10)
    assert clock.seconds == 0


def test_a_wait_ends_at_its_time() -> None:
    """And says what is the case then."""
    given, clock = calls()

    assert not given.wait(lambda: False, at_most=10)
    assert 10 <= clock.seconds < 11


def test_quiet_begins_when_the_last_call_that_works_ends() -> None:
    """A call that waits like this one does not count; the end of one that works does."""
    given, clock = calls()
    with given.call(), given.waiting():
        other = given.call()
        other.__enter__()

        def end_other(seconds: float) -> None:
            if seconds > 3 and given._calls == 2:
                other.__exit__(None, None, None)

        clock.on_wait = end_other

        given.wait(lambda: False, at_most=60, quiet=lambda: 1.0)

    assert 4 <= clock.seconds < 6


def test_a_wait_with_a_call_that_never_ends_has_an_end() -> None:
    """Whatever the others do."""
    given, clock = calls()
    with given.call(), given.call(), given.waiting():
        given.wait(lambda: False, at_most=30, quiet=lambda: 1.0)

    assert 30 <= clock.seconds < 31


def test_a_wait_outside_of_any_call_has_an_end() -> None:
    """As an ephemeral token had that was not counted."""
    given, clock = calls()
    with given.waiting():
        given.wait(lambda: False, at_most=30, quiet=lambda: 1.0)

    assert clock.seconds < 3


def test_a_stop_ends_a_wait() -> None:
    """At the next look."""
    clock = Clock()
    stop = Stop(clock)
    given = WaitingCalls(clock, stop)
    clock.on_wait = lambda _seconds: stop.set()

    assert not given.wait(lambda: False, at_most=60)
    assert clock.seconds < 1


def test_news_wakes_those_who_wait() -> None:
    """In real time, over threads."""
    given = InFlightCalls(threading.Event())
    done = threading.Event()
    waiter = threading.Thread(target=lambda: given.wait(done.is_set, at_most=30), daemon=True)
    waiter.start()

    done.set()
    given.notify()
    waiter.join(5)

    assert not waiter.is_alive()


def test_a_stop_is_heard_without_any_news() -> None:
    """In real time, over threads."""
    stop = threading.Event()
    given = InFlightCalls(stop)
    waiter = threading.Thread(target=lambda: given.wait(lambda: False, at_most=60), daemon=True)
    waiter.start()

    stop.set()
    waiter.join(5)

    assert not waiter.is_alive()


def test_without_news_nobody_looks_all_the_time() -> None:
    """In real time: what is asked may take a lock that the others need."""
    given = InFlightCalls(threading.Event())
    given.notify()
    looks = iter(range(5))

    # It would raise an error at the sixth look.
    assert not given.wait(lambda: next(looks) < 0, at_most=0.5)


def test_a_slow_call_of_somebody_else_is_not_waited_for() -> None:
    """One that has just begun is, and so is one of nobody in particular."""
    given, clock = calls()
    me, other = object(), object()
    given.begin_elsewhere(other)
    with given.call(), given.waiting():
        given.belongs_to(me)
        clock.seconds = 1.0
        assert given.quiet_seconds(me) == 0
        assert not given.others_are_slow(me)
        clock.seconds = 5.0
        assert given.quiet_seconds(me) > 0
        assert given.others_are_slow(me)
        assert given.quiet_seconds(other) == given.quiet_seconds() == 0
        given.wait(lambda: False, at_most=60, quiet=lambda: 10.0, party=me)
        assert 10 <= clock.seconds < 15
        given.begin_elsewhere(None)
        clock.seconds = 30.0
        assert given.quiet_seconds(me) == 0
