"""Fixtures for all tests."""

pytest_plugins = [
    "support.simulator_fixtures",
    "support.clock_fixtures",
    "support.toy_fixtures",
    "support.api_fixtures",
]
