"""What a machine can run out of, and how Python says so."""

import errno
from typing import Final

_OF_ERRNO: Final = {
    errno.ENOMEM: "memory",
    errno.EMFILE: "open files",
    errno.ENFILE: "open files",
    errno.ENOSPC: "space on the disk",
    errno.EDQUOT: "space on the disk",
}


# What the loader of shared libraries says, which Python passes on as text only.
_NO_ROOM_FOR_A_LIBRARY: Final = ("cannot allocate memory", "failed to map segment")


def shortage_behind(exc: BaseException | None) -> str | None:
    """Return what was lacking if that is what led to an exception."""
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        if found := _shortage(exc):
            return found
        exc = exc.__cause__ or exc.__context__
    return None


def _shortage(exc: BaseException) -> str | None:
    if isinstance(exc, MemoryError):
        return "memory"
    if isinstance(exc, ImportError) and any(
        text in str(exc).lower() for text in _NO_ROOM_FOR_A_LIBRARY
    ):
        return "memory"
    if isinstance(exc, RuntimeError) and "can't start new thread" in str(exc):
        return "threads"
    if isinstance(exc, OSError):
        return _OF_ERRNO.get(exc.errno or 0)
    return None
