"""Batch normalisation by the kernels against its definition in double precision, and what it refuses."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ltr import kernels

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

EPSILON = 1e-5

batch_norm = jax.jit(kernels.batch_norm, static_argnums=(4, 5))


def drawn(*shape: int) -> list[np.ndarray]:
    """Images, a scale and a shift of each channel, and a residual."""
    generator = np.random.default_rng(0)
    shapes = shape, shape[-1:], shape[-1:], shape
    return [generator.normal(0.5, 2, size=each).astype(np.float32) for each in shapes]


def defined(x: Any, scale: Any, shift: Any, residual: Any, relu: bool) -> tuple[Any, Any, Any]:
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    variance = jnp.square(x - mean).mean(axes)
    y = (x - mean) / jnp.sqrt(variance + EPSILON) * scale + shift
    y = y if residual is None else y + residual
    return (jnp.maximum(y, 0) if relu else y), mean, variance


def results(layer: Callable[..., Any], operands: list[Any], relu: bool) -> Any:
    """Result and moments of a layer, and the gradients of all its operands."""

    @jax.jit
    def run(*operands: Any) -> Any:
        (y, *moments), back = jax.vjp(lambda *these: layer(*these, relu), *operands)
        gradient = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
        return y, moments, back((gradient, *map(jnp.zeros_like, moments)))

    return run(*operands)


def ours(*operands: Any) -> tuple[Any, Any, Any]:
    return kernels.batch_norm(*operands, EPSILON)


@settings(max_examples=10)
@example(shape=(3, 5, 4, 16), has_residual=True, relu=True)
@example(shape=(40, 3, 3, 1), has_residual=False, relu=True)  # one channel
@example(shape=(7, 5, 3), has_residual=True, relu=False)  # the last row of lanes is shorter
@example(shape=(150, 67), has_residual=False, relu=False)  # features; more lanes than a block
@example(shape=(1, 1, 1, 5), has_residual=True, relu=True)  # one pixel, whose variance is zero
@given(
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=3).flatmap(
        lambda sizes: st.integers(1, 140).map(lambda channels: (*sizes, channels))
    ),
    has_residual=st.booleans(),
    relu=st.booleans(),
)
def test_values_moments_and_gradients_are_those_of_the_definition(
    shape: tuple[int, ...], has_residual: bool, relu: bool
) -> None:
    operands = [*drawn(*shape)[:3], drawn(*shape)[3] if has_residual else None]
    found = results(ours, operands, relu)
    with jax.enable_x64(True):
        exact = [None if each is None else each.astype(np.float64) for each in operands]
        expected = results(defined, exact, relu)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    few = np.prod(shape[:-1]) < 5  # divided by deviations near zero
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert other.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-1 if few else 1e-3)


def test_the_variance_of_channels_far_from_zero_is_exact() -> None:
    """XLA subtracts squares of float32, whose rounding errors are a million times larger here."""
    x, scale, shift, _ = drawn(4, 8, 8, 5)
    x = (x + 1000).astype(np.float32)
    _, mean, variance = batch_norm(x, scale, shift, None, False, EPSILON)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=1e-7)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=1e-6)


def test_a_constant_channel_has_no_variance() -> None:
    x = np.full((3, 4, 4, 2), 0.1, np.float32)
    y, mean, variance = batch_norm(x, np.ones(2, np.float32), np.zeros(2, np.float32), None, True, EPSILON)
    np.testing.assert_array_equal(variance, [0, 0])
    np.testing.assert_allclose(mean, x[0, 0, 0], rtol=1e-7)
    np.testing.assert_allclose(y, 0, atol=1e-5)


@pytest.mark.parametrize("has_residual", [False, True])
def test_what_is_no_number_stays_so_in_its_channel(has_residual: bool) -> None:
    x, scale, shift, residual = drawn(2, 3, 3, 4)
    x[1, 2, 0, 3] = np.nan
    y, mean, variance = batch_norm(x, scale, shift, residual if has_residual else None, True, EPSILON)
    for found in (y, mean, variance):
        assert np.isnan(found[..., 3]).all()
        assert np.isfinite(found[..., :3]).all()


def test_moments_have_no_gradient() -> None:
    x, scale, shift, _ = drawn(2, 3, 3, 4)

    def moments(x: jax.Array) -> jax.Array:
        _, mean, variance = kernels.batch_norm(x, scale, shift, None, False, EPSILON)
        return mean.sum() + variance.sum()

    np.testing.assert_array_equal(jax.jit(jax.grad(moments))(x), np.zeros_like(x))


def test_lanes_on_several_devices_at_once_do_not_disturb_each_other() -> None:
    x, scale, shift, residual = drawn(6, 12, 12, 5)
    lanes = np.stack([x, x[::-1], 2 * x, -x])

    @jax.jit
    def several(x: jax.Array) -> Any:
        return [results(ours, [x + turn, scale, shift, residual], True) for turn in range(3)]

    apart = jax.tree.map(lambda *each: np.stack(each), *[several(lane) for lane in lanes])
    together = jax.pmap(jax.vmap(several))(lanes.reshape(2, 2, *x.shape))
    jax.tree.map(
        lambda one, other: np.testing.assert_array_equal(one.reshape(other.shape), other), together, apart
    )


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 4, 3), (2,), (3,), (2, 4, 3)),
        ((2, 4, 3), (3,), (4,), (2, 4, 3)),
        ((2, 4, 3), (3,), (3,), (2, 5, 3)),
        ((2, 4, 3), (3,), (3,), (2, 3, 4)),  # as many numbers
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    operands = [jnp.zeros(shape) for shape in shapes]
    with pytest.raises(jax.errors.JaxRuntimeError, match="shapes that do not fit each other"):
        jax.block_until_ready(batch_norm(*operands, True, EPSILON))


X, CHANNELS = (8, 3), (3,)


@pytest.mark.parametrize(
    ("relu", "shapes"),
    [
        (True, ((8, 3), (0, 0), (3,), (3,), (3,), (2,), (0, 0))),
        (True, ((6, 4), (0, 0), (3,), (3,), (3,), (3,), (0, 0))),
        (True, ((8, 3), (3, 8), (3,), (3,), (3,), (3,), (8, 3))),
        (True, ((8, 3), (8, 3), (3,), (3,), (3,), (3,), (0, 0))),
        (True, ((8, 3), (24,), (3,), (3,), (3,), (3,), (8, 3))),
        (False, ((8, 3), (8, 3), (3,), (3,), (3,), (3,), (8, 3))),
    ],
)
def test_gradients_of_other_shapes_are_refused(relu: bool, shapes: tuple[tuple[int, ...], ...]) -> None:
    gradient, y, scale, shift, mean, variance, of_residual = shapes
    operands = [jnp.zeros(shape) for shape in (gradient, X, y, scale, shift, mean, variance)]
    like = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (X, CHANNELS, CHANNELS, of_residual)]
    call = jax.ffi.ffi_call("ltr_batch_norm_gradient", like)
    with pytest.raises(jax.errors.JaxRuntimeError, match="shapes that do not fit each other"):
        jax.block_until_ready(call(*operands, relu=relu, epsilon=np.float64(EPSILON)))
