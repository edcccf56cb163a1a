from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ltr.config.schema import Optimizer as Config
from ltr.core import masks, optimizers
from ltr.core.optimizers import Optimizer
from ltr.data.arrays import Split
from ltr.data.augmentation import Augmentation, none
from ltr.data.dataset import Dataset
from ltr.engine import program
from ltr.engine.evaluation import evaluate
from ltr.engine.examples import Examples, lay_out, normalise
from ltr.engine.program import MAX_SEGMENTS, Chunk
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext
from ltr.models.model import Model

LAYERS = ("dense_1", "dense_2", "output")
KEY, OTHER_KEY = np.array([0, 1], np.uint32), np.array([0, 2], np.uint32)


NOTHING = np.float32(0)
LAST = 100
"""The step at which no test ends."""


def on_chunk(start: int, *at: int) -> Chunk:
    """Asks to train from `start`, just evaluated or about to be, and to evaluate at every stop."""
    return chunk(start, start, at, at)


def chunk(start: int, last_evaluation: int, stops: Sequence[int], at: Sequence[int]) -> Chunk:
    return Chunk(
        np.int32(start),
        np.int32(last_evaluation),
        np.resize(stops, MAX_SEGMENTS).astype(np.int32),
        np.resize(np.isin(stops, at), MAX_SEGMENTS),
        np.int32(len(stops)),
        np.int32(LAST),
    )


def forward(params: Any, x: np.ndarray) -> list[np.ndarray]:
    """What goes into each layer of `network`, and its logits, in NumPy."""
    inputs = [x.reshape(len(x), -1)]
    for layer in LAYERS:
        x = inputs[-1] @ params[layer]["kernel"] + params[layer]["bias"]
        inputs.append(x if layer == "output" else np.maximum(x, 0))
    return inputs


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(labels)), labels]


def sgd_step(params: Any, mask: Any, x: np.ndarray, labels: np.ndarray, rate: float) -> tuple[Any, float]:
    """Backpropagation by hand."""
    *inputs, logits = forward(params, x)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    error = (probabilities - np.eye(3)[labels]) / len(labels)
    after = {}
    for layer, into in zip(reversed(LAYERS), reversed(inputs), strict=True):
        kernel, bias = params[layer]["kernel"], params[layer]["bias"]
        after[layer] = {
            "kernel": kernel - rate * (into.T @ error) * mask[layer]["kernel"],
            "bias": bias - rate * error.sum(0),
        }
        error = (error @ kernel.T) * (into > 0)
    return after, losses(logits, labels).mean()


def test_a_step_is_backpropagation_by_hand(network: Model, params: Any, mask: Any, blobs: Dataset) -> None:
    data = lay_out(blobs)
    images, labels = jax.jit(normalise)(data.images[:10], data), data.labels[:10]
    optimizer = optimizers.build(Config(name="sgd", learning_rate=0.5), 10, 1)
    start = masks.apply(mask, params)
    method = weights.build(MethodContext(network, optimizer, 10, 1))

    @jax.jit
    def step(start: Any, images: jax.Array, labels: jax.Array) -> tuple[Any, jax.Array]:
        lane = Lane(start, optimizer.direction.init(start), mask, KEY, NOTHING)
        after, loss = method.step(lane, images, labels, np.int32(0))
        assert after.mask is mask
        assert after.key is KEY
        return after.params, loss

    after, loss = step(start, images, labels)
    double = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), start)
    expected, expected_loss = sgd_step(double, mask, np.asarray(images), blobs.train.labels[:10], 0.5)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6),
        after,
        expected,
    )


