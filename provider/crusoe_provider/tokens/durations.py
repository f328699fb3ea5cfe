"""Durations as users write them: `90d`, `720h`, `1h30m`, `500ms`."""

import re
from datetime import timedelta
from typing import Final

# In microseconds.
_UNITS: Final = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_MOST_DECIMALS: Final = 12
_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|[smhdw])")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
# About a hundred years, far within what dates can hold.
_LONGEST: Final = timedelta(days=36_525)


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text` stands for, to the microsecond.

    Args:
        text: Numbers with units, largest first by custom but in any order: `w`, `d` (24 hours),
            `h`, `m`, `s`, `ms`.

    Raises:
        ValueError: It is no duration, is zero, or is longer than a hundred years.
    """
    if not text.isascii() or not _DURATION.fullmatch(text):
        raise ValueError(
            "a duration is a number with a unit (w, d, h, m, s or ms), or several of them, "
            "such as 90d, 720h or 1h30m"
        )
    scale = 10**_MOST_DECIMALS
    scaled = sum(_scaled(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    microseconds = (scaled + scale // 2) // scale
    if not 0 < microseconds <= _LONGEST // timedelta(microseconds=1):
        raise ValueError("a duration must be longer than nothing and at most a hundred years")
    return timedelta(microseconds=microseconds)


def format_duration(duration: timedelta) -> str:
    """Return `duration` as `parse_duration` reads it: largest unit first, all but ms whole."""
    rest = duration // timedelta(microseconds=1)
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if rest:
        parts.append(f"{rest / _UNITS['ms']:g}ms")
    return "".join(parts) or "0s"


def _scaled(number: str) -> int:
    """Return a decimal number exactly, as a multiple of its smallest possible part."""
    whole, _, decimals = number.partition(".")
    return int(whole + decimals.ljust(_MOST_DECIMALS, "0"))
