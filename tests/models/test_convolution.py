import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax

from ltr.config.schema import Model
from ltr.models import registry as models
from ltr.models.convolution import conv
from ltr.models.layers import max_pool

Conv = Callable[..., jax.Array]


def plain_conv(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """What `conv` stands for, with the gradients of autodiff."""
    whole = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return whole[:, ::stride, ::stride]


def operands(
    batch: int, height: int, width: int, channels: int, features: int, size: int, stride: int = 1
) -> list[np.ndarray]:
    """Images, a kernel, and weights of a loss on what comes out."""
    generator = np.random.default_rng(0)
    shapes = [
        (batch, height, width, channels),
        (size, size, channels, features),
        (batch, -(-height // stride), -(-width // stride), features),
    ]
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


def value_and_gradients(conv: Conv, x: jax.Array, kernel: jax.Array, weights: jax.Array) -> list[jax.Array]:
    value, back = jax.vjp(conv, x, kernel)
    return [value, *back(weights)]


def of_both(function: Callable[..., Any], *arguments: np.ndarray) -> list[Any]:
    """Results of a function of a convolution and arrays, for `conv` and `plain_conv`, in one program."""
    return jax.jit(lambda *arguments: [function(one, *arguments) for one in (conv, plain_conv)])(*arguments)


@settings(max_examples=4)
@example(batch=6, height=5, width=4, channels=2, features=3, size=3, stride=2)
@given(
    batch=st.integers(1, 9),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    channels=st.integers(1, 3),
    features=st.integers(1, 3),
    size=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
)
def test_conv_and_its_gradients_are_those_of_lax(stride: int, **shape: int) -> None:
    found, expected = of_both(
        lambda one, *operands: value_and_gradients(lambda x, kernel: one(x, kernel, stride), *operands),
        *operands(**shape, stride=stride),
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_conv_inside_a_scan_has_the_gradients_of_lax() -> None:
    def descend(conv: Conv, x: jax.Array, kernel: jax.Array, weights: jax.Array) -> jax.Array:
        def step(kernel: jax.Array, _: None) -> tuple[jax.Array, None]:
            return kernel - 0.1 * jax.grad(lambda k: (conv(x, k) * weights).mean())(kernel), None

        return lax.scan(step, kernel, length=3)[0]

    np.testing.assert_allclose(*of_both(descend, *operands(4, 6, 5, 2, 3, 3)), rtol=1e-5, atol=1e-6)


def test_conv_can_be_differentiated_twice() -> None:
    """Forward through its gradient, as GraSP takes the product of Hessian and gradient."""

    def product(conv: Conv, x: jax.Array, kernel: jax.Array, weights: jax.Array) -> jax.Array:
        gradient = jax.grad(lambda k: (jnp.square(conv(x, k)) * weights).sum())
        return jax.jvp(gradient, (kernel,), (gradient(kernel),))[1]

    np.testing.assert_allclose(*of_both(product, *operands(2, 5, 4, 2, 3, 3)), rtol=1e-4, atol=1e-2)


def test_conv_under_vmap_is_conv_lane_by_lane() -> None:
    lane = operands(2, 4, 4, 2, 3, 3)
    stacked = [np.stack([array, 2 * array]) for array in lane]
    of_one = partial(value_and_gradients, conv)
    together = jax.device_get(jax.jit(jax.vmap(of_one))(*stacked))
    of_one = jax.jit(of_one)
    for number in range(2):
        alone = of_one(*(array[number] for array in stacked))
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[number], other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(2, 2), (5, 4), (4, 7), (9, 3)])
def test_max_pool_takes_the_largest_of_each_2x2_and_drops_odd_edges(size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    pooled = np.asarray(jax.jit(max_pool)(x))
    assert pooled.shape == (2, size[0] // 2, size[1] // 2, 3)
    for i, j in np.ndindex(pooled.shape[1:3]):
        expected = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2))
        np.testing.assert_array_equal(pooled[:, i, j], expected)


@pytest.mark.parametrize("size", [(2, 2), (5, 4), (4, 7)])
def test_max_pools_gradient_is_that_of_the_largest_and_shared_by_equals(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    x = generator.integers(3, size=(4, *size, 3)).astype(np.float32)
    height, width = (length // 2 for length in size)
    weights = generator.normal(size=(4, height, width, 3)).astype(np.float32)

    def by_reshape(x: jax.Array) -> jax.Array:
        return x[:, : 2 * height, : 2 * width].reshape(4, height, 2, width, 2, 3).max((2, 4))

    @jax.jit
    def gradients(x: jax.Array) -> list[jax.Array]:
        return [jax.vjp(pool, x)[1](weights)[0] for pool in (max_pool, by_reshape)]

    np.testing.assert_allclose(*gradients(x), rtol=1e-6)


def test_an_accelerator_gets_the_gradients_of_autodiff() -> None:
    """Which its compiler knows; the CPU's are loops of matrix products."""
    x, kernel, _ = operands(4, 6, 5, 2, 3, 3)
    gradients = jax.jit(jax.grad(lambda x, kernel: jnp.square(conv(x, kernel)).sum(), (0, 1)))
    lowered = {
        platform: gradients.trace(x, kernel).lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda", "tpu")
    }
    assert [lowered[platform].count("stablehlo.convolution") for platform in lowered] == [2, 3, 3]
    assert [lowered[platform].count("stablehlo.dot_general") for platform in lowered] == [9, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "batch"), [("conv2", 20), ("resnet20", 16)])
def test_a_step_is_not_slow_inside_a_loop(name: str, batch: int) -> None:
    """On the CPU, autodiff's own gradients are some 100 times slower there (jax issue 12868)."""
    model = models.build(Model(name), (32, 32, 3), 10)
    params = model.init(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (batch, 32, 32, 3))

    def loss(params: object) -> jax.Array:
        return jnp.square(model.train(params, images, jax.random.key(2))[0]).mean()

    def step(params: object) -> object:
        return jax.tree.map(lambda p, g: p - 1e-3 * g, params, jax.grad(loss)(params))

    def seconds(function: Callable[..., object]) -> float:
        compiled = jax.jit(function)
        jax.block_until_ready(compiled(params))
        times = []
        for _ in range(3):
            began = time.perf_counter()
            jax.block_until_ready(compiled(params))
            times.append(time.perf_counter() - began)
        return min(times)

    inside = seconds(lambda p: lax.fori_loop(0, 3, lambda _, p: step(p), p)) / 3
    assert inside < 3 * seconds(step)
