"""Connecting to a host by whichever of its addresses gives a connection first.

Strategy: no address gets all the time there is, for a way that leads nowhere (IPv6 that a network
announces and does not route, most often) would hold up those that work. As RFC 8305 has it, and as
programs in Go and curl do, the next attempt starts while the one before is still under way. Each
has a thread of its own, which ends with the time; what comes too late is closed.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, Final, TypeAlias

import httpcore

# RFC 8305, section 5: long enough for most servers, too short for people to notice.
_APART_SECONDS: Final = 0.25
_NO_TIME: Final = 0.001

Connect: TypeAlias = Callable[[str, float], httpcore.NetworkStream]
"""Connects to an address within so many seconds, or raises an error of httpcore."""


def connect_to_any(
    host: str, port: int, seconds: float, connect: Connect
) -> httpcore.NetworkStream:
    """Look a host up, and return the first connection to any of its addresses.

    Args:
        host: Its name, or an address.
        port: The port.
        seconds: How long all of it may take. A look-up may take longer: nothing can interrupt it.
        connect: Makes the connections, each in a thread of its own if there are several addresses.

    Raises:
        httpcore.ConnectError: There is no such host, or no address gives a connection.
        httpcore.ConnectTimeout: None gives one in time.
    """
    ends = time.monotonic() + seconds
    try:
        addresses = _addresses(host, port)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    if len(addresses) == 1:
        return connect(addresses[0], _until(ends))
    return _Race(connect, ends).run(addresses)


class _Race:
    """Attempts at several addresses, of which the first that succeeds is taken.

    Args:
        connect: Makes a connection.
        ends: When nobody waits any more, by the monotonic clock.
    """

    def __init__(self, connect: Connect, ends: float) -> None:
        self._connect = connect
        self._ends = ends
        self._changed = threading.Condition()
        self._first: httpcore.NetworkStream | None = None
        self._failures: dict[str, BaseException] = {}
        self._over = False

    def run(self, addresses: Sequence[str]) -> httpcore.NetworkStream:
        """Return the first connection; the errors are those of `connect_to_any`."""
        for started, address in enumerate(addresses):
            if started and self._is_decided():
                break
            failed = len(self._failures)
            self._start(address)
            self._wait(_APART_SECONDS, failures=failed + 1)
        self._wait(_until(self._ends), failures=len(addresses))
        with self._changed:
            self._over = True
            if self._first is None:
                raise self._failure(addresses)
            return self._first

    def _is_decided(self) -> bool:
        return self._first is not None or time.monotonic() >= self._ends

    def _start(self, address: str) -> None:
        attempt = threading.Thread(
            target=self._attempt, args=(address,), name="connect", daemon=True
        )
        try:
            attempt.start()
        except RuntimeError as error:  # want of threads; those under way may still succeed
            self._failures[address] = error

    def _attempt(self, address: str) -> None:
        try:
            stream = self._connect(address, _until(self._ends))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            with self._changed:
                self._failures[address] = error
                self._changed.notify()
            return
        with self._changed:
            if not self._over and self._first is None:
                self._first = stream
                self._changed.notify()
                return
        stream.close()

    def _wait(self, seconds: float, *, failures: int) -> None:
        """Wait for the first connection, or until so many attempts have failed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._first is not None or len(self._failures) >= failures,
                min(seconds, _until(self._ends)),
            )

    def _failure(self, addresses: Sequence[str]) -> BaseException:
        """Return the error that tells why there is no connection."""
        if len(self._failures) < len(addresses):
            return httpcore.ConnectTimeout()
        for error in self._failures.values():
            if not isinstance(error, httpcore.ConnectError):
                return error
        reasons = {address: str(self._failures[address]) for address in addresses}
        if len(set(reasons.values())) == 1:
            return httpcore.ConnectError(reasons[addresses[0]])
        return httpcore.ConnectError("; ".join(f"{a}: {text}" for a, text in reasons.items()))


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host in the order in which they are tried.

    It is the resolver's (RFC 6724), but with the two families by turns, so that none that leads
    nowhere is tried to its end before the other comes.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    known = dict.fromkeys((family, _text(address)) for family, *_, address in found)
    preferred = found[0][0]
    some = [text for family, text in known if family == preferred]
    others = [text for family, text in known if family != preferred]
    return [text for pair in zip_longest(some, others) for text in pair if text is not None]


def _text(address: tuple[Any, ...]) -> str:
    """Return an address as a look-up takes it again; of IPv6 with the interface, if it has one."""
    host, _port, *more = address
    interface = f"%{more[1]}" if more and more[1] else ""
    return f"{host}{interface}"


def _until(ends: float) -> float:
    return max(_NO_TIME, ends - time.monotonic())
