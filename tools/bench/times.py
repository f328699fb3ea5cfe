"""Measurements, and the table that they make."""

import statistics
from collections.abc import Iterator

from bench.contestants import OURS


class Times:
    """Seconds, by what was measured and by contestant."""

    def __init__(self) -> None:
        self._times: dict[str, dict[str, list[float]]] = {}

    def add(self, what: str, name: str, seconds: float) -> None:
        """Take note of one measurement."""
        self._times.setdefault(what, {}).setdefault(name, []).append(seconds)

    def forget(self) -> None:
        """Drop what there is: the first round only warms the caches up."""
        self._times.clear()

    def rows(self) -> Iterator[str]:
        """Yield a table: medians, the spread of the middle half, and ratios."""
        yield "| | median | middle half | this provider, as a ratio |"
        yield "| --- | ---: | ---: | ---: |"
        for what, by_name in self._times.items():
            ours = statistics.median(by_name[OURS])
            for name, values in by_name.items():
                median = statistics.median(values)
                low, _, high = statistics.quantiles(values, n=4)
                ratio = "" if name == OURS else f"{ours / median:.2f}"
                yield (
                    f"| {what}: {name} | {median * 1000:.0f} ms "
                    f"| {low * 1000:.0f}-{high * 1000:.0f} ms | {ratio} |"
                )
