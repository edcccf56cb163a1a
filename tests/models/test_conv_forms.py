"""Convolutions of mapped lanes are equal in every form, up to rounding."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.config.schema import Model as Config
from ltr.models import registry
from ltr.models.arithmetic import Arithmetic
from ltr.models.conv_forms import FORMS, GROUPED
from ltr.models.model import Model, with_arithmetic
from tests.marks import slow, slow_but
from tests.models.trees import drawn

LANES = 3


def operands(height: int, width: int, size: int, stride: int) -> tuple[np.ndarray, ...]:
    """Images, a kernel, and weights of a loss of every lane, in double precision."""
    shapes = [
        (LANES, 2, height, width, 4),
        (LANES, size, size, 4, 5),
        (LANES, 2, -(-height // stride), -(-width // stride), 5),
    ]
    generator = np.random.default_rng(0)
    return tuple(generator.normal(size=shape) for shape in shapes)


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {GROUPED}))
@pytest.mark.parametrize("shape", [(5, 4, 3, 1), (6, 5, 3, 2), slow((4, 6, 1, 2)), slow((5, 7, 5, 3))])
def test_values_and_gradients_are_those_of_lanes_alone(form: str, shape: tuple[int, int, int, int]) -> None:
    stride = shape[-1]

    def of_lane(convolve: Callable[..., Any], *lane: Any) -> list[Any]:
        x, kernel, weights = lane
        value, back = jax.vjp(lambda x, kernel: convolve(x, kernel, stride), x, kernel)
        return [value, *back(weights)]

    with jax.enable_x64(True):
        lanes = operands(*shape)
        found = jax.jit(jax.vmap(partial(of_lane, FORMS[form])))(*lanes)
        alone = jax.jit(partial(of_lane, FORMS[GROUPED]))
        for number in range(LANES):
            for one, other in zip(found, alone(*(array[number] for array in lanes)), strict=True):
                assert one.dtype == np.float64
                np.testing.assert_allclose(one[number], other, rtol=1e-12, atol=1e-12)


def training(model: Model, form: str) -> Callable[..., Any]:
    """The compiled function: parameters and images of lanes -> loss and gradients."""
    network = with_arithmetic(model, Arithmetic(conv_form=form))

    def loss(params: Any, images: Any) -> Any:
        return jnp.square(network.train(params, images, jax.random.key(1))[0]).mean()

    return jax.jit(jax.vmap(jax.value_and_grad(loss)))


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {GROUPED}))
@pytest.mark.parametrize("name", slow_but(["conv2"], ["conv2", "resnet20"]))
def test_a_network_learns_alike_in_every_form(form: str, name: str) -> None:
    model = registry.build(Config(name=name, width=0.1), (8, 8, 3), 10)
    generator = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: np.stack([leaf, *(leaf + generator.normal(0, 1e-2, leaf.shape) for _ in range(2))]),
        drawn(model),
    )
    images = generator.normal(size=(LANES, 4, 8, 8, 3))
    with jax.enable_x64(True):
        params = jax.tree.map(np.float64, params)
        found, expected = (training(model, each)(params, images) for each in (form, GROUPED))
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-10), found, expected)


@pytest.mark.parametrize(
    ("form", "operation"), [("grouped", "convolution"), ("lane_by_lane", "while"), ("patches", "dot_general")]
)
def test_each_form_is_computed_by_its_own_operations(form: str, operation: str) -> None:
    """On an accelerator: one grouped convolution, a loop of convolutions, or a product without any."""
    kernels, images = np.ones((LANES, 3, 3, 4, 5), np.float32), np.ones((LANES, 2, 6, 6, 4), np.float32)
    convolve = jax.vmap(lambda x, kernel: FORMS[form](x, kernel, 1))
    traced = jax.jit(convolve).trace(images, kernels)
    lowered = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert f"stablehlo.{operation}" in lowered
    assert ("stablehlo.convolution" in lowered) is (form != "patches")
    assert (f"feature_group_count = {LANES}" in lowered) is (form == "grouped")
