"""Pruning at initialisation, against plain NumPy in float64: finite differences, products of matrices."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

from ltr.arms.mask_sources import pruned_at_init
from ltr.arms.registry import MASKS, AtInitEntry, ScoreEntry
from ltr.core import masks
from ltr.errors import LtrError
from ltr.models.layers import BatchNorm, Conv, Dense, max_pool
from ltr.models.lenet import LeNet
from ltr.models.model import Model, from_linen
from ltr.pruning import at_init
from ltr.pruning.at_init import AtInit, ScoringInput

LAYERS = ("dense_1", "dense_2", "output")
AT_INIT = {name: pruned_at_init(entry) for name, entry in MASKS.items() if isinstance(entry, AtInitEntry)}
INVERTIBLE = [name for name, entry in MASKS.items() if isinstance(entry, ScoreEntry)]


def inverted(name: str) -> AtInit:
    entry = MASKS[name]
    assert isinstance(entry, ScoreEntry)
    return pruned_at_init(entry, invert=True)


class BatchNormed(nn.Module):
    """A convolution with batch normalisation and pooling, and an output layer."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = Conv(4, use_bias=False, name="conv_1")(images)
        x = max_pool(nn.relu(BatchNorm(use_running_average=not train, name="norm_1")(x)))
        return Dense(3, name="output")(x.reshape(x.shape[0], -1))


def network_of(model: Model, params: Any, keep: int = 60) -> ScoringInput:
    """A network before a batch of ten images of each of three classes."""
    images = np.random.default_rng(5).normal(size=(30, 4, 4, 1)).astype(np.float32)
    labels = np.repeat(np.arange(3, dtype=np.int32), 10)
    return ScoringInput(model, params, images, labels, jax.random.key(0), keep)


@pytest.fixture(scope="module")
def tiny(network: Model, params: Any) -> ScoringInput:
    """194 weights, of which 60 are kept, and biases that are not zero."""
    return network_of(network, params)


@pytest.fixture(scope="module")
def normed() -> ScoringInput:
    """84 weights, of which 60 are kept."""
    model = from_linen(BatchNormed(), (4, 4, 1))
    return network_of(model, jax.tree.map(np.asarray, jax.jit(model.init)(jax.random.key(3))))


def dense(network: ScoringInput) -> Any:
    return masks.ones(network.params, network.model.layer_types)


def kernels(tree: Any) -> list[np.ndarray]:
    """In float64, in the order of `LAYERS`."""
    return [np.asarray(tree[layer]["kernel"], np.float64) for layer in LAYERS]


def flat(tree: Any) -> np.ndarray:
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(tree)])


# The same network in plain NumPy


def loss_of(network: ScoringInput, temperature: float) -> Callable[[list[np.ndarray]], float]:
    """Kernels -> mean cross-entropy."""
    biases = [np.asarray(network.params[layer]["bias"], np.float64) for layer in LAYERS]
    images = network.images.reshape(30, -1).astype(np.float64)

    def loss(weights: list[np.ndarray]) -> float:
        x = images
        for number, (kernel, bias) in enumerate(zip(weights, biases, strict=True)):
            x = x @ kernel + bias
            if number < 2:
                x = np.maximum(x, 0)
        x = x / temperature
        log_likelihood = x[np.arange(30), network.labels] - np.log(np.exp(x).sum(1))
        return -float(log_likelihood.mean())

    return loss


def differences(
    function: Callable[[list[np.ndarray]], float], at: list[np.ndarray], step: float
) -> list[np.ndarray]:
    """The gradient by central differences."""
    found = [np.zeros_like(leaf) for leaf in at]
    for number, leaf in enumerate(at):
        for place in np.ndindex(leaf.shape):
            ends = []
            for sign in (1, -1):
                moved = [other.copy() for other in at]
                moved[number][place] += sign * step
                ends.append(function(moved))
            found[number][place] = (ends[0] - ends[1]) / (2 * step)
    return found


def test_snip_by_finite_differences(tiny: ScoringInput) -> None:
    weights = kernels(tiny.params)
    gradient = differences(loss_of(tiny, 1.0), weights, 1e-6)
    scores = at_init.snip(tiny, dense(tiny))
    for score, g, theta in zip(kernels(scores), gradient, weights, strict=True):
        np.testing.assert_allclose(score, np.abs(g * theta), rtol=1e-5, atol=1e-6 * score.max())


