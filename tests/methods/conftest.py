"""A lane of the small network on its way, by any method."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from ltr.config.schema import Optimizer, Pruning
from ltr.core import masks, optimizers
from ltr.data.dataset import Dataset
from ltr.engine.evaluation import evaluate
from ltr.engine.examples import Batches, lay_out, normalise
from ltr.methods.method import Lane, Method, MethodContext, MethodInput
from ltr.methods.registry import method as find_method
from ltr.models.model import Model

STEPS, STEPS_PER_EPOCH = 400, 4
ADAM, LAYERWISE = Optimizer(learning_rate=0.01), Pruning()


class Trained(NamedTuple):
    """A method, and the states of a lane of it: before the first step, and after each."""

    method: Method
    lanes: list[Lane]


@pytest.fixture(scope="session")
def train(network: Model, params: Any, mask: Any, blobs: Dataset) -> Callable[..., Trained]:
    """Train a lane of `params` and `mask` by the named method, all on one batch."""
    data = lay_out(blobs)
    images, labels = jax.jit(normalise)(data.images, data), data.labels

    @cache
    def compiled(name: str, config: Optimizer, pruning: Pruning) -> tuple[Method, Any, Any]:
        optimizer = optimizers.build(config, STEPS, STEPS_PER_EPOCH)
        method = find_method(name).load()(MethodContext(network, optimizer, STEPS, STEPS_PER_EPOCH, pruning))
        method = method._replace(network=jax.jit(method.network))
        direction = method.direction or optimizer.direction
        return method, jax.jit(direction.init), jax.jit(method.step)

    def train(
        name: str,
        steps: int,
        config: Optimizer = ADAM,
        pruning: Pruning = LAYERWISE,
        target: Any = None,
        key: int = 0,
        first: int = 0,
        span: tuple[int, int] = (0, STEPS),
    ) -> Trained:
        method, init, advance = compiled(name, config, pruning)
        is_whole = find_method(name).needs.get("pruned", "zero") != "zero"
        weights = params if is_whole else masks.apply(mask, params)
        target = jax.tree.map(np.count_nonzero, mask) if target is None else target
        inputs = MethodInput(mask, weights, jax.random.key(key), target, span)
        started, method_state = method.begin(inputs)
        lanes = [Lane(started, init(started), mask, np.array([0, 1], np.uint32), np.float32(0), method_state)]
        for step in range(first, first + steps):
            lanes.append(advance(lanes[-1], images, labels, np.int32(step))[0])
        return Trained(method, lanes)

    return train


@pytest.fixture(scope="session")
def loss(network: Model, blobs: Dataset) -> Callable[[Any], float]:
    """Of weights, over the training set."""
    data = lay_out(blobs)
    train = data._replace(held_out=Batches(data.images[None], data.labels[None]))
    of_weights = jax.jit(lambda params: evaluate(network, params, train, np.array([0, 1], np.int32))[0])
    return lambda params: float(of_weights(params))
