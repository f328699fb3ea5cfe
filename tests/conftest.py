"""Fixtures for all tests."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "support.simulator_fixtures",
    "support.terraform_fixtures",
    "support.start_fixtures",
    "support.clock_fixtures",
    "support.sink_fixtures",
    "support.toy_fixtures",
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
