"""Memory of intermediate values: counts by hand, and XLA's own analysis of the programs of every network."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from ltr.config.schema import Experiment
from ltr.engine.memory import footprint, size
from ltr.experiment.compose import from_words
from ltr.experiment.memory import inputs
from ltr.experiment.placement import arithmetic
from ltr.experiment.spec import RunSpec
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.models.arithmetic import XLA
from ltr.models.registry import NETWORKS
from tests.marks import slow

KIB = jax.ShapeDtypeStruct((16, 16), jnp.float32)
"""A matrix of 1 KiB."""


def chain(x: jax.Array) -> jax.Array:
    """Elementwise operations, which are one loop."""
    return (jnp.tanh(x) * 2 + 1).sum()


def products(x: jax.Array) -> jax.Array:
    """Two products, of which the first is alive with the second."""
    return (x @ x) @ x


def several(x: jax.Array) -> jax.Array:
    """A product that is alive until the end, beside two others."""
    first = x @ x
    return jnp.tanh((first @ x) @ x) + first


def loop(x: jax.Array) -> jax.Array:
    """A product in the place of the loop's state."""
    return lax.fori_loop(0, 3, lambda _, state: state @ state, x)


def branches(x: jax.Array) -> jax.Array:
    """One branch with three matrices, one with none."""
    return lax.cond(x[0, 0] > 0, several, lambda x: x, x).sum()


@pytest.mark.parametrize(
    ("function", "matrices"), [(chain, 0), (products, 2), (several, 3), (loop, 1), (branches, 3)]
)
def test_values_in_memory_are_counted(function: Callable[..., Any], matrices: int) -> None:
    assert footprint(function, KIB).temporaries == pytest.approx(1024 * matrices, abs=64)


def programs(experiment: Experiment, kernels: bool) -> tuple[int, int]:
    """Return the bytes of a lane and its temporaries: as estimated, and as XLA compiles them."""
    spec = RunSpec.from_experiment(experiment)
    chosen = arithmetic(spec, 0.8) if kernels else XLA
    program, *arguments = inputs(spec, chosen)[WEIGHTS_ALONE]
    lane, _, _ = arguments
    compiled = jax.jit(program.run, donate_argnums=0).lower(*arguments).compile()
    found = compiled.memory_analysis().temp_size_in_bytes
    return size(lane) + footprint(program.run, *arguments).temporaries, size(lane) + found


@pytest.mark.parametrize(
    ("words", "kernels"),
    [
        (("dataset=mnist",), True),
        slow(("dataset=mnist",), False),
        slow(("dataset=cifar10", "model=conv2"), True),
        (("dataset=cifar10", "model=conv2"), False),
        slow(("dataset=cifar10", "model=conv4"), True),
        slow(("dataset=cifar10", "model=conv4"), False),
    ],
)
def test_the_estimate_is_within_a_quarter_of_xlas(words: tuple[str, ...], kernels: bool) -> None:
    estimated, found = programs(from_words(list(words)), kernels)
    assert estimated == pytest.approx(found, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_estimate_of_every_network_is_within_a_quarter_of_xlas(name: str, kernels: bool) -> None:
    """With the batch of the recipes on CIFAR-10."""
    words = ["dataset=cifar10", "dataset.augmentation=crop_flip", f"model={name}", "batch_size=128"]
    estimated, found = programs(from_words(words), kernels)
    assert estimated == pytest.approx(found, rel=0.25)
