"""Methods: how the lanes of an arm train, each a step on a lane that knows nothing of the loop."""

from collections.abc import Callable

from ltr.methods import weights
from ltr.methods.method import Beginning, Lane, Method, Parts

METHODS: dict[str, Callable[[Parts], Method]] = {"weights": weights.build}
"""Ways to train, by name."""

__all__ = ["METHODS", "Beginning", "Lane", "Method", "Parts"]
