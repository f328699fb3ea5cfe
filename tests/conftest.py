"""Fixtures for all tests."""

pytest_plugins = ["support.toy_fixtures"]
