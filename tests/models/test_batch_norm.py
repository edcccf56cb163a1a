"""The running statistics of batch normalisation: parameters that training replaces."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from ltr import masks, models, optimizers, rewinding, training
from ltr.config import Model as Config
from ltr.config import Optimizer
from ltr.models import Model, arithmetic
from ltr.store import checkpoints
from ltr.training import Lane

KEY = jax.random.key(0)
MOMENTUM = optimizers.build(Optimizer("momentum", 0.1, weight_decay=0.5), 10, 1)
"""Weight decay that would be seen at once in a statistic."""


def is_statistic(path: tuple[str, ...]) -> bool:
    return path[-1] in ("mean", "var")


@pytest.fixture(scope="module")
def model() -> Model:
    """A ResNet-20 of 2, 4 and 8 channels."""
    return models.build(Config("resnet20", width=0.125), (8, 8, 3), 10)


@pytest.fixture(scope="module")
def params(model: Model) -> Any:
    """Initial weights, and statistics that no layer has by chance."""
    drawn = flatten_dict(jax.tree.map(np.asarray, jax.jit(model.init)(KEY)))
    moved = {path: leaf + 0.5 if is_statistic(path) else leaf for path, leaf in drawn.items()}
    return unflatten_dict(moved)


def batch(seed: int) -> tuple[jax.Array, jax.Array]:
    key = jax.random.key(seed)
    return 1 + 2 * jax.random.normal(key, (6, 8, 8, 3)), jax.random.randint(key, (6,), 0, 10, jnp.int32)


@pytest.fixture(scope="module")
def mask(model: Model, params: Any) -> Any:
    """Half of every kernel."""
    generator = np.random.default_rng(0)
    dense = masks.ones(params, model.kinds)
    return jax.tree.map(lambda kept: generator.random(kept.shape) < 0.5, dense)


@pytest.fixture(scope="module")
def lane(params: Any, mask: Any) -> Lane:
    start = masks.apply(mask, params)
    moments = jax.tree.map(np.asarray, MOMENTUM.direction.init(start))
    return Lane(start, moments, mask, np.array([0, 1], np.uint32), np.float32(0))


def step(model: Model, lane: Lane, images: jax.Array, labels: jax.Array) -> Lane:
    return training.train_step(model, MOMENTUM, lane, images, labels, jnp.int32(0))[0]


def test_training_moves_a_tenth_of_the_way_to_the_batch(model: Model, params: Any) -> None:
    images, _ = batch(1)
    seen = np.asarray(arithmetic.conv(images, params["conv_1"]["kernel"]), np.float64)
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
    assert len(after) == 2 * 21
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
    model: Model, lane: Lane
) -> None:
    """The optimizer's moments, as if there had been many steps before, do not either."""
    images, labels = batch(1)
    _, expected = jax.jit(model.train)(lane.params, images, KEY)
    moving = lane._replace(moments=jax.tree.map(np.ones_like, lane.moments))
    found = flatten_dict(jax.jit(lambda lane: step(model, lane, images, labels))(moving).params)
    for path, leaf in flatten_dict(expected).items():
        np.testing.assert_allclose(found[path], leaf, rtol=1e-5, atol=1e-6)


def test_each_lane_has_its_own(model: Model, lane: Lane) -> None:
    batches = [batch(seed) for seed in (1, 2)]
    one = jax.jit(lambda lane, *batch: step(model, lane, *batch).params)
    lanes = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), lane)
    together = jax.jit(jax.vmap(one))(lanes, *map(jnp.stack, zip(*batches, strict=True)))
    assert not np.allclose(*together["norm_1"]["mean"])
    for number, alone in enumerate(batches):
        expected = flatten_dict(one(lane, *alone))
        for path, leaf in flatten_dict(together).items():
            np.testing.assert_allclose(leaf[number], expected[path], rtol=1e-3, atol=1e-4)


def test_they_are_rewound_with_the_weights(params: Any, mask: Any) -> None:
    trained = jax.tree.map(lambda leaf: leaf + 1, params)
    rewound = rewinding.weights(mask, trained, params)
    for path, leaf in flatten_dict(rewound).items():
        if is_statistic(path):
            np.testing.assert_array_equal(leaf, flatten_dict(params)[path])


def test_they_are_saved_with_the_weights(params: Any, tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "weights", params, {})
    jax.tree.map(np.testing.assert_array_equal, checkpoints.load(tmp_path / "weights"), params)


def test_pruned_weights_stay_exactly_zero(model: Model, lane: Lane) -> None:
    images, labels = batch(1)
    take = jax.jit(lambda lane: step(model, lane, images, labels))
    after = take(take(take(lane)))
    velocity = after.moments[1].trace

    def check(kept: Any, start: Any, *trees: Any) -> None:
        if kept is not None:
            assert all(not np.asarray(tree)[~kept].any() for tree in (start, *trees))
            assert np.any(np.asarray(trees[0])[kept] != start[kept])

    masks.tree_map(check, lane.mask, lane.params, after.params, velocity)
