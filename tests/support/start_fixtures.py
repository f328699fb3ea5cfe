"""How plugins start below a real Terraform: `ready`, `warm` or `cold`.

Most tests are about what a provider does, and their plugins are ready (see `ready_plugins`) where
the system has what that needs. `STARTS=warm` or `STARTS=cold` in the environment has them all start
as users' plugins do. A test that is about a start says so, by one of these:

    @pytest.mark.own_start      # warm where the system has that
    @pytest.mark.cold_and_warm  # runs twice
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from harness.sandbox import PLUGIN_NAME
from support.ready_plugins import PROVIDER, Plugins, ReadyPlugins, StartingPlugins

_COLD: Final = "CRUSOE_WARM_START"
_USUAL: Final = os.environ.get("STARTS") or ("ready" if sys.platform == "linux" else "cold")


def are_warm() -> bool:
    """Say whether plugins that start by themselves start warm, unless a test has it otherwise."""
    return _USUAL != "cold"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test twice that has the marker, where there are two ways."""
    if metafunc.definition.get_closest_marker("cold_and_warm") and are_warm():
        metafunc.parametrize("plugins_start", ["warm", "cold"], indirect=True)


@pytest.fixture(autouse=True)
def plugins_start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the plugins of this test start: `ready`, `warm` or `cold`."""
    own = request.node.get_closest_marker("own_start") is not None
    usual = "warm" if own and are_warm() else _USUAL
    how = str(getattr(request, "param", usual))
    # Whatever the environment of the tests says: how a plugin starts is said here.
    monkeypatch.delenv(_COLD, raising=False)
    if how == "cold":
        monkeypatch.setenv(_COLD, "0")
    return how


@pytest.fixture(scope="session")
def usual_plugins() -> Iterator[Plugins]:
    """What makes executables of plugins for tests that are not about a start."""
    if _USUAL != "ready":
        yield StartingPlugins()
        return
    ready = ReadyPlugins()
    yield ready
    ready.end()


@pytest.fixture
def plugins(plugins_start: str, request: pytest.FixtureRequest) -> Plugins:
    """What makes executables of plugins for this test."""
    if plugins_start != "ready":
        return StartingPlugins()
    usual: Plugins = request.getfixturevalue("usual_plugins")
    return usual


@pytest.fixture
def executable(plugins: Plugins, tmp_path: Path) -> Path:
    """The executable of our provider."""
    return plugins.executable(tmp_path / "ready" / PLUGIN_NAME, PROVIDER)
