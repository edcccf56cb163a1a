"""Trains a network on CPU devices, whose number a process fixes: `split_batches.py COUNTS STEPS NETWORK`.

Counts are numbers of devices; the network is `small`, or words as of `ltr run`. Each line of the output is
JSON: a number of devices that split the batches, and how far weights and metrics are from those of one.
All arithmetic is in float64, as training amplifies rounding. The layer that NOT_SYNCHRONISED names in the
environment acts on shares alone.
"""

import contextlib
import dataclasses
import json
import os
import sys
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from ltr.core import masks
from ltr.core.shares import Shares
from ltr.data.arrays import Split
from ltr.data.augmentation import augmentation
from ltr.data.dataset import Dataset
from ltr.engine import program
from ltr.engine.devices import Placement
from ltr.engine.examples import lay_out
from ltr.engine.running_batch import Outcome
from ltr.engine.trainer import InitialState, Trainer
from ltr.experiment.compose import from_words
from ltr.experiment.spec import RunSpec
from ltr.methods import weights
from ltr.methods.method import Lane
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.models import data_parallel
from ltr.models.arithmetic import XLA
from ltr.models.layers import BatchNorm, Conv, Dense, flatten, max_pool
from ltr.models.model import from_linen


class Small(nn.Module):
    """A layer of each kind that a share of a batch could compute wrongly."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = max_pool(nn.relu(Conv(4)(images)))
        x = BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(0.5, deterministic=not train)(flatten(x))
        return Dense(10)(x)


class Precise(Trainer):
    """Trainer whose lanes sum their losses in float64 too."""

    def new_lane(self, start: InitialState) -> Lane:
        lane = super().new_lane(start)
        return lane._replace(loss=np.float64(0), best_val_loss=np.float64(np.inf))


def images() -> Dataset:
    """Noise of the shape of digits; no split fills its last batch."""
    generator = np.random.default_rng(0)

    def split(count: int) -> Split:
        drawn = generator.integers(0, 256, (count, 8, 8, 1), np.uint8)
        return Split(drawn, generator.integers(0, 10, count, np.int32))

    return Dataset("noise", split(127), split(300), split(45), 10, np.full(1, 127.0), np.full(1, 74.0))


def trained(spec: RunSpec, count: int, steps: int) -> Outcome:
    """Train half of a network, two trainings of it one beside the other, on so many devices."""
    shares = Shares(count)
    context = spec.training_context(XLA, shares)
    built = weights.build(context)
    augment = augmentation(spec.experiment.dataset)
    compiled = program.program(
        context.model, built, spec.experiment.batch_size, augment, test_curves=True, shares=shares
    )
    placement = Placement(tuple(jax.devices()[:count]), 2, splits_batches=count > 1)
    trainer = Precise({WEIGHTS_ALONE: compiled}, context.optimizer, lay_out(images()), placement)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), spec.model.init(jax.random.key(0)))
    generator = np.random.default_rng(1)
    mask = masks.tree_map(
        lambda kept: None if kept is None else generator.random(kept.shape) < 0.5,
        masks.ones(params, spec.model.layer_types),
    )
    starts = {
        lane: InitialState(masks.apply(mask, params), mask, np.array([0, lane], np.uint32))
        for lane in range(2)
    }
    at = np.linspace(0, steps, 4).astype(np.int32)
    return trainer.train(starts, at, lambda _: None)[1]


def distance(one: Any, other: Any) -> float:
    pairs = zip(*map(jax.tree.leaves, (one, other)), strict=True)
    return max(float(np.nanmax(np.abs(np.subtract(*pair)))) for pair in pairs)


def specification(network: str, *words: str) -> RunSpec:
    small = "batch_size=24", "steps=200", "dataset.augmentation=crop_flip"
    if network != "small":
        return RunSpec.from_experiment(from_words([*small, network, *words]))
    spec, model = RunSpec.from_experiment(from_words(small)), from_linen(Small(), (8, 8, 1))
    return dataclasses.replace(spec, model=model, shapes=jax.eval_shape(model.init, jax.random.key(0)))


def main(counts: str, steps: str, *words: str) -> None:
    numbers = [int(count) for count in counts.split(",")]
    jax.config.update("jax_num_cpu_devices", max(numbers))
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_disable_most_optimizations", True)
    intercepting, left_out = data_parallel.intercepting, os.environ.get("NOT_SYNCHRONISED")
    data_parallel.intercepting = lambda kind, by: (
        contextlib.nullcontext() if kind.__name__ == left_out else intercepting(kind, by)
    )
    spec = specification(*words)
    alone = trained(spec, 1, int(steps))
    assert not alone.is_diverged
    for count in numbers:
        found = trained(spec, count, int(steps))
        for name in ("params", "metrics"):
            print(json.dumps([count, name, distance(getattr(alone, name), getattr(found, name))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
