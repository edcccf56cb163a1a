"""The running statistics of batch normalisation: parameters that training replaces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from ltr.config.schema import Optimizer
from ltr.core import masks, optimizers
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext
from ltr.models.convolution import conv
from ltr.models.layers import GLOROT
from ltr.models.model import Model, from_linen
from ltr.models.resnet import ResNet
from ltr.pruning import rewinding
from ltr.store import checkpoints

KEY = jax.random.key(0)
MOMENTUM = optimizers.build(Optimizer("momentum", 0.1, weight_decay=0.5), 10, 1)
"""Weight decay that would be seen at once in a statistic."""


def is_statistic(path: tuple[str, ...]) -> bool:
    return path[-1] in ("mean", "var")


@pytest.fixture(scope="module")
def model() -> Model:
    """A ResNet of one block of 2 channels."""
    return from_linen(ResNet((2,), 1, 10, GLOROT), (8, 8, 3))


@pytest.fixture(scope="module")
def params(model: Model) -> Any:
    """Weights, and statistics that no layer has by chance."""
    generator = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, KEY)
    return jax.tree.map(lambda leaf: generator.uniform(0.2, 1, leaf.shape).astype(np.float32), shapes)


def batch(seed: int) -> tuple[jax.Array, jax.Array]:
    key = jax.random.key(seed)
    return 1 + 2 * jax.random.normal(key, (6, 8, 8, 3)), jax.random.randint(key, (6,), 0, 10, jnp.int32)


@pytest.fixture(scope="module")
def mask(model: Model, params: Any) -> Any:
    """Half of every kernel."""
    generator = np.random.default_rng(0)
    dense = masks.ones(params, model.layer_types)
    return jax.tree.map(lambda kept: generator.random(kept.shape) < 0.5, dense)


@pytest.fixture(scope="module")
def lane(params: Any, mask: Any) -> Lane:
    start = masks.apply(mask, params)
    moments = jax.tree.map(np.asarray, MOMENTUM.direction.init(start))
    return Lane(start, moments, mask, np.array([0, 1], np.uint32), np.float32(0))


@pytest.fixture(scope="module")
def step(model: Model) -> Callable[..., Lane]:
    """Lane, images, labels -> the lane after a step on them."""
    method = weights.build(MethodContext(model, MOMENTUM, 1, 1))
    return jax.jit(lambda *given: method.step(*given, jnp.int32(0))[0])


def test_training_moves_a_tenth_of_the_way_to_the_batch(model: Model, params: Any) -> None:
    images, _ = batch(1)
    seen = np.asarray(conv(images, params["conv_1"]["kernel"]), np.float64)
    _, statistics = jax.jit(model.train)(params, images, KEY)
    before, after = params["norm_1"], statistics["norm_1"]
    mean = 0.9 * before["mean"] + 0.1 * seen.mean((0, 1, 2))
    var = 0.9 * before["var"] + 0.1 * seen.var((0, 1, 2))
    np.testing.assert_allclose(after["mean"], mean, rtol=1e-4)
    np.testing.assert_allclose(after["var"], var, rtol=1e-4)


def test_every_normalisation_has_statistics_and_all_of_them_move(model: Model, params: Any) -> None:
    _, statistics = jax.jit(model.train)(params, batch(1)[0], KEY)
    before, after = flatten_dict(params), flatten_dict(statistics)
    assert set(after) == set(filter(is_statistic, before))
    assert len(after) == 2 * 3
    assert all(np.any(after[path] != before[path]) for path in after)


def test_evaluation_uses_the_statistics_and_training_the_batch(model: Model, params: Any) -> None:
    images, _ = batch(1)
    other = unflatten_dict(
        {path: 2 * leaf if is_statistic(path) else leaf for path, leaf in flatten_dict(params).items()}
    )
    apply, train = jax.jit(model.apply), jax.jit(model.train)
    assert not np.allclose(apply(params, images), apply(other, images), rtol=1e-2)
    np.testing.assert_array_equal(train(params, images, KEY)[0], train(other, images, KEY)[0])
    np.testing.assert_allclose(apply(params, images)[:2], apply(params, images[:2]), rtol=1e-4, atol=1e-5)


def test_a_step_replaces_them_and_neither_gradient_nor_weight_decay_moves_them(
    model: Model, lane: Lane, step: Callable[..., Lane]
) -> None:
    """The optimizer's moments, as if there had been many steps before, do not either."""
    images, labels = batch(1)
    _, expected = jax.jit(model.train)(lane.params, images, KEY)
    moving = lane._replace(opt_state=jax.tree.map(np.ones_like, lane.opt_state))
    found = flatten_dict(step(moving, images, labels).params)
    for path, leaf in flatten_dict(expected).items():
        np.testing.assert_allclose(found[path], leaf, rtol=1e-5, atol=1e-6)


def test_each_lane_has_its_own(lane: Lane, step: Callable[..., Lane]) -> None:
    batches = [batch(seed) for seed in (1, 2)]
    lanes = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), lane)
    together = jax.jit(jax.vmap(step))(lanes, *map(jnp.stack, zip(*batches, strict=True))).params
    assert not np.allclose(*together["norm_1"]["mean"])
    for number, alone in enumerate(batches):
        expected = flatten_dict(step(lane, *alone).params)
        for path, leaf in flatten_dict(together).items():
            np.testing.assert_allclose(leaf[number], expected[path], rtol=1e-3, atol=1e-4)


def test_they_are_rewound_with_the_weights(params: Any, mask: Any) -> None:
    trained = jax.tree.map(lambda leaf: leaf + 1, params)
    rewound = rewinding.at_the_rewind_step(mask, trained, params)
    for path, leaf in flatten_dict(rewound).items():
        if is_statistic(path):
            np.testing.assert_array_equal(leaf, flatten_dict(params)[path])


def test_they_are_saved_with_the_weights(params: Any, tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "weights", params, {})
    jax.tree.map(np.testing.assert_array_equal, checkpoints.load(tmp_path / "weights"), params)


def test_pruned_weights_stay_exactly_zero(lane: Lane, step: Callable[..., Lane]) -> None:
    after = lane
    for seed in range(3):
        after = step(after, *batch(seed))
    velocity = after.opt_state[1].trace

    def check(kept: Any, start: Any, *trees: Any) -> None:
        if kept is not None:
            assert all(not np.asarray(tree)[~kept].any() for tree in (start, *trees))
            assert np.any(np.asarray(trees[0])[kept] != start[kept])

    masks.tree_map(check, lane.mask, lane.params, after.params, velocity)
