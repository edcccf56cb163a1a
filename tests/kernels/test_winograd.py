"""Winograd's convolutions against XLA's: values, gradients, threads, and what they refuse."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ltr import kernels
from ltr.models.convolution import conv
from ltr.models.layers import max_pool

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")


def drawn(batch: int, height: int, width: int, inputs: int, outputs: int) -> list[np.ndarray]:
    """Images, a kernel and a bias."""
    generator = np.random.default_rng(0)
    shapes = (batch, height, width, inputs), (3, 3, inputs, outputs), (outputs,)
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


conv3x3 = jax.jit(kernels.conv3x3, static_argnums=(3, 4, 5))


def by_xla(x: jax.Array, kernel: jax.Array, bias: jax.Array, relu: bool, pool: bool) -> jax.Array:
    y = conv(x, kernel, 1) + bias
    y = nn.relu(y) if relu else y
    return max_pool(y) if pool else y


def value_and_gradients(layer: Callable[..., jax.Array], *operands: jax.Array) -> list[jax.Array]:
    value, back = jax.vjp(layer, *operands)
    return [value, *back(np.cos(np.arange(value.size, dtype=np.float32)).reshape(value.shape))]


@settings(max_examples=10)
@example(after=(False, False), tile=4, shape=(2, 8, 8, 16, 16))
@example(after=(True, False), tile=2, shape=(1, 5, 9, 3, 7))  # tiles reach over the edge
@example(after=(True, True), tile=4, shape=(3, 7, 6, 17, 33))  # an odd row is dropped
@example(after=(True, True), tile=4, shape=(2, 1, 4, 2, 3))  # nothing is left
@given(
    after=st.sampled_from([(False, False), (True, False), (True, True)]),
    tile=st.sampled_from([2, 4]),
    shape=st.tuples(*(st.integers(1, most) for most in (4, 9, 9, 20, 20))),
)
def test_values_and_gradients_are_those_of_xla(
    after: tuple[bool, bool], tile: int, shape: tuple[int, ...]
) -> None:
    @jax.jit
    def both(*operands: jax.Array) -> list[list[jax.Array]]:
        layers = lambda *these: kernels.conv3x3(*these, *after, tile), lambda *these: by_xla(*these, *after)
        return [value_and_gradients(layer, *operands) for layer in layers]

    found, expected = both(*drawn(*shape))
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_smaller_tiles_are_more_exact() -> None:
    """Lavin & Gray (2016), table 3: the error of F(4x4, 3x3) is larger by about an order of magnitude."""
    x, kernel, bias = drawn(4, 16, 16, 32, 32)
    with jax.enable_x64(True):
        plain = jax.jit(partial(by_xla, relu=False, pool=False))
        exact = np.asarray(plain(*(each.astype(np.float64) for each in (x, kernel, bias))))
    assert exact.dtype == np.float64
    errors = {
        tile: np.abs(np.asarray(conv3x3(x, kernel, bias, False, False, tile)) - exact).max()
        for tile in (2, 4)
    }
    assert 1e-6 < errors[2] < errors[4] / 3 < 1e-3


def test_equal_largest_pixels_share_the_gradient_of_pooling() -> None:
    x, kernel, _ = drawn(1, 2, 2, 1, 1)

    @jax.jit
    @partial(jax.grad, argnums=(1, 2))
    def gradients(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        return kernels.conv3x3(x, kernel, bias, True, True, 2).sum()

    bias = np.ones(1, np.float32)
    np.testing.assert_array_equal(gradients(0 * x, kernel, bias)[1], [1])
    centre = np.asarray(gradients(x, 0 * kernel, bias)[0])[1, 1, 0, 0]
    np.testing.assert_allclose(centre, x.mean(), rtol=1e-5)


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_what_is_no_number_stays_so(pool: bool, corner: tuple[int, int]) -> None:
    x, kernel, bias = drawn(1, 2, 2, 1, 1)
    x[0, corner[0], corner[1], 0] = np.nan
    assert np.isnan(conv3x3(x, kernel, bias, True, pool, 2)).any()


def test_lanes_on_several_devices_at_once_do_not_disturb_each_other() -> None:
    x, kernel, bias = drawn(6, 12, 12, 5, 6)
    lanes = np.stack([x, x[::-1], 2 * x, -x])

    @jax.jit
    def several(x: jax.Array) -> jax.Array:
        return jnp.stack([kernels.conv3x3(x, kernel, bias + turn, True, False, 4) for turn in range(5)])

    apart = np.stack([several(lane) for lane in lanes])
    together = jax.pmap(jax.vmap(several))(lanes.reshape(2, 2, *x.shape)).reshape(apart.shape)
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 4, 4, 3), (3, 3, 2, 5), (5,)),
        ((1, 4, 4, 3), (3, 3, 3, 5), (4,)),
        ((1, 4, 4, 3), (5, 5, 3, 5), (5,)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    operands = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(jax.errors.JaxRuntimeError, match="shapes that do not fit each other"):
        jax.block_until_ready(conv3x3(*operands, False, False, 4))


OF_X, OF_KERNEL = (1, 4, 6, 2), (3, 3, 2, 5)


@pytest.mark.parametrize(
    ("gradient", "through", "dtype"),
    [
        ((1, 4, 6, 5), (1, 6, 4, 5), np.float32),  # as many numbers
        ((1, 2, 3, 5), (1, 3, 2, 5), np.uint8),
        ((1, 4, 6, 5), (1, 2, 3, 5), np.uint8),
        ((1, 4, 6, 5), (1, 4, 6, 5), np.int32),
        ((1, 4, 6, 5), (1,), np.float32),
        ((1, 4, 5, 5), (0,), np.float32),
        ((1, 4, 6, 4), (0,), np.float32),
    ],
)
def test_gradients_of_other_shapes_are_refused(
    gradient: tuple[int, ...], through: tuple[int, ...], dtype: Any
) -> None:
    of_y, y = jnp.zeros(gradient), jnp.zeros(through, dtype)
    x, kernel, bias = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (OF_X, OF_KERNEL, (5,)))
    tile = np.int64(2)
    with pytest.raises(jax.errors.JaxRuntimeError, match="do not fit each other"):
        jax.block_until_ready(
            jax.ffi.ffi_call("ltr_winograd_of_inputs", x)(of_y, y, jnp.zeros(OF_KERNEL), tile=tile)
        )
    with pytest.raises(jax.errors.JaxRuntimeError, match="do not fit each other"):
        jax.block_until_ready(
            jax.ffi.ffi_call("ltr_winograd_of_kernel", (kernel, bias))(jnp.zeros(OF_X), of_y, y, tile=tile)
        )


def test_pooling_without_relu_is_refused() -> None:
    with pytest.raises(ValueError, match="must follow relu"):
        kernels.conv3x3(*drawn(1, 4, 4, 1, 1), False, True, 4)


def test_lanes_on_one_device_have_the_gradients_of_each_alone() -> None:
    x, kernel, bias = drawn(2, 7, 6, 3, 5)
    lanes = np.stack([x, -x, 2 * x])

    def gradients(x: jax.Array) -> tuple[jax.Array, ...]:
        def loss(*operands: Any) -> jax.Array:
            return jnp.square(kernels.conv3x3(*operands, True, True, 4)).sum()

        return jax.grad(loss, (0, 1, 2))(x, kernel, bias)

    apart = [gradients(lane) for lane in lanes]
    for found, *each in zip(jax.vmap(gradients)(lanes), *apart, strict=True):
        np.testing.assert_array_equal(found, np.stack(each))


def test_tiles_are_of_two_sizes() -> None:
    with pytest.raises(jax.errors.JaxRuntimeError, match="do not fit"):
        jax.block_until_ready(conv3x3(*drawn(1, 4, 4, 1, 1), False, False, 3))
