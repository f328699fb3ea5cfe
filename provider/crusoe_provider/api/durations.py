"""Durations as users write them: `90d`, `720h`, `1h30m`, `500ms`."""

import re
from datetime import timedelta
from fractions import Fraction
from typing import Final

_UNITS: Final = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86_400),
    "w": Fraction(604_800),
}
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
    seconds = sum(Fraction(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    microseconds = round(seconds * 1_000_000)
    if not 0 < microseconds <= _LONGEST // timedelta(microseconds=1):
        raise ValueError("a duration must be longer than nothing and at most a hundred years")
    return timedelta(microseconds=microseconds)


def format_duration(duration: timedelta) -> str:
    """Return `duration` as `parse_duration` reads it: largest unit first, all but ms whole."""
    rest = Fraction(duration // timedelta(microseconds=1), 1_000_000)
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if rest:
        parts.append(f"{float(rest * 1000):g}ms")
    return "".join(parts) or "0s"
