"""An endpoint behind TLS: who is trusted, and what helps those whose proxy nobody trusts yet."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.distance import Far
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
FEW_RETRIES = 'provider "crusoe" {\n  max_retries = 0\n}\n'


@pytest.fixture
def far(crusoe: Crusoe, workspace: Workspace, tmp_path: Path) -> Iterator[Far]:
    """The simulator behind TLS, which the provider is to use."""
    url = urlsplit(crusoe.simulator.endpoint)
    with Far(tmp_path / "tls", url.port or 0, 0.0) as far:
        workspace.variables["CRUSOE_API_ENDPOINT"] = f"https://127.0.0.1:{far.port}{url.path}"
        workspace.write(FEW_RETRIES + TOKEN)
        yield far


def test_what_the_error_advises_helps(crusoe: Crusoe, workspace: Workspace, far: Far) -> None:
    """Nothing is sent to a server that nobody vouches for; the file that is named then vouches."""
    error = workspace.apply().failed_with("Crusoe API not reachable")
    assert "certificate verify failed" in error.detail
    assert "name the file with it in SSL_CERT_FILE" in error.detail
    assert crusoe.simulator.api.requests.all() == []

    workspace.variables["SSL_CERT_FILE"] = str(far.authorities)

    workspace.apply().succeeded()
    assert workspace.plan().succeeded().actions == {}
    workspace.destroy().succeeded()
    assert crusoe.aliases() == []
