"""Fixtures for all tests."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = [
    "support.simulator_fixtures",
    "support.terraform_fixtures",
    "support.start_fixtures",
    "support.clock_fixtures",
    "support.sink_fixtures",
    "support.toy_fixtures",
    "support.provider_fixtures",
    "support.api_fixtures",
]

# The same examples each time, so that a change fails for what it has changed; `make soak` looks for
# new ones. How long one takes is the machine's business.
settings.register_profile(
    "test", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "soak", settings.get_profile("test"), derandomize=False, max_examples=2000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))

# What each process that runs one of its tests would build anew, which takes long.
_IN_ONE_PROCESS = "tests/acceptance/test_release.py"


class _Scheduling(LoadScopeScheduling):
    """Tests go to whichever process is free, but for those that share what takes long to make.

    xdist has a marker for that, which pytest 9.2 and xdist 3.8 lose together.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file == _IN_ONE_PROCESS else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return what hands tests out to processes."""
    return _Scheduling(config, log)