def test_grasp_by_finite_differences(tiny: ScoringInput) -> None:
    """H g = the change of the gradient along itself, the logits divided by 200, the biases left alone."""
    weights, loss = kernels(tiny.params), loss_of(tiny, 200.0)
    gradient = differences(loss, weights, 1e-4)
    step = 1e-3 / max(np.abs(g).max() for g in gradient)
    ahead, behind = (
        differences(loss, [w + sign * step * g for w, g in zip(weights, gradient, strict=True)], 1e-4)
        for sign in (1, -1)
    )
    scores = at_init.grasp(tiny, dense(tiny))
    for score, theta, plus, minus in zip(kernels(scores), weights, ahead, behind, strict=True):
        expected = theta * (plus - minus) / (2 * step)
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_grasp_removes_the_highest_of_minus_theta_h_g(tiny: ScoringInput) -> None:
    scores, mask = flat(at_init.grasp(tiny, dense(tiny))), flat(AT_INIT["grasp"](tiny))
    assert (-scores)[~mask].min() >= (-scores)[mask].max()
    assert (scores < 0).any()


# SynFlow


def test_synflow_by_hand() -> None:
    """R = 1^T |W1| |W2| 1 = 4 x 6 + 6 x 8; a share is what flows in, times weight, times what flows out."""
    model = from_linen(LeNet((2,), 2), (1, 2, 1))
    params = {
        "dense_1": {"bias": np.full(2, 9, np.float32), "kernel": np.array([[1, -2], [3, 4]], np.float32)},
        "output": {"bias": np.full(2, -9, np.float32), "kernel": np.array([[-1, 5], [2, -6]], np.float32)},
    }
    network = ScoringInput(
        model, params, np.full((3, 1, 2, 1), -7, np.float32), np.zeros(3, np.int32), None, 5
    )  # type: ignore[arg-type]
    scores = at_init.synflow(network, dense(network))
    np.testing.assert_array_equal(scores["dense_1"]["kernel"], [[6, 16], [18, 32]])
    np.testing.assert_array_equal(scores["output"]["kernel"], [[4, 20], [12, 36]])
    for layer in scores.values():
        assert layer["kernel"].sum() == 24 + 48
    pruned = dense(network)
    pruned["dense_1"]["kernel"][0] = False
    scores = at_init.synflow(network, pruned)
    np.testing.assert_array_equal(scores["dense_1"]["kernel"], [[0, 0], [18, 32]])
    np.testing.assert_array_equal(scores["output"]["kernel"], [[3, 15], [8, 24]])


def test_synflow_is_a_hundred_prunings_to_a_density_that_falls_evenly(tiny: ScoringInput) -> None:
    weights = [np.abs(kernel) for kernel in kernels(tiny.params)]
    kept = np.ones(194, bool)
    for step in range(1, 101):
        count = round(194 * (60 / 194) ** (step / 100))
        masked = np.split(np.concatenate([w.ravel() for w in weights]) * kept, [128, 176])
        one, two, three = (m.reshape(w.shape) for m, w in zip(masked, weights, strict=True))
        to_one, to_two = np.ones(16) @ one, np.ones(16) @ one @ two
        from_two, from_one = three @ np.ones(3), two @ three @ np.ones(3)
        shares = [one * from_one, to_one[:, None] * two * from_two, to_two[:, None] * three]
        score = np.where(kept, np.concatenate([share.ravel() for share in shares]), -1)
        kept[np.argsort(score, kind="stable")[: 194 - count]] = False
    np.testing.assert_array_equal(flat(AT_INIT["synflow"](tiny)), kept)
    at_once = at_init.by(at_init.synflow)(tiny)
    assert (flat(at_once) != kept).any()


def test_synflow_looks_at_no_data_and_at_no_bias(tiny: ScoringInput) -> None:
    without = masks.tree_map(
        lambda kind, leaf: np.zeros_like(leaf) if kind is None else leaf, tiny.model.layer_types, tiny.params
    )
    other = tiny._replace(images=tiny.images * 2, labels=tiny.labels[::-1], params=without)
    np.testing.assert_array_equal(flat(AT_INIT["synflow"](tiny)), flat(AT_INIT["synflow"](other)))


