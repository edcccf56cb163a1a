"""Methods: how the lanes of an arm train, each a step on a lane that knows nothing of the loop."""

from collections.abc import Callable

from ltr.config.schema import Experiment
from ltr.core.schedule import Schedule
from ltr.errors import ConfigError
from ltr.methods import early_bird, edge_popup, rigl, supermask, weights
from ltr.methods.method import Lane, Method, MethodContext, MethodInput

WEIGHTS_ALONE = "weights"
"""How everything trains that no arm says otherwise of."""

METHODS: dict[str, Callable[[MethodContext], Method]] = {
    WEIGHTS_ALONE: weights.build,
    "rigl": rigl.build,
    "supermask": supermask.build,
    "edge_popup": edge_popup.build,
}
"""Ways to train that an arm can name."""

WATCHED = {"early_bird": early_bird.build}
"""Ways to train the ticket that a run can ask for, which also note something."""

SCORES = ("supermask", "edge_popup")
"""Those that leave the weights as they are."""


def check(experiment: Experiment, times: Schedule) -> None:
    """ConfigError for a method that does not fit the rest."""
    pruning, (first, last) = experiment.pruning, times.later
    if experiment.early_bird and (pruning.criterion, pruning.sign) != ("magnitude", "any"):
        raise ConfigError("early_bird=true: needs pruning.criterion=magnitude and pruning.sign=any")
    for name in experiment.arms:
        if experiment.arm[name].method == "rigl" and not rigl.moves(first, last, times.steps):
            raise ConfigError(
                f"arm.{name}.method=rigl: would never move a connection; needs steps that include a "
                f"multiple of {rigl.EVERY} before {rigl.UNTIL:.0%} of {times.steps}"
            )


__all__ = [
    "METHODS",
    "SCORES",
    "WATCHED",
    "WEIGHTS_ALONE",
    "Lane",
    "Method",
    "MethodContext",
    "MethodInput",
    "check",
]
