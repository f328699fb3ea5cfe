"""A workspace with a second provider, which takes what an apply hands on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.workspace import Workspace
from support import sink_plugin
from support.keys import AGE_IDENTITY
from support.ready_plugins import Plugins
from support.simulator_fixtures import Crusoe


@pytest.fixture
def sink(crusoe: Crusoe, plugins: Plugins, executable: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a provider that takes secrets, which go to `tmp_path / "sink"`.

    The variable `identity` is that of the recipient `AGE`.
    """
    taker = plugins.executable(
        tmp_path / "others" / "terraform-provider-sink", sink_plugin.__name__
    )
    folder = tmp_path / "workspace"
    folder.mkdir()
    variables = crusoe.variables() | {
        sink_plugin.SINK_FILE: str(tmp_path / "sink"),
        "TF_VAR_identity": AGE_IDENTITY,
    }
    with Workspace(
        folder, plugin=executable, overrides={sink_plugin.SOURCE: taker}, variables=variables
    ) as workspace:
        workspace.write(
            "terraform {\n  required_providers {\n"
            '    crusoe = { source = "crusoe-community/crusoe" }\n'
            f'    sink   = {{ source = "{sink_plugin.SOURCE}" }}\n  }}\n}}\n',
            name="versions.tf",
        )
        yield workspace
