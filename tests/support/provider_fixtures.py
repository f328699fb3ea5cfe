"""The real provider on a real connection, and requests to it that are well formed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crusoe_provider.providerserver import protocol_pb2 as pb
from support.plugin import Plugin, dynamic, plugin_environment
from support.simulator_fixtures import Crusoe


class Provider:
    """The real provider, and its schema.

    Args:
        plugin: The process.
    """

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.schema = plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request())

    def configure(self, **block: Any) -> None:
        """Configure it; `block` is what is set."""
        names = [attribute.name for attribute in self.schema.provider.block.attributes]
        config = dynamic(dict.fromkeys(names) | block)
        answer = self.ask("ConfigureProvider", config=config)
        assert not answer.diagnostics

    def config(self, kind: str, name: str, **values: Any) -> pb.DynamicValue:
        """Return the configuration, or the state, of an element in which these values are set."""
        block = getattr(self.schema, f"{kind}_schemas")[name].block
        names = [a.name for a in block.attributes] + [b.type_name for b in block.block_types]
        return dynamic(dict.fromkeys(names) | values)

    def plan_creation(self, name: str, **values: Any) -> Any:
        """Plan to create an object of a resource type with these arguments."""
        config = self.config("resource", name, **values)
        return self.ask(
            "PlanResourceChange",
            type_name=name,
            prior_state=dynamic(None),
            proposed_new_state=config,
            config=config,
        )

    def ask(self, rpc: str, **fields: Any) -> Any:
        """Call an RPC."""
        return getattr(self.plugin.provider, rpc)(getattr(pb, rpc).Request(**fields), timeout=60)


@pytest.fixture
def provider(crusoe: Crusoe, executable: Path, tmp_path: Path) -> Iterator[Provider]:
    """The provider as the simulator's one user, not configured yet."""
    environment = plugin_environment(**crusoe.variables())
    with Plugin([str(executable)], environment, tmp_path / "stderr") as plugin:
        yield Provider(plugin)
