"""How many examples a fuzzed test draws, and whether it draws the same ones each time."""

import os

from hypothesis import HealthCheck, settings

SETTINGS = settings(suppress_health_check=[*HealthCheck], database=None)


def always_the_same(count: int) -> settings:
    """Draw the same examples each time, as on every commit."""
    return settings(SETTINGS, max_examples=count, derandomize=True)


def always_others(variable: str, count: int) -> settings:
    """Draw other examples each time, as every night; a failure prints the decorator that reproduces it.

    `variable`: environment variable that says how many, in place of `count`.
    """
    drawn = int(os.environ.get(variable, count))
    return settings(SETTINGS, max_examples=drawn, derandomize=False, print_blob=True)