def seen_by(
    count: int, batch_size: int, augment: Augmentation = none
) -> Callable[[np.ndarray, int, int], np.ndarray]:
    """Runs the program with a model that notes which examples it sees.

    Image i holds the number i and only weight i sees it; the step's place in its epoch, from 1, is
    what the optimizer adds to a weight that has a gradient. So (key, first step, end) -> that place
    for every example, 0 for what was not seen.
    """

    def apply(params: Any, images: jax.Array, *_: Any) -> jax.Array:
        weight = params["weight"][images[:, 0, 0, 0].astype(jnp.int32)]
        return jnp.stack([weight, jnp.zeros_like(weight)], -1)

    model = Model(None, apply, lambda params, images, *_: (apply(params, images), {}), *[None] * 5, "weight")  # type: ignore[arg-type]
    direction = optax.stateless_with_tree_map(lambda gradient, _: -jnp.ceil(jnp.abs(gradient)))
    per_epoch = count // batch_size
    optimizer = Optimizer(direction, lambda step: (step % per_epoch + 1).astype(jnp.float32))
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    split = Split(images, np.zeros(count, np.int32))
    one = np.ones(1, np.float32)
    data = lay_out(Dataset("numbers", split, split, split, 2, 0 * one, one))
    method = weights.build(MethodContext(model, optimizer, 100, per_epoch))
    run = jax.jit(program.program(model, method, batch_size, augment).run)

    def seen(key: np.ndarray, start: int, end: int) -> np.ndarray:
        zeros = {"weight": np.zeros(count, np.float32)}
        lane = Lane(zeros, optax.EmptyState(), None, key, NOTHING, best_params=zeros)
        return np.asarray(run(lane, data, on_chunk(start, end))[0].params["weight"]).astype(int)

    return seen


@pytest.fixture(scope="module")
def seen() -> Callable[[np.ndarray, int, int], np.ndarray]:
    return seen_by(23, 5)


def test_augmentation_has_another_key_every_step_and_in_every_lane() -> None:
    """Here it makes every image of a batch the same example, drawn by the key."""

    def one(images: jax.Array, key: jax.Array) -> jax.Array:
        return jnp.full_like(images, jax.random.randint(key, (), 0, 200))

    seen = seen_by(200, 10, one)
    chosen = {tuple(np.flatnonzero(seen(key, 0, 8))) for key in (KEY, KEY, OTHER_KEY)}
    assert [len(steps) for steps in chosen] == [8, 8]


@pytest.mark.parametrize("epoch", range(3))
def test_an_epoch_sees_no_example_twice_and_leaves_less_than_a_batch(
    epoch: int, seen: Callable[..., np.ndarray]
) -> None:
    places = seen(KEY, 4 * epoch, 4 * epoch + 4)
    assert np.bincount(places).tolist() == [3, 5, 5, 5, 5]


def test_an_epoch_of_whole_batches_sees_every_example_once() -> None:
    places = seen_by(20, 5)(KEY, 0, 4)
    assert np.bincount(places).tolist() == [0, 5, 5, 5, 5]


def test_the_order_differs_between_epochs_and_between_keys(seen: Callable[..., np.ndarray]) -> None:
    orders = {tuple(seen(key, 4 * epoch, 4 * epoch + 4)) for key in (KEY, OTHER_KEY) for epoch in range(4)}
    assert len(orders) == 8


