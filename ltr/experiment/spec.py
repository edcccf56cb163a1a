"""Run specifications: a configuration with its network, schedule and targets, before data is read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, Self

import jax
import numpy as np
from jaxtyping import Int32, PyTree

from ltr.arms.lanes import furthest_target, lanes
from ltr.arms.registry import SHUFFLES
from ltr.config.schema import Experiment
from ltr.core import masks, optimizers
from ltr.core.schedule import Schedule
from ltr.core.shares import WHOLE, Shares
from ltr.data import dataset
from ltr.errors import ConfigError
from ltr.experiment import checks
from ltr.experiment.memory import Memory, memory
from ltr.methods.method import MethodContext
from ltr.methods.registry import METHODS
from ltr.models import operations
from ltr.models.arithmetic import XLA, Arithmetic
from ltr.models.data_parallel import data_parallel, draws_by_itself, gathering
from ltr.models.model import Model, with_arithmetic
from ltr.models.registry import build
from ltr.pruning.registry import SCOPES
from ltr.pruning.targets import Target, targets
from ltr.store.tables import LaneId


@dataclass(frozen=True)
class RunSpec:
    """Valid configuration, with its network, schedule and pruning targets.

    Attributes:
        experiment: the configuration.
        model: the network.
        schedule: durations in steps.
        shapes: shape and dtype of every parameter.
        targets: number of kept weights of each round, from round 0 on. Where trainings need to know that of
            a later round it has more rounds than the run, as far as these can be pruned.
    """

    experiment: Experiment
    model: Model
    schedule: Schedule
    shapes: PyTree[jax.ShapeDtypeStruct]
    targets: list[Target]

    @classmethod
    def from_experiment(cls, experiment: Experiment) -> Self:
        """Validate a configuration; ConfigError names the wrong knob."""
        checks.check_parts(experiment)
        facts = dataset.describe(experiment.dataset)
        times = checks.schedule_of(experiment, facts, dataset.training_examples(experiment.dataset))
        model = build(experiment.model, facts.shape, facts.classes)
        _require_inputs(experiment, model)
        shapes = jax.eval_shape(model.init, jax.random.key(0))
        counts = targets(
            experiment.pruning, experiment.prune_rate, experiment.rounds, model.layer_types, model.kernels
        )
        for further in range(1, furthest_target(experiment) + 1):
            counts += _target_after(experiment, model, further)
        return cls(experiment, model, times, shapes, counts)

    @property
    def steps(self) -> int:
        """Training steps of all lanes, without those to the rewind step."""
        return sum(
            self.length(lane)
            for number in range(self.experiment.rounds + 1)
            for lane in lanes(self.experiment, number)
        )

    def span(self, lane: LaneId) -> tuple[int, int]:
        """Return the first and last step of the training of a lane."""
        return self._schedule_of(lane).span(lane.round, self.experiment.arm[lane.arm].search_steps)

    def length(self, lane: LaneId) -> int:
        """Return the number of steps of the training of a lane."""
        first, last = self.span(lane)
        return last - first

    def _schedule_of(self, lane: LaneId) -> Schedule:
        batches = self.experiment.arm[lane.arm].search_batches
        return self.schedule._replace(steps_per_epoch=self.schedule.steps_per_epoch // batches)

    def has_common_batches(self, lane: LaneId) -> bool:
        """Return whether the steps of a lane have as many training examples as those of the ticket."""
        return self.experiment.arm[lane.arm].search_batches == 1

    def evaluate_at(self, lane: LaneId) -> Int32[np.ndarray, "evaluations"]:
        """Return the steps at which a lane is evaluated (see `ltr.core.schedule`)."""
        return self._schedule_of(lane).evaluate_at(lane.round, self.experiment.arm[lane.arm].search_steps)

    @property
    def steps_in_three_rounds(self) -> float:
        """Training steps of all lanes in three rounds, on average (see `ltr.engine.capacity`)."""
        return 3 * self.steps / (self.experiment.rounds + 1)

    @property
    def classes(self) -> int:
        """Number of classes of the data set."""
        return dataset.describe(self.experiment.dataset).classes

    @cached_property
    def method_context(self) -> MethodContext:
        """Context that the run's methods are built from."""
        times = self.schedule
        optimizer = optimizers.build(self.experiment.optimizer, times.steps, times.steps_per_epoch)
        return MethodContext(
            self.model, optimizer, times.steps, times.steps_per_epoch, self.experiment.pruning
        )

    @cached_property
    def memory(self) -> Callable[[Shares], Memory]:
        """Function: shares of a batch -> memory of the run if XLA computes all layers, as on accelerators."""
        return cache(partial(memory, self, XLA))

    @cached_property
    def step_operations(self) -> int:
        """FLOPs of a training step of the dense network, in its prunable kernels."""
        whole = masks.ones(self.shapes, self.model.layer_types)
        return self.experiment.batch_size * operations.step(self.model, whole, whole)

    @cached_property
    def draws_by_itself(self) -> bool:
        """Whether the network draws random numbers that a share of a batch could not."""
        return draws_by_itself(self.model, dataset.describe(self.experiment.dataset).shape)

    def in_batches_of(self, batch_size: int, context: MethodContext) -> MethodContext:
        """Return the context of a method whose steps have another number of training examples."""
        examples = dataset.training_examples(self.experiment.dataset)
        return context._replace(steps_per_epoch=examples // batch_size)

    def training_context(self, arithmetic: Arithmetic, shares: Shares = WHOLE) -> MethodContext:
        """Return the method context with an arithmetic of its own, for training on shares of each batch."""
        model = data_parallel(with_arithmetic(self.model, arithmetic), shares)
        optimizer = gathering(self.method_context.optimizer, shares)
        return self.method_context._replace(
            model=model, optimizer=optimizer, fused=arithmetic.fused, shares=shares
        )


def _require_inputs(experiment: Experiment, model: Model) -> None:
    """Raise ConfigError if a knob needs the input dimensions of kernels and those of one are unknown."""
    unknown = [kernel for kernel in jax.tree.leaves(model.kernels) if not kernel.roles]
    knobs: dict[str, tuple[Any, str]] = {"pruning.scope": (SCOPES, experiment.pruning.scope)}
    for name in experiment.arms:
        arm = experiment.arm[name]
        knobs[f"arm.{name}.shuffle"] = SHUFFLES, arm.shuffle
        knobs[f"arm.{name}.method"] = METHODS, arm.method
    for knob, (registry, value) in knobs.items():
        if unknown and registry[value].reads_inputs:
            raise ConfigError(
                f"{knob}={value}: needs to know which dimensions of kernels are inputs; they are unknown for "
                f"layer {unknown[0].layer}, whose kernel has shape {unknown[0].shape}"
            )


def _target_after(experiment: Experiment, model: Model, further: int) -> list[Target]:
    """Return the target of a round that is `further` than the last; empty if that cannot be pruned."""
    rounds = experiment.rounds + further
    try:
        counts = targets(experiment.pruning, experiment.prune_rate, rounds, model.layer_types, model.kernels)
    except ConfigError:
        return []
    return counts[rounds:]