def test_synflow_leaves_batch_normalisation_as_it_begins(normed: ScoringInput) -> None:
    """Then it divides by sqrt(1 + 1e-5): R is that of the absolute weights, all but for that."""
    scores = at_init.synflow(normed, dense(normed))
    conv, output = (np.abs(normed.params[layer]["kernel"]).astype(float) for layer in ("conv_1", "output"))
    through = np.zeros((2, 2, 4))
    padded = np.pad(np.ones((4, 4)), 1)
    maps = np.array(
        [[np.tensordot(padded[y : y + 3, x : x + 3], conv[:, :, 0], 2) for x in range(4)] for y in range(4)]
    )
    for y, x in np.ndindex(2, 2):
        through[y, x] = maps[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max((0, 1))
    expected = through.reshape(16, 1) * output / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(scores["output"]["kernel"], expected, rtol=1e-5)
    np.testing.assert_allclose(scores["conv_1"]["kernel"].sum(), expected.sum(), rtol=1e-5)


# The baselines


def test_magnitude_keeps_the_largest_initial_weights_of_all(tiny: ScoringInput) -> None:
    mask, size = (
        flat(AT_INIT["magnitude_at_init"](tiny)),
        np.abs(np.concatenate([k.ravel() for k in kernels(tiny.params)])),
    )
    assert size[mask].min() > size[~mask].max()


def test_random_keeps_the_same_density_in_every_layer_and_is_drawn_by_the_key(tiny: ScoringInput) -> None:
    mask = AT_INIT["random_at_init"](tiny)
    counts = [int(mask[layer]["kernel"].sum()) for layer in LAYERS]
    assert counts == [40, 15, 5]  # of 128, 48 and 18: 39.6, 14.8 and 5.6 are 60 together
    other = AT_INIT["random_at_init"](tiny._replace(key=jax.random.key(1)))
    assert (flat(mask) != flat(other)).any()


# What every method must do


@pytest.mark.parametrize("name", AT_INIT)
@pytest.mark.parametrize("keep", [1, 60, 84])
@pytest.mark.parametrize("which", ["tiny", "normed"])
def test_it_keeps_exactly_as_many_as_asked(
    name: str, keep: int, which: str, request: pytest.FixtureRequest
) -> None:
    network = request.getfixturevalue(which)._replace(keep=keep)
    before = jax.tree.map(np.copy, network.params)
    mask = AT_INIT[name](network)
    assert masks.count(mask) == keep
    assert jax.tree.structure(mask) == jax.tree.structure(network.model.layer_types)
    assert {leaf.dtype for leaf in jax.tree.leaves(mask)} == {np.dtype(bool)}
    assert all(map(np.array_equal, jax.tree.leaves(before), jax.tree.leaves(network.params)))
    np.testing.assert_array_equal(flat(mask), flat(AT_INIT[name](network)))


@pytest.mark.parametrize("name", AT_INIT)
def test_a_layer_without_a_kind_is_left_alone(name: str, tiny: ScoringInput) -> None:
    layer_types = {**tiny.model.layer_types, "output": {"bias": None, "kernel": None}}
    mask = AT_INIT[name](tiny._replace(model=tiny.model._replace(layer_types=layer_types)))
    assert mask["output"]["kernel"] is None
    assert masks.count(mask) == 60


def test_they_all_differ(tiny: ScoringInput) -> None:
    found = [flat(method(tiny)) for method in (*AT_INIT.values(), *map(inverted, INVERTIBLE))]
    assert len({mask.tobytes() for mask in found}) == len(found) == 9


@pytest.mark.parametrize("name", ["snip", "grasp", "magnitude_at_init"])
def test_inverted_prunes_what_is_worth_most(name: str, tiny: ScoringInput) -> None:
    scores = flat(getattr(at_init, name)(tiny, dense(tiny)))
    mask = flat(inverted(name)(tiny))
    assert mask.sum() == 60
    assert scores[mask].max() <= scores[~mask].min()


def test_inverted_synflow_prunes_first_what_carries_most(tiny: ScoringInput) -> None:
    scores = flat(at_init.synflow(tiny, dense(tiny)))
    mask = flat(inverted("synflow")(tiny._replace(keep=193)))
    assert np.flatnonzero(~mask).tolist() == [scores.argmax()]


@pytest.mark.parametrize("name", ["synflow", "magnitude_at_init"])
def test_negative_weights_are_worth_what_positive_ones_are(name: str, tiny: ScoringInput) -> None:
    positive = tiny._replace(params=jax.tree.map(np.abs, tiny.params))
    np.testing.assert_array_equal(flat(AT_INIT[name](tiny)), flat(AT_INIT[name](positive)))


def test_dropout_goes_by_the_key(params: Any) -> None:
    network = network_of(from_linen(LeNet((8, 6), 3, dropout=0.5), (4, 4, 1)), params)
    scores = [flat(at_init.snip(network._replace(key=jax.random.key(n)), None)) for n in (0, 0, 1)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).any()


def test_a_score_that_is_no_number_is_an_error(tiny: ScoringInput) -> None:
    params = jax.tree.map(lambda leaf: leaf * np.float32(1e30), tiny.params)
    with pytest.raises(LtrError, match=r"^synflow: a score is not a finite number"):
        AT_INIT["synflow"](tiny._replace(params=params))


def test_synflow_has_the_rounds_of_its_authors() -> None:
    assert MASKS["synflow"].traits["rounds"] == 100


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_weights_of_dead_units_are_kept_at_random(name: str, tiny: ScoringInput) -> None:
    """All hidden units are dead: the weights before the output score 0, and the inverse keeps 60 of them."""
    params = jax.tree.map(np.copy, tiny.params)
    for layer in LAYERS[:2]:
        params[layer]["bias"][:] = -100
    kept = np.concatenate([layer.ravel() for layer in kernels(inverted(name)(tiny._replace(params=params)))])
    assert kept.sum() == 60
    deviation = np.sqrt(60 * 0.25 * (194 - 60) / 193)
    assert kept[:97].sum() == pytest.approx(30, abs=5 * deviation)
