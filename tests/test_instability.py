from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr import instability, training
from ltr.data import Dataset
from ltr.instability import ALPHAS
from ltr.models import Model


@pytest.fixture(scope="module")
def errors(network: Model, blobs: Dataset) -> Callable[[Any, Any], np.ndarray]:
    data = training.examples(blobs)
    compiled = jax.jit(instability.errors_between(network))
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
