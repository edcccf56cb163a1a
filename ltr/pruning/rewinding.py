"""Rewinding: what a pruned network starts from, and which part of the training it goes through again."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.errors import ConfigError
from ltr.suggestions import nearest


class Rewinding(NamedTuple):
    """How a round starts from the one before.

    Attributes:
        weights: mask, trained weights, weights at the rewind step -> weights to start from.
        span: steps of the dense training, rewind step -> first and last step of later trainings; the
            learning rate follows the step, and stays as it is after the dense training's last.
    """

    weights: Callable[[Any, Any, Any], Any]
    span: Callable[[int, int], tuple[int, int]]


def at_the_rewind_step(mask: Any, trained: Any, rewind_params: Any) -> Any:
    """The weights at the rewind step, masked."""
    return masks.apply(mask, rewind_params)


def as_trained(mask: Any, trained: Any, rewind_params: Any) -> Any:
    """The weights after training, masked."""
    return masks.apply(mask, trained)


REWINDINGS = {
    "weights": Rewinding(at_the_rewind_step, lambda steps, rewind_step: (rewind_step, steps)),
    "learning_rate": Rewinding(as_trained, lambda steps, rewind_step: (rewind_step, steps)),
    "fine_tune": Rewinding(as_trained, lambda steps, rewind_step: (steps, 2 * steps - rewind_step)),
    "continued": Rewinding(as_trained, lambda steps, rewind_step: (0, steps)),
}
"""weights: to initialisation (Frankle & Carbin, 2019) or a later step (Frankle et al., 2020).

learning_rate: trained weights go through the schedule again from the rewind step; fine_tune: they
train as long at its last learning rate (Renda et al., 2020). continued: they go through all of it
again (Frankle & Carbin, 2019, "strategy 2").
"""


def check(experiment: Experiment) -> None:
    """ConfigError for a rewinding that there is not, or that does not fit the rest."""
    name = experiment.rewind.name
    if name not in REWINDINGS:
        raise ConfigError(f"rewind.name={name}: unknown rewinding; {nearest(name, REWINDINGS)}")
    if name == "continued" and experiment.rewind_step.amount:
        raise ConfigError(f"rewind_step={experiment.rewind_step}: must be 0 with rewind=continued")
    if name == "fine_tune" and experiment.optimizer.schedule == "cosine":
        raise ConfigError("optimizer.schedule=cosine: ends at 0, which rewind=fine_tune cannot train at")
