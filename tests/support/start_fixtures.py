"""How plugins start below a real Terraform: cold or warm.

They start warm where the system has that, and cold where `CRUSOE_WARM_START=0` says so. A test that
is to hold in any case both ways says so, and is run twice:

    @pytest.mark.cold_and_warm
"""

import os
import sys
from typing import Final

import pytest

_VARIABLE: Final = "CRUSOE_WARM_START"


def are_warm() -> bool:
    """Say whether plugins start warm unless a test wants it otherwise."""
    return sys.platform == "linux" and os.environ.get(_VARIABLE) != "0"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test twice that has the marker, where there are two ways."""
    if metafunc.definition.get_closest_marker("cold_and_warm") and are_warm():
        metafunc.parametrize("plugins_start", ["warm", "cold"], indirect=True)


@pytest.fixture(autouse=True)
def plugins_start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the plugins of this test start: `cold` or `warm`."""
    how = str(getattr(request, "param", "warm" if are_warm() else "cold"))
    if how == "cold":
        monkeypatch.setenv(_VARIABLE, "0")
    return how