@pytest.mark.parametrize("step", range(8))
def test_the_order_is_a_function_of_key_and_epoch_wherever_training_starts(
    step: int, seen: Callable[..., np.ndarray]
) -> None:
    start = 4 * (step // 4)
    batch = np.where(seen(KEY, step, step + 1) > 0)
    assert len(batch[0]) == 5
    np.testing.assert_array_equal(batch, np.where(seen(KEY, start, start + 4) == step % 4 + 1))


@pytest.fixture(scope="module")
def run(network: Model) -> Callable[..., Any]:
    """The program with SGD whose learning rate drops to 0 at step 6."""
    config = Config(name="sgd", learning_rate=0.3, schedule="step")
    optimizer = optimizers.build(config, 10, 4)
    stopping = optimizer._replace(learning_rate=lambda step: jnp.where(step < 6, 0.3, 0.0))
    method = weights.build(MethodContext(network, stopping, 10, 4))
    return jax.jit(program.program(network, method, 10).run)


@pytest.fixture
def lane(params: Any, mask: Any) -> Lane:
    start = jax.tree.map(np.asarray, masks.apply(mask, params))
    direction = optimizers.build(Config(name="sgd"), 1, 1).direction
    return Lane(start, direction.init(start), mask, KEY, NOTHING, best_params=start)


@pytest.fixture(scope="module")
def data(blobs: Dataset) -> Examples:
    return lay_out(blobs)


@pytest.fixture(scope="module")
def metrics_of(network: Model, data: Examples) -> Callable[..., np.ndarray]:
    """Loss and accuracy of weights on a split."""
    compiled = jax.jit(partial(evaluate, network))
    return lambda params, batches: np.asarray(compiled(params, data, batches))


def test_the_learning_rate_is_that_of_the_schedules_step(
    run: Callable[..., Any], lane: Lane, data: Examples
) -> None:
    """A training that starts at step 6 starts where the learning rate is 0."""
    still = run(lane, data, on_chunk(6, 8))[0].params
    moving = run(lane, data, on_chunk(5, 8))[0].params
    jax.tree.map(np.testing.assert_array_equal, still, lane.params)
    assert (np.asarray(moving["output"]["kernel"]) != lane.params["output"]["kernel"]).any()


def test_metrics_are_of_the_weights_at_each_evaluation(
    run: Callable[..., Any], lane: Lane, data: Examples, metrics_of: Callable[..., np.ndarray]
) -> None:
    after, metrics, _ = run(lane, data, on_chunk(0, 0, 2, 5)._replace(last=np.int32(5)))
    for number, params, names in ((0, lane.params, ["val"]), (2, after.params, ["val", "test"])):
        for name in names:
            split = {"val": data.validation, "test": data.test}[name]
            loss, accuracy = metrics_of(params, split)
            assert getattr(metrics, f"{name}_loss")[number] == pytest.approx(loss, rel=1e-5)
            assert getattr(metrics, f"{name}_accuracy")[number] == pytest.approx(accuracy, rel=1e-5)
    assert all(np.isnan(np.asarray(values)[3:]).all() for values in metrics)


def test_train_loss_is_the_mean_over_the_steps_since_the_evaluation_before(
    run: Callable[..., Any], lane: Lane, data: Examples
) -> None:
    every = np.asarray(run(lane, data, on_chunk(0, 0, 1, 2, 3, 4))[1].train_loss)
    some = np.asarray(run(lane, data, on_chunk(0, 0, 1, 4))[1].train_loss)
    assert np.isnan(every[0])
    assert some[1] == every[1]
    assert some[2] == pytest.approx(np.mean(every[2:5]), rel=1e-6)


def test_a_stop_between_two_evaluations_changes_no_number(
    run: Callable[..., Any], lane: Lane, data: Examples
) -> None:
    whole, metrics, _ = run(lane, data, on_chunk(0, 0, 5))
    half, first, _ = run(lane, data, chunk(0, 0, [0, 2, 3], [0]))
    rest, second, _ = run(half, data, chunk(3, 0, [4, 5], [5]))
    jax.tree.map(np.testing.assert_array_equal, rest, whole)
    for values, before, after in zip(metrics, first, second, strict=True):
        assert np.asarray(values)[:2].tobytes() == np.asarray([before[0], after[1]]).tobytes()
        assert np.isnan([*before[1:3], after[0]]).all(), "not evaluated there"


def test_the_test_set_is_asked_at_the_end_about_the_end_and_the_early_stop(
    run: Callable[..., Any], lane: Lane, data: Examples, metrics_of: Callable[..., np.ndarray]
) -> None:
    """The training falls apart after step 3: the early stop is there, a visit of the host ago."""
    there, first, early = run(lane, data, on_chunk(0, 0, 3)._replace(last=np.int32(6)))
    assert all(np.isnan(np.asarray(values)).all() for values in (first.test_loss, first.test_accuracy, early))
    worse = there._replace(params=jax.tree.map(lambda leaf: -9 * np.asarray(leaf), there.params))
    after, second, early = run(worse, data, on_chunk(3, 4, 6)._replace(last=np.int32(6)))
    assert np.asarray(second.val_loss)[:2].min() > np.asarray(first.val_loss)[1] == after.best_val_loss
    jax.tree.map(np.testing.assert_array_equal, after.best_params, there.params)
    assert np.isnan(second.test_loss[0])
    for found, params in (
        ((second.test_loss[1], second.test_accuracy[1]), after.params),
        (early, there.params),
    ):
        np.testing.assert_allclose(found, metrics_of(params, data.test), rtol=1e-5)


def test_the_test_set_can_be_asked_at_every_evaluation(network: Model, lane: Lane, data: Examples) -> None:
    method = weights.build(MethodContext(network, optimizers.build(Config(name="sgd"), 10, 4), 10, 4))
    always = jax.jit(program.program(network, method, 10, test_curves=True).run)
    assert np.isfinite(np.asarray(always(lane, data, on_chunk(0, 0, 4))[1].test_loss)[:2]).all()


def test_training_learns(run: Callable[..., Any], lane: Lane, data: Examples) -> None:
    metrics = run(lane, data, on_chunk(0, 0, 6))[1]
    assert metrics.val_loss[1] < metrics.val_loss[0]
