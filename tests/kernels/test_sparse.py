"""The sparse products against dense ones: values, gradients, and what they refuse."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jax import lax

from ltr import kernels
from ltr.kernels import SparseKernel, SparsityPattern
from ltr.models.layers import max_pool

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

NOTHING, RELU, POOL = (False, False), (True, False), (True, True)
"""Whether ReLU follows a convolution, and pooling."""

SPARE = 3
"""Room beyond the connections of a pattern."""


def drawn(batch: int, inputs: int, outputs: int, density: float) -> list[Any]:
    """A batch, a kernel, its mask, a bias, and weights of a loss on what comes out."""
    generator = np.random.default_rng(0)
    kept = generator.random((inputs, outputs)) < density
    shapes = (batch, inputs), (inputs, outputs), (outputs,), (batch, outputs)
    x, kernel, bias, weights = (generator.normal(size=shape).astype(np.float32) for shape in shapes)
    return [x, kernel * kept, kept, bias, weights]


def packed(kernel: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, SparsityPattern]:
    values = np.pad(kernel.T[kept.T], (0, SPARE))
    return values, kernels.pattern(kept, len(values))


def value_and_gradients(layer: Callable[..., jax.Array], weights: np.ndarray, *operands: Any) -> list[Any]:
    @jax.jit
    def compiled(weights: jax.Array, *operands: jax.Array) -> list[Any]:
        value, back = jax.vjp(layer, *operands)
        return [value, *back(weights)]

    return jax.device_get(compiled(weights, *operands))


@settings(max_examples=5)
@example(batch=60, inputs=30, outputs=9, density=0.3)  # seven vectors and a half
@example(batch=129, inputs=5, outputs=4, density=0.5)  # tiles, the last of which is less than a vector
@example(batch=3, inputs=4, outputs=5, density=0.5)  # less than a vector
@example(batch=8, inputs=6, outputs=6, density=0.0)
@example(batch=8, inputs=6, outputs=6, density=1.0)
@given(
    batch=st.integers(1, 150),
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 20),
    density=st.sampled_from([0.02, 0.2, 0.7]),
)
def test_a_packed_layer_and_its_gradients_are_those_of_the_masked_one(**shape: Any) -> None:
    x, kernel, kept, bias, weights = drawn(**shape)
    values, pattern = packed(kernel, kept)
    found = value_and_gradients(
        lambda x, values, bias: kernels.dense(x, SparseKernel(values, pattern), bias),
        weights,
        x,
        values,
        bias,
    )
    y, of_x, of_kernel, of_bias = value_and_gradients(
        lambda x, kernel, bias: x @ kernel + bias, weights, x, kernel, bias
    )
    expected = [y, of_x, np.pad(of_kernel.T[kept.T], (0, SPARE)), of_bias]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@settings(max_examples=3)
@example(after=NOTHING, batch=9, height=1, width=1, channels=2, features=2, size=3, stride=1, density=0.5)
@example(after=RELU, batch=8, height=7, width=6, channels=2, features=3, size=3, stride=2, density=0.5)
@example(after=POOL, batch=17, height=7, width=6, channels=2, features=3, size=3, stride=1, density=0.5)
@given(
    batch=st.integers(1, 20),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    channels=st.integers(1, 4),
    features=st.integers(1, 4),
    size=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    density=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    after=st.sampled_from([NOTHING, RELU, POOL]),
)
def test_a_packed_convolution_and_its_gradients_are_those_of_the_masked_one(
    batch: int,
    height: int,
    width: int,
    channels: int,
    features: int,
    size: int,
    stride: int,
    density: float,
    after: tuple[bool, bool],
) -> None:
    relu, pool = after
    assume(not pool or min(height, width) > stride)  # a pixel is left
    generator = np.random.default_rng(0)
    kept = generator.random((size, size, channels, features)) < density
    rows, columns = (-(-length // stride) // (2 if pool else 1) for length in (height, width))
    shapes = (batch, height, width, channels), kept.shape, (features,), (batch, rows, columns, features)
    x, kernel, bias, weights = (generator.normal(size=shape).astype(np.float32) for shape in shapes)
    flat = kept.reshape(-1, features)
    values, pattern = packed((kernel * kept).reshape(-1, features), flat)

    def conv(x: jax.Array, values: jax.Array, bias: jax.Array) -> jax.Array:
        return kernels.conv(x, SparseKernel(values, pattern), bias, stride, relu, pool)

    def plain(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        layout = ("NHWC", "HWIO", "NHWC")
        whole = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)
        y = whole[:, ::stride, ::stride] + bias
        y = nn.relu(y) if relu else y
        return max_pool(y) if pool else y

    found = value_and_gradients(conv, weights, x, values, bias)
    y, of_x, of_kernel, of_bias = value_and_gradients(plain, weights, x, kernel * kept, bias)
    of_values = np.pad(of_kernel.reshape(-1, features).T[flat.T], (0, SPARE))
    for one, other in zip(found, [y, of_x, of_values, of_bias], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_a_convolution_refuses_what_does_not_fit() -> None:
    kept = np.ones((9 * 2, 3), bool)
    pattern = kernels.pattern(kept, kept.size)
    x, values, bias = (
        np.zeros((2, 4, 4, 2), np.float32),
        np.zeros(kept.size, np.float32),
        np.zeros(3, np.float32),
    )
    wrong = pattern._replace(inputs=np.full_like(pattern.inputs, 18))
    with pytest.raises(Exception, match="not a pattern"):
        jax.block_until_ready(kernels.conv(x, SparseKernel(values, wrong), bias, 1))
    with pytest.raises(Exception, match="shapes that do not fit"):
        jax.block_until_ready(kernels.conv(x, SparseKernel(values, pattern), bias[:2], 1))
    with pytest.raises(ValueError, match="pooling must follow relu"):
        kernels.conv(x, SparseKernel(values, pattern), bias, 1, relu=False, pool=True)


def test_lanes_side_by_side_are_each_their_own() -> None:
    lanes = []
    for density in (0.2, 0.6):
        x, kernel, kept, bias, _ = drawn(7, 6, 5, density)
        values = np.pad(kernel.T[kept.T], (0, 30 - kept.sum()))
        lanes.append((x, SparseKernel(values, kernels.pattern(kept, 30)), bias))
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *lanes)
    together = np.asarray(jax.jit(jax.vmap(kernels.dense))(*stacked))
    for one, lane in zip(together, lanes, strict=True):
        np.testing.assert_array_equal(one, kernels.dense(*lane))


@settings(max_examples=4)
@given(batch=st.integers(1, 20), units=st.integers(1, 40))
def test_a_batch_by_unit_is_the_batch_and_so_is_its_gradient(batch: int, units: int) -> None:
    x = np.random.default_rng(0).normal(size=(batch, units)).astype(np.float32)
    found, gradient = value_and_gradients(kernels.by_unit, 2 * x, x)
    np.testing.assert_array_equal(found, x)
    np.testing.assert_array_equal(gradient, 2 * x)


@pytest.fixture(scope="module")
def right() -> dict[str, Any]:
    x, kernel, kept, bias, _ = drawn(7, 6, 5, 0.5)
    values, pattern = packed(kernel, kept)
    return {"x": x, "values": values, "bias": bias, **pattern._asdict()}


@pytest.fixture(scope="module")
def call(right: dict[str, Any]) -> Callable[..., Any]:
    """The value and all gradients of what is right, but for the arrays that it is given."""

    @jax.jit
    def gradients(x: jax.Array, values: jax.Array, bias: jax.Array, **pattern: jax.Array) -> Any:
        def loss(x: jax.Array, values: jax.Array) -> jax.Array:
            return kernels.dense(x, SparseKernel(values, SparsityPattern(**pattern)), bias).sum()

        return jax.grad(loss, (0, 1))(x, values)

    return lambda **wrong: jax.block_until_ready(gradients(**right | wrong))


class TestWrongCalls:
    """No index is used unchecked, and no length."""

    def test_what_is_right_is_taken(self, call: Callable[..., Any]) -> None:
        call()

    @pytest.mark.parametrize(("name", "length"), [("bias", 4), ("values", 2), ("starts", 3), ("places", 1)])
    def test_arrays_of_other_lengths(self, call: Callable[..., Any], name: str, length: int) -> None:
        with pytest.raises(Exception, match="shapes that do not fit"):
            call(**{name: np.zeros(length, np.int32 if name in SparsityPattern._fields else np.float32)})

    @pytest.mark.parametrize("name", ["inputs", "outputs", "places"])
    @pytest.mark.parametrize("index", [-1, 100])
    def test_an_index_out_of_bounds(
        self, call: Callable[..., Any], right: dict[str, Any], name: str, index: int
    ) -> None:
        wrong = right[name].copy()
        wrong[1] = index
        with pytest.raises(Exception, match="not a pattern"):
            call(**{name: wrong})

    @pytest.mark.parametrize("name", ["starts", "by_input"])
    @pytest.mark.parametrize(("place", "value"), [(0, 1), (1, 50), (1, -1), (-1, 50)])
    def test_starts_that_do_not_ascend_within_the_arrays(
        self, call: Callable[..., Any], right: dict[str, Any], name: str, place: int, value: int
    ) -> None:
        wrong = right[name].copy()
        wrong[place] = value
        with pytest.raises(Exception, match="not a pattern"):
            call(**{name: wrong})

    def test_more_connections_than_there_is_room_for(self) -> None:
        with pytest.raises(ValueError, match="4 connections exceed the capacity of 3"):
            kernels.pattern(np.ones((2, 2), bool), 3)
