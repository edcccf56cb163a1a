"""Fixtures of all tests, in processes that run tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures; a process that only hands out tests to others would wait for imports in vain."""
    if config.getoption("dist", "no") == "no" or config.getoption("collectonly"):
        config.pluginmanager.import_plugin("tests.fixtures")
