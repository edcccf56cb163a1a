"""Methods: how the lanes of an arm train, each a step on a lane that knows nothing of the loop."""

from collections.abc import Callable

from ltr.methods import early_bird, edge_popup, rigl, supermask, weights
from ltr.methods.method import Beginning, Lane, Method, Parts

METHODS: dict[str, Callable[[Parts], Method]] = {
    "weights": weights.build,
    "rigl": rigl.build,
    "supermask": supermask.build,
    "edge_popup": edge_popup.build,
}
"""Ways to train that an arm can name."""

WATCHED = {"early_bird": early_bird.build}
"""Ways to train the ticket that a run can ask for, which also note something."""

SCORES = ("supermask", "edge_popup")
"""Those that leave the weights as they are."""

__all__ = ["METHODS", "SCORES", "WATCHED", "Beginning", "Lane", "Method", "Parts"]
