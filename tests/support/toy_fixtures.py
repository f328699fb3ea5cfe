"""The toy plugin as a fixture."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from support import toy_plugin
from support.plugin import Plugin, dynamic, plugin_environment
from support.warm_toy import WarmToy

THING = {"does": None, "name": None, "size": None, "id": None, "secret": None, "timeouts": None}

StartToy = Callable[..., Plugin]


def thing(**attributes: Any) -> dict[str, Any]:
    """Return a state of the toy resource."""
    return THING | attributes


def create(plugin: Plugin, does: str) -> Any:
    """Return the answer to a creation of a thing that does so."""
    planned = dynamic(thing(does=does, id=Unknown, secret=Unknown))
    return plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(
            type_name="toy_thing",
            prior_state=dynamic(None),
            planned_state=planned,
            config=planned,
        )
    )


@pytest.fixture
def starts() -> str:
    """How toy plugins start: `cold` or `warm`. A module may override it, to have both."""
    return "warm" if os.environ.get("STARTS") == "warm" else "cold"


@pytest.fixture
def start_toy(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, starts: str
) -> Iterator[StartToy]:
    """Start toy plugins, with more environment if need be; their folder is `tmp_path`."""
    with ExitStack() as stack:

        def start(*, without: tuple[str, ...] = (), **more: str) -> Plugin:
            environment = plugin_environment(TF_LOG_PROVIDER="TRACE", **more)
            kept = {k: v for k, v in environment.items() if k not in without}
            command = [sys.executable, str(toy_plugin.__file__), str(tmp_path)]
            if starts == "warm":
                toy = WarmToy(tmp_path_factory.mktemp("warm") / "toy", tmp_path)
                stack.callback(toy.end)
                toy.found(kept)
                command = toy.command
            plugin = stack.enter_context(Plugin(command, kept, tmp_path / "stderr"))
            assert (plugin.serving().pid == plugin.process.pid) is (starts == "cold")
            return plugin

        yield start


@pytest.fixture
def plugin(start_toy: StartToy) -> Iterator[Plugin]:
    """A toy plugin that ends as it should, with its secret in no log."""
    plugin = start_toy()
    yield plugin
    assert plugin.shut_down() == 0
    assert toy_plugin.SECRET not in plugin.log()
