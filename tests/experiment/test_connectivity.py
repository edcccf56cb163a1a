from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

from ltr.data.dataset import Dataset
from ltr.engine.examples import lay_out
from ltr.experiment import connectivity
from ltr.experiment.connectivity import ALPHAS
from ltr.models.layers import BatchNorm, Dense, flatten
from ltr.models.model import Model, from_linen


@pytest.fixture(scope="module")
def errors(network: Model, blobs: Dataset) -> Callable[[Any, Any], np.ndarray]:
    data = lay_out(blobs)
    compiled = jax.jit(connectivity.errors_between(network, *connectivity.statistics(network)))
    return lambda one, other: np.asarray(compiled((one, other), data))


def error_of(network: Model, blobs: Dataset, params: Any) -> float:
    """By hand."""
    logits = network.apply(params, (blobs.test.images - blobs.mean) / blobs.std)
    return float((np.asarray(logits).argmax(-1) != blobs.test.labels).mean())


def test_errors_are_those_of_the_networks_between(
    errors: Callable[[Any, Any], np.ndarray], network: Model, blobs: Dataset, params: Any
) -> None:
    other = jax.tree.map(lambda leaf: -leaf, network.init(jax.random.key(5)))
    found = errors(params, other)
    assert found.shape == (30,)
    assert (ALPHAS[0], ALPHAS[-1]) == (0, 1)
    for number in (0, 7, 29):
        between = jax.tree.map(lambda one, two, a=ALPHAS[number]: (1 - a) * one + a * two, params, other)
        assert found[number] == pytest.approx(error_of(network, blobs, between), abs=1e-6)
    assert len(set(found)) > 1


def test_between_a_network_and_itself_nothing_changes(
    errors: Callable[[Any, Any], np.ndarray], params: Any
) -> None:
    assert len(set(errors(params, params))) == 1


# Batch normalisation


class Normed(nn.Module):
    """A hidden layer, normalised; the batch normalisation may be of another momentum."""

    momentum: float = 0.9

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = Dense(8, name="dense_1")(flatten(images))
        x = nn.relu(BatchNorm(momentum=self.momentum, use_running_average=not train, name="norm_1")(x))
        return Dense(3, name="output")(x)


@pytest.fixture(scope="module")
def normed() -> Model:
    return from_linen(Normed(), (4, 4, 1))


@pytest.fixture(scope="module")
def ends(normed: Model) -> tuple[Any, Any]:
    """Two networks whose statistics are far from what their activations are."""
    generator = np.random.default_rng(0)
    shapes = jax.eval_shape(normed.init, jax.random.key(0))
    one, other = (
        jax.tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(np.float32), shapes) for _ in "12"
    )
    for end in (one, other):
        end["norm_1"]["var"] = 5 + np.abs(end["norm_1"]["var"])
    return one, other


def test_a_network_without_batch_normalisation_has_one_line(network: Model, normed: Model) -> None:
    assert connectivity.statistics(network) == ("none",)
    assert connectivity.statistics(normed) == ("re-estimated", "interpolated")


@pytest.mark.parametrize("momentum", [0.9, 0.5])
def test_statistics_are_estimated_on_training_data(momentum: float, blobs: Dataset, ends: Any) -> None:
    """Fewer images than a batch holds: their mean and variance, whatever the statistics were before."""
    model = from_linen(Normed(momentum), (4, 4, 1))
    found = jax.jit(partial(connectivity.re_estimated, model))(ends[0], lay_out(blobs))
    images = (blobs.train.images.astype(np.float64) - blobs.mean) / blobs.std
    hidden = images.reshape(len(images), -1) @ ends[0]["dense_1"]["kernel"] + ends[0]["dense_1"]["bias"]
    np.testing.assert_allclose(found["norm_1"]["mean"], hidden.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["norm_1"]["var"], hidden.var(0), rtol=1e-4)
    for path in (("dense_1", "kernel"), ("norm_1", "scale"), ("norm_1", "bias"), ("output", "bias")):
        np.testing.assert_array_equal(found[path[0]][path[1]], ends[0][path[0]][path[1]])


def test_the_line_is_of_the_statistics_that_are_asked_for(normed: Model, blobs: Dataset, ends: Any) -> None:
    data = lay_out(blobs)
    lines = {
        kind: np.asarray(jax.jit(connectivity.errors_between(normed, kind))(ends, data))
        for kind in connectivity.statistics(normed)
    }
    estimate = jax.jit(partial(connectivity.re_estimated, normed))
    for number in (0, 12, 29):
        params = jax.tree.map(lambda one, two, a=ALPHAS[number]: (1 - a) * one + a * two, *ends)
        assert lines["interpolated"][number] == pytest.approx(error_of(normed, blobs, params), abs=1e-6)
        again = estimate(params, data)
        assert lines["re-estimated"][number] == pytest.approx(error_of(normed, blobs, again), abs=1e-6)
    assert (lines["re-estimated"] != lines["interpolated"]).any()
