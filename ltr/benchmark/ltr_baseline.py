"""ltr's own training loop, on noise: its shuffling, normalisation and visits of the host included.

Evaluation is left out (there is one example a split), as it is in what it is compared with.
"""

import time

import jax
import numpy as np

from ltr.config.schema import Dataset as DatasetConfig
from ltr.core import masks
from ltr.data import dataset
from ltr.data.dataset import Dataset
from ltr.data.entry import Split
from ltr.engine import devices, program
from ltr.engine.packing import Layers
from ltr.engine.trainer import InitialState, Progress, Trainer
from ltr.experiment.placement import lane_bytes
from ltr.experiment.spec import RunSpec
from ltr.methods import weights

WARM_UP = 0.05
"""The part of a measurement that does not count: the first visits of the host are close together.

Each goes up to `ltr.engine.trainer.MAX_GROWTH` times as far as the last: past this part, most of it is left.
"""


class LtrBaseline:
    """Trains the network of a run on every device at once.

    Attributes:
        placement: where.
    """

    def __init__(self, spec: RunSpec, packed: Layers) -> None:
        self.placement = devices.place(None, None, jax.device_count(), lane_bytes(spec))
        self._spec = spec
        experiment, method_context = spec.experiment, spec.method_context
        programs = {
            "weights": program.program(spec.model, weights.build(method_context), experiment.batch_size)
        }
        examples = program.examples(noise(experiment.dataset))
        self._trainer = Trainer(programs, method_context.optimizer, examples, self.placement, packed)
        self._pace: dict[float, float] = {}

    def steps_per_second(self, density: float, seconds: float) -> float:
        """Of all lanes together, whose layers keep `density` of their weights, measured for about so long."""
        starts = {lane: self._pruned(lane, density) for lane in range(self.placement.capacity)}
        if density not in self._pace:
            self._timed(starts, 2)  # compiles
            self._pace[density] = self._timed(starts, 4)
        steps, taken = 0, 0.0
        while taken < 0.7 * seconds:  # the pace of few steps, or of a slow moment, says too little
            steps = max(4, 2 * steps, round(self._pace[density] * seconds))
            self._pace[density] = self._timed(starts, steps)
            taken = steps / self._pace[density]
        return len(starts) * self._pace[density]

    def _timed(self, starts: dict[int, InitialState], steps: int) -> float:
        """Steps a second of each lane."""
        seen = [(time.perf_counter(), 0)]

        def on_chunk(progress: Progress) -> None:
            seen.append((time.perf_counter(), seen[-1][1] + progress.steps // len(starts)))

        self._trainer.train(starts, np.array([0, steps], np.int32), on_chunk)
        began, first = next(one for one in seen if one[1] >= WARM_UP * steps or one[1] == seen[-2][1])
        ended, last = seen[-1]
        return (last - first) / (ended - began)

    def _pruned(self, lane: int, density: float) -> InitialState:
        """Noise for weights, of which each layer keeps `density`."""
        generator = np.random.default_rng(lane)
        params = jax.tree.map(lambda leaf: noisy(generator, leaf.shape), self._spec.shapes)
        mask = masks.tree_map(
            lambda kept: None if kept is None else generator.random(kept.shape) < density,
            masks.ones(params, self._spec.model.layer_types),
        )
        return InitialState(masks.apply(mask, params), mask, np.array([0, lane], np.uint32))


def noisy(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Kernels of a size at which training stays finite; ones for what is no kernel."""
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return generator.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32)


def noise(config: DatasetConfig) -> Dataset:
    """Random images and labels in the shape of a data set; of validation and test one example."""
    facts, generator = dataset.describe(config), np.random.default_rng(0)
    count = dataset.training_examples(config)
    images = generator.integers(256, size=(count, *facts.shape), dtype=np.uint8)
    labels = generator.integers(facts.classes, size=count, dtype=np.int32)
    one = Split(images[:1], labels[:1])
    mean, std = (np.full(facts.shape[-1], value, np.float32) for value in (127.5, 73.9))
    return Dataset("noise", Split(images, labels), one, one, facts.classes, mean, std)
