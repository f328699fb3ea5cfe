"""Terraform with a provider, and a Crusoe, whose time can be moved together."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.sandbox import PLUGIN_NAME
from harness.workspace import Workspace
from support import clock_plugin
from support.ready_plugins import Plugins
from support.simulator_fixtures import Crusoe


@dataclass(frozen=True, slots=True)
class MovableTime:
    """The time of the provider and of the simulator."""

    file: Path
    crusoe: Crusoe

    def advance(self, **by: float) -> None:
        """Let time pass; arguments as of `timedelta`."""
        clock = self.crusoe.simulator.cloud.clock
        clock.advance(timedelta(**by))
        self.file.write_text(str(clock.offset.total_seconds()))

    def after(self, **by: float) -> str:
        """Return the time so long after now, as RFC 3339."""
        moment = self.crusoe.simulator.cloud.clock.now() + timedelta(**by)
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.fixture
def movable_time(crusoe: Crusoe, tmp_path: Path) -> MovableTime:
    file = tmp_path / "clock"
    file.write_text("0")
    return MovableTime(file, crusoe)


@pytest.fixture
def timed(
    crusoe: Crusoe, movable_time: MovableTime, plugins: Plugins, tmp_path: Path
) -> Iterator[Workspace]:
    """A workspace whose provider goes by `movable_time`."""
    plugin = plugins.executable(tmp_path / PLUGIN_NAME, clock_plugin.__name__)
    variables = crusoe.variables() | {clock_plugin.CLOCK_FILE: str(movable_time.file)}
    folder = tmp_path / "timed"
    folder.mkdir()
    with Workspace(folder, plugin=plugin, variables=variables) as workspace:
        yield workspace


def instant(text: str) -> datetime:
    """Return the time that an attribute holds."""
    return datetime.fromisoformat(text)
