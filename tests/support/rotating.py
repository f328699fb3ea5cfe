"""A configuration with a rotating token, and what has to hold of its state."""

from collections.abc import Mapping
from typing import Any

from crusoe_simulator.state import Key
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

ADDRESS = "crusoe_storage_rotating_token.ci"


def rotating(body: str = "", *, alias: str = "ci", name: str = "ci") -> str:
    """Return a resource block."""
    return (
        f'resource "crusoe_storage_rotating_token" "{name}" {{\n  alias = "{alias}"\n  {body}\n}}\n'
    )


def state_of(workspace: Workspace, address: str = ADDRESS) -> Mapping[str, Any]:
    """Return the attributes of a rotating token."""
    return workspace.instances()[address].attributes


def check_keys(workspace: Workspace, crusoe: Crusoe, address: str = ADDRESS) -> list[Key]:
    """Check that the keys of a state are those at Crusoe, with their secrets; return them.

    The current one comes first.
    """
    state = state_of(workspace, address)
    keys = {key.access_key_id: key for key in crusoe.simulator.cloud.keys(crusoe.user)}
    held = [state["access_key_id"], state["previous_access_key_id"]]
    names = [name for name in held if name]
    assert sorted(names) == sorted(keys)
    for prefix, name in zip(("", "previous_"), held, strict=True):
        if name:
            key = keys[name]
            assert state[f"{prefix}secret_key"] == key.secret_key
            assert state[f"{prefix}token_id"] == key.key_uuid
            assert state[f"{prefix}created_at"] == key.created_at
    return [keys[name] for name in names]
