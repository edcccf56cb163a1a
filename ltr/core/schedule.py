"""Schedule of a run: first, evaluated and last steps of its trainings, in optimizer steps."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ltr.config.schema import WHOLE, Experiment, PartialDuration
from ltr.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int32

MOST_STEPS = 2**31 - 1
"""Largest number of steps: they are counted in int32."""


class Schedule(NamedTuple):
    """Durations of a run in steps.

    Attributes:
        steps: steps of the dense training.
        eval_every, rewind_step: see `ltr.config.schema`.
        steps_per_epoch: number of whole batches in the training set.
        later: first and last step of trainings after the dense one.
    """

    steps: int
    eval_every: int
    rewind_step: int
    steps_per_epoch: int
    later: tuple[int, int]

    def span(self, round_number: int, part: PartialDuration = WHOLE) -> tuple[int, int]:
        """Return the first and last step of the trainings of a round, or of the first part of them."""
        first, last = self.later if round_number else (0, self.steps)
        return first, first + part.of(last - first, self.steps_per_epoch)

    def length(self, round_number: int, part: PartialDuration = WHOLE) -> int:
        """Return the number of steps of each training of a round; arguments as for `span`."""
        first, last = self.span(round_number, part)
        return last - first

    def evaluate_at(
        self, round_number: int, part: PartialDuration = WHOLE
    ) -> "Int32[np.ndarray, 'evaluations']":
        """Return the evaluated steps: first, multiples of `eval_every`, and last; arguments as for `span`."""
        import numpy as np

        first, last = self.span(round_number, part)
        between = range((first // self.eval_every + 1) * self.eval_every, last, self.eval_every)
        return np.array([first, *between, last], np.int32)


def resolve(
    experiment: Experiment, train_examples: int, span: Callable[[int, int], tuple[int, int]]
) -> Schedule:
    """Return the schedule of a run in steps.

    Args:
        experiment: durations, in steps or epochs, and the batch size.
        train_examples: size of the training set.
        span: steps of the dense training, rewind step -> first and last step of later trainings (see
            `ltr.pruning.registry.Rewinding`).

    Raises:
        ConfigError: if the batch size, the steps or the rewind step are too large.
    """
    if experiment.batch_size > train_examples:
        raise ConfigError(
            f"batch_size={experiment.batch_size}: must be at most {train_examples}, "
            f"the training examples of {experiment.dataset.name}"
        )
    per_epoch = train_examples // experiment.batch_size
    steps = experiment.steps.in_steps(per_epoch)
    rewind_step = experiment.rewind_step.in_steps(per_epoch)
    later = span(steps, rewind_step)
    if max(steps, *later) > MOST_STEPS:
        raise ConfigError(f"steps={experiment.steps}: must be at most {MOST_STEPS} steps in all")
    if rewind_step >= steps:
        raise ConfigError(f"rewind_step={experiment.rewind_step}: must be less than steps={experiment.steps}")
    return Schedule(steps, experiment.eval_every.in_steps(per_epoch), rewind_step, per_epoch, later)
