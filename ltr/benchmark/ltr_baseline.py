"""Speed of ltr's own training loop on noise, with shuffling, normalisation and returns to the host.

Evaluation is left out (each evaluated split has one example), as in the other baselines.
"""

import time
from functools import partial

import jax
import numpy as np

from ltr.config.schema import Dataset as DatasetConfig
from ltr.core import masks
from ltr.core.shares import WHOLE
from ltr.data import dataset
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.engine import devices, program
from ltr.engine.devices import Placement
from ltr.engine.examples import lay_out
from ltr.engine.packing import Layers
from ltr.engine.speed import noisy, noisy_images
from ltr.engine.trainer import InitialState, Progress, Trainer
from ltr.experiment.placement import lanes_that_fit
from ltr.experiment.spec import RunSpec
from ltr.methods import weights
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.models.arithmetic import Arithmetic

WARM_UP = 0.05
"""Fraction of a measurement that is not counted, because its first chunks are short.

Each chunk is up to `ltr.engine.trainer.MAX_GROWTH` times as long as the last, so most of the measurement is
left after this fraction.
"""


FEWEST_STEPS = 5
"""Fewest steps of a measurement; the first of them is not counted."""


class LtrBaseline:
    """ltr's training of a run's network.

    Attributes:
        placement: devices and lanes on each; by default all devices, each with lanes of its own.
    """

    def __init__(
        self, spec: RunSpec, packed: Layers, arithmetic: Arithmetic, placement: Placement | None = None
    ) -> None:
        self.placement = placement or devices.place(
            devices.available(None), jax.device_count(), None, partial(lanes_that_fit, spec, WHOLE)
        )
        self._spec, shares = spec, self.placement.shares
        experiment, method_context = spec.experiment, spec.training_context(arithmetic, shares)
        programs = {
            WEIGHTS_ALONE: program.program(
                method_context.model,
                weights.build(method_context),
                experiment.batch_size,
                shares=shares,
            )
        }
        examples = lay_out(noise(experiment.dataset))
        self._trainer = Trainer(programs, method_context.optimizer, examples, self.placement, packed)
        self._pace: dict[float, float] = {}

    def compile(self, density: float) -> None:
        """Compile the program for a density; if no layer is packed, it serves all densities."""
        self._timed(self._starts(density), 2)

    def steps_per_second(self, density: float, seconds: float) -> float:
        """Measure the training speed of all lanes together, for about `seconds`.

        Args:
            density: density of every layer, 0 to 1, for which `compile` has been called.
            seconds: approximate duration of the measurement.
        """
        starts = self._starts(density)
        steps, taken = 0, 0.0
        while taken < 0.7 * seconds:  # a few steps, or a slow moment, give a poor estimate of the pace
            steps = max(FEWEST_STEPS, 2 * steps, round(self._pace.get(density, 0.0) * seconds))
            self._pace[density] = self._timed(starts, steps)
            taken = steps / self._pace[density]
        return len(starts) * self._pace[density]

    def _starts(self, density: float) -> dict[int, InitialState]:
        return {lane: self._pruned(lane, density) for lane in range(self.placement.capacity)}

    def _timed(self, starts: dict[int, InitialState], steps: int) -> float:
        """Train for some steps and return the steps per second of each lane."""
        chunks = [(time.perf_counter(), 0)]  # time and steps so far at the end of each chunk

        def on_chunk(progress: Progress) -> None:
            chunks.append((time.perf_counter(), chunks[-1][1] + progress.steps // len(starts)))

        self._trainer.train(starts, np.array([0, steps], np.int32), on_chunk)
        began, first = next(
            (at, done) for at, done in chunks if done >= WARM_UP * steps or done == chunks[-2][1]
        )
        ended, last = chunks[-1]
        return (last - first) / (ended - began)

    def _pruned(self, lane: int, density: float) -> InitialState:
        """Return random weights with a random mask of the given density in each layer."""
        generator = np.random.default_rng(lane)
        params = jax.tree.map(lambda leaf: noisy(generator, leaf.shape), self._spec.shapes)
        mask = masks.tree_map(
            lambda kept: None if kept is None else generator.random(kept.shape) < density,
            masks.ones(params, self._spec.model.layer_types),
        )
        return InitialState(masks.apply(mask, params), mask, np.array([0, lane], np.uint32))


def noise(config: DatasetConfig) -> Dataset:
    """Draw random images and labels in the shape of a data set, with one validation and test example.

    As many pixels are zero as in the data set.
    """
    facts, generator = dataset.describe(config), np.random.default_rng(0)
    count = dataset.training_examples(config)
    images = noisy_images(generator, (count, *facts.shape), facts.zeros)
    labels = generator.integers(facts.classes, size=count, dtype=np.int32)
    single = Split(images[:1], labels[:1])
    return Dataset("noise", Split(images, labels), single, single, facts.classes, *dataset.moments(images))
