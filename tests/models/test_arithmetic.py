import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax

from ltr import kernels
from ltr.config.schema import Model
from ltr.models import arithmetic
from ltr.models import registry as models
from ltr.models.layers import max_pool

Conv = Callable[[jax.Array, jax.Array], jax.Array]


def plain_conv(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """What `arithmetic.conv` stands for, with the gradients of autodiff."""
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


def value_and_gradients(
    conv: Conv, x: np.ndarray, kernel: np.ndarray, weights: np.ndarray
) -> list[jax.Array]:
    value, back = jax.vjp(conv, jnp.asarray(x), jnp.asarray(kernel))
    return [value, *back(jnp.asarray(weights))]


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
    given_ = operands(**shape, stride=stride)
    found, expected = (
        value_and_gradients(lambda x, kernel, conv=conv: conv(x, kernel, stride=stride), *given_)
        for conv in (arithmetic.conv, plain_conv)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_conv_inside_a_scan_has_the_gradients_of_lax() -> None:
    x, kernel, weights = operands(4, 6, 5, 2, 3, 3)

    def descend(conv: Conv) -> jax.Array:
        def step(kernel: jax.Array, _: None) -> tuple[jax.Array, None]:
            return kernel - 0.1 * jax.grad(lambda k: (conv(x, k) * weights).mean())(kernel), None

        return lax.scan(step, jnp.asarray(kernel), length=3)[0]

    np.testing.assert_allclose(descend(arithmetic.conv), descend(plain_conv), rtol=1e-5, atol=1e-6)


def test_conv_can_be_differentiated_twice() -> None:
    """Forward through its gradient, as GraSP takes the product of Hessian and gradient."""
    x, kernel, weights = operands(2, 5, 4, 2, 3, 3)

    def product(conv: Conv) -> jax.Array:
        gradient = jax.grad(lambda k: (jnp.square(conv(jnp.asarray(x), k)) * weights).sum())
        return jax.jvp(gradient, (jnp.asarray(kernel),), (gradient(jnp.asarray(kernel)),))[1]

    np.testing.assert_allclose(product(arithmetic.conv), product(plain_conv), rtol=1e-4, atol=1e-2)


def test_conv_under_vmap_is_conv_lane_by_lane() -> None:
    lanes = [operands(2, 4, 4, 2, 3, 3) for _ in range(2)]
    stacked = [np.stack(pair) * np.array([1, 2]).reshape(2, 1, 1, 1, 1) for pair in zip(*lanes, strict=True)]
    together = jax.vmap(lambda *one: value_and_gradients(arithmetic.conv, *one))(
        *(leaf.astype(np.float32) for leaf in stacked)
    )
    for number in range(2):
        alone = value_and_gradients(arithmetic.conv, *(leaf[number].astype(np.float32) for leaf in stacked))
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[number], other, rtol=1e-4, atol=1e-4)


def test_conv_adds_a_bias() -> None:
    x, kernel, _ = operands(2, 4, 4, 2, 3, 3)
    bias = np.arange(3, dtype=np.float32)
    found = arithmetic.conv(jnp.asarray(x), jnp.asarray(kernel), bias)
    np.testing.assert_allclose(found, plain_conv(x, kernel) + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize("bias", [None, np.arange(3, dtype=np.float32)])
def test_conv_takes_a_packed_kernel(bias: np.ndarray | None) -> None:
    x, kernel, _ = operands(2, 5, 4, 2, 3, 3, stride=2)
    flat = kernel.reshape(-1, 3)
    kept = flat > 0
    packed = kernels.SparseKernel(flat.T[kept.T], kernels.pattern(kept, int(kept.sum())))
    found = arithmetic.conv(jnp.asarray(x), packed, bias, stride=2)
    expected = plain_conv(x, kernel * (kernel > 0), stride=2) + (0 if bias is None else bias)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 6), (2, 3, 2)])
def test_dense_is_a_matrix_product_of_what_is_flattened_and_a_bias(shape: tuple[int, ...]) -> None:
    x, kernel = np.arange(12, dtype=np.float32), np.arange(24, dtype=np.float32).reshape(6, 4)
    bias = np.arange(4, dtype=np.float32)
    found = arithmetic.dense(x.reshape(shape), kernel, bias)
    np.testing.assert_array_equal(found, x.reshape(2, 6) @ kernel + bias)


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize("shape", [(2, 6), (2, 3, 2)])
def test_dense_takes_a_packed_kernel(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    x, kernel, bias = (generator.normal(size=size).astype(np.float32) for size in (shape, (6, 4), 4))
    kept = kernel > 0
    packed = kernels.SparseKernel(kernel.T[kept.T], kernels.pattern(kept, int(kept.sum())))
    found = arithmetic.dense(jnp.asarray(x), packed, bias)
    np.testing.assert_allclose(found, x.reshape(2, 6) @ (kernel * kept) + bias, rtol=1e-5)


@pytest.mark.parametrize("size", [(2, 2), (5, 4), (4, 7), (9, 3)])
def test_max_pool_takes_the_largest_of_each_2x2_and_drops_odd_edges(size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    pooled = np.asarray(max_pool(jnp.asarray(x)))
    assert pooled.shape == (2, size[0] // 2, size[1] // 2, 3)
    for i, j in np.ndindex(pooled.shape[1:3]):
        expected = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2))
        np.testing.assert_array_equal(pooled[:, i, j], expected)


@pytest.mark.parametrize("size", [(2, 2), (5, 4), (4, 7)])
def test_max_pools_gradient_is_that_of_the_largest_and_shared_by_equals(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.integers(3, size=(4, *size, 3)), jnp.float32)
    height, width = (length // 2 for length in size)
    weights = generator.normal(size=(4, height, width, 3)).astype(np.float32)

    def by_reshape(x: jax.Array) -> jax.Array:
        squares = x[:, : 2 * height, : 2 * width].reshape(4, height, 2, width, 2, 3)
        return (squares.max((2, 4)) * weights).sum()

    found = jax.grad(lambda x: (max_pool(x) * weights).sum())(x)
    np.testing.assert_allclose(found, jax.grad(by_reshape)(x), rtol=1e-6)


def test_an_accelerator_gets_the_gradients_of_autodiff() -> None:
    """Which its compiler knows; the CPU's are loops of matrix products."""
    x, kernel, _ = operands(4, 6, 5, 2, 3, 3)
    gradients = jax.jit(jax.grad(lambda x, kernel: jnp.square(arithmetic.conv(x, kernel)).sum(), (0, 1)))
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
