"""When a training starts, is evaluated, and ends, in optimizer steps."""

from typing import NamedTuple

import numpy as np

from ltr.config import Experiment
from ltr.errors import ConfigError

MOST_STEPS = 2**31 - 1
"""Steps are counted in int32."""


class Schedule(NamedTuple):
    """Durations of a run in steps; `steps_per_epoch` counts whole batches."""

    steps: int
    eval_every: int
    rewind_step: int
    steps_per_epoch: int

    def first_step(self, round: int) -> int:
        """Where the trainings of a round start: the dense ones at 0, later ones at the rewind step."""
        return self.rewind_step if round else 0

    def length(self, round: int) -> int:
        """Steps that each training of a round takes."""
        return self.steps - self.first_step(round)

    def evaluate_at(self, round: int) -> np.ndarray:
        """Steps evaluated in a round, int32: its first, every `eval_every`-th, and its last."""
        first = self.first_step(round)
        between = range((first // self.eval_every + 1) * self.eval_every, self.steps, self.eval_every)
        return np.array([first, *between, self.steps], np.int32)


def resolve(experiment: Experiment, train_examples: int) -> Schedule:
    """The schedule for a training set of that size; ConfigError if batch or rewind step do not fit."""
    if experiment.batch_size > train_examples:
        raise ConfigError(
            f"batch_size={experiment.batch_size}: must be at most {train_examples}, "
            f"the training examples of {experiment.dataset.name}"
        )
    per_epoch = train_examples // experiment.batch_size
    schedule = Schedule(
        experiment.steps.in_steps(per_epoch),
        experiment.eval_every.in_steps(per_epoch),
        experiment.rewind_step.in_steps(per_epoch),
        per_epoch,
    )
    if schedule.steps > MOST_STEPS:
        raise ConfigError(f"steps={experiment.steps}: must be at most {MOST_STEPS} steps")
    if schedule.rewind_step >= schedule.steps:
        raise ConfigError(f"rewind_step={experiment.rewind_step}: must be less than steps={experiment.steps}")
    return schedule
