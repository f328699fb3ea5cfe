"""The toy plugin as a fixture."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support import toy_plugin
from support.plugin import Plugin, plugin_environment

THING = {"does": None, "name": None, "size": None, "id": None, "secret": None, "timeouts": None}

StartToy = Callable[..., Plugin]


def thing(**attributes: Any) -> dict[str, Any]:
    """Return a state of the toy resource."""
    return THING | attributes


@pytest.fixture
def start_toy(tmp_path: Path) -> Iterator[StartToy]:
    """Start toy plugins, with more environment if need be; their folder is `tmp_path`."""
    command = [sys.executable, str(toy_plugin.__file__), str(tmp_path)]
    with ExitStack() as stack:

        def start(*, without: tuple[str, ...] = (), **more: str) -> Plugin:
            environment = plugin_environment(TF_LOG_PROVIDER="TRACE", **more)
            kept = {k: v for k, v in environment.items() if k not in without}
            return stack.enter_context(Plugin(command, kept, tmp_path / "stderr"))

        yield start
