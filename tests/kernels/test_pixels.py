"""Layers of pixels against layers of the same images in floats, and what they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ltr import kernels
from ltr.kernels import Pixels, SparseKernel
from ltr.kernels.pixels import LINE

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

IMAGES = 9
MEAN, STD = np.array([33.3], np.float32), np.array([78.6], np.float32)


def drawn(batch: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, and which of them are chosen."""
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(IMAGES, height, width, 1), dtype=np.uint8)
    return images, generator.integers(IMAGES, size=batch, dtype=np.int32)


def unpacked(pixels: Pixels) -> np.ndarray:
    """The examples [batch, pixels], and what fills their lines up, from their bfloat16s."""
    halves = np.asarray(pixels.words)[:, None] << np.array([16, 0], np.uint32)[:, None] & 0xFFFF0000
    examples = halves.reshape(-1, LINE // 2, *halves.shape[1:]).swapaxes(1, 2)
    return examples.reshape(-1, halves.shape[-1]).view(np.float32)


@settings(max_examples=5)
@example(batch=60, height=28, width=28)
@example(batch=64, height=1, width=1)  # the last line is full
@given(batch=st.integers(1, 140), height=st.integers(1, 9), width=st.integers(1, 9))
def test_pixels_are_the_bytes_of_the_chosen_images_less_a_whole_number(
    batch: int, height: int, width: int
) -> None:
    images, chosen = drawn(batch, height, width)
    pixels = jax.jit(kernels.pixels)(images, chosen, MEAN, STD)
    assert pixels.shape == (batch, height, width, 1)
    found = unpacked(pixels)
    np.testing.assert_array_equal(found[:batch], images[chosen].reshape(batch, -1) - MEAN.round())
    assert not found[batch:].any()


@settings(max_examples=5)
@example(batch=60, height=7, width=5, outputs=9, density=0.3)  # seven vectors and a half
@example(batch=129, height=2, width=2, outputs=4, density=0.5)  # two tiles
@example(batch=3, height=4, width=1, outputs=5, density=0.0)
@example(batch=32, height=6, width=6, outputs=3, density=1.0)
@given(
    batch=st.integers(1, 150),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    outputs=st.integers(1, 20),
    density=st.sampled_from([0.02, 0.2, 0.7]),
)
def test_a_layer_of_pixels_and_its_gradients_are_those_of_normalised_images(
    batch: int, height: int, width: int, outputs: int, density: float
) -> None:
    images, chosen = drawn(batch, height, width)
    generator = np.random.default_rng(1)
    kept = generator.random((height * width, outputs)) < density
    pattern = kernels.pattern(kept, kept.size)
    values = np.pad(generator.normal(size=kept.sum()), (0, kept.size - kept.sum())).astype(np.float32)
    bias, weights = (generator.normal(size=n).astype(np.float32) for n in (outputs, (batch, outputs)))

    def of_pixels(values: jax.Array, bias: jax.Array) -> jax.Array:
        return kernels.dense(kernels.pixels(images, chosen, MEAN, STD), SparseKernel(values, pattern), bias)

    def of_floats(values: jax.Array, bias: jax.Array) -> jax.Array:
        normalised = (images[chosen].reshape(batch, -1) - MEAN) / STD
        return kernels.dense(jnp.asarray(normalised), SparseKernel(values, pattern), bias)

    for one, other in zip(
        jax.tree.leaves(value_and_gradients(of_pixels, values, bias, weights)),
        jax.tree.leaves(value_and_gradients(of_floats, values, bias, weights)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def value_and_gradients(layer: Any, values: np.ndarray, bias: np.ndarray, weights: np.ndarray) -> Any:
    value, back = jax.vjp(jax.jit(layer), jnp.asarray(values), jnp.asarray(bias))
    return value, back(jnp.asarray(weights))


@pytest.mark.parametrize(("mean", "std"), [(0.0, 255.0), (200.4, 5.0), (254.9, 1.0)])
def test_a_mean_far_from_zero_costs_no_precision(mean: float, std: float) -> None:
    generator = np.random.default_rng(0)
    images = np.clip(generator.normal(mean, std, (60, 20, 20, 1)), 0, 255).astype(np.uint8)
    weights, pattern = np.ones(400, np.float32), kernels.pattern(np.ones((400, 1), bool), 400)
    of = np.array([mean], np.float32), np.array([std], np.float32)
    pixels = kernels.pixels(images, np.arange(60, dtype=np.int32), *of)
    found = kernels.dense(pixels, SparseKernel(weights, pattern), np.zeros(1, np.float32))
    expected = (images.reshape(60, -1).astype(float) - of[0].astype(float)).sum(1) / of[1]
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-5, atol=1e-4)


def test_lanes_side_by_side_are_each_their_own() -> None:
    images, chosen = drawn(7, 3, 3)
    pattern = kernels.pattern(np.ones((9, 2), bool), 18)
    values = np.random.default_rng(1).normal(size=(2, 18)).astype(np.float32)
    orders = np.stack([chosen, chosen[::-1]])

    def of_lane(values: jax.Array, order: jax.Array) -> jax.Array:
        pixels = kernels.pixels(images, order, MEAN, STD)
        return kernels.dense(pixels, SparseKernel(values, pattern), jnp.zeros(2))

    def loss(values: jax.Array, order: jax.Array) -> jax.Array:
        return jnp.square(of_lane(values, order)).sum()

    for what in (of_lane, jax.grad(loss)):
        together = jax.vmap(what)(values, orders)
        for one, *lane in zip(together, values, orders, strict=True):
            np.testing.assert_array_equal(one, what(*lane))


def test_images_to_come_change_nothing() -> None:
    images, chosen = drawn(7, 3, 3)
    pixels = kernels.pixels(images, chosen, MEAN, STD, chosen[::-1].copy())
    np.testing.assert_array_equal(pixels.words, kernels.pixels(images, chosen, MEAN, STD).words)


class TestWrongCalls:
    """No index is used unchecked, and no length."""

    @pytest.mark.parametrize("image", [-1, IMAGES])
    @pytest.mark.parametrize("which", ["chosen", "coming"])
    def test_images_that_are_not_there(self, image: int, which: str) -> None:
        images, chosen = drawn(2, 3, 3)
        asked = {"chosen": chosen, "coming": chosen, which: np.array([0, image], np.int32)}
        with pytest.raises(Exception, match="images: an index is out of bounds"):
            jax.block_until_ready(kernels.pixels(images, mean=MEAN, std=STD, **asked).words)

    def test_images_of_several_channels(self) -> None:
        images, chosen = drawn(2, 3, 3)
        with pytest.raises(Exception, match="shapes that do not fit"):
            jax.block_until_ready(kernels.pixels(images.repeat(3, -1), chosen, MEAN, STD).words)

    def test_images_that_are_no_bytes(self) -> None:
        images, chosen = drawn(2, 3, 3)
        with pytest.raises(Exception, match="buffer dtype"):
            jax.block_until_ready(kernels.pixels(images.astype(np.float32), chosen, MEAN, STD).words)

    def test_another_number_to_come(self) -> None:
        images, chosen = drawn(2, 3, 3)
        with pytest.raises(Exception, match="shapes that do not fit"):
            jax.block_until_ready(kernels.pixels(images, chosen, MEAN, STD, chosen[:1]).words)

    @pytest.mark.parametrize("wrong", ["words", "mean", "std", "bias", "values"])
    def test_arrays_of_other_lengths(self, wrong: str) -> None:
        with pytest.raises(Exception, match="shapes that do not fit"):
            self.gradients(**{wrong: lambda array: np.concatenate([array, array])})

    def test_a_pattern_of_other_pixels(self) -> None:
        with pytest.raises(Exception, match="not a pattern"):
            self.gradients(inputs=lambda array: array + 1)

    def test_what_is_right_is_taken(self) -> None:
        self.gradients()

    @staticmethod
    def gradients(**changes: Any) -> Any:
        """Of a layer, some of whose arrays are changed."""
        images, chosen = drawn(5, 2, 2)
        pattern = kernels.pattern(np.ones((4, 3), bool), 12)
        words = np.asarray(kernels.pixels(images, chosen, MEAN, STD).words)
        arrays = {"words": words, "mean": MEAN, "std": STD, "values": np.ones(12, np.float32)}
        arrays |= {"bias": np.ones(3, np.float32), "inputs": pattern.inputs}
        arrays |= {name: change(arrays[name]) for name, change in changes.items()}
        x = Pixels(arrays["words"], arrays["mean"], arrays["std"], (5, 2, 2, 1))
        connections = pattern._replace(inputs=arrays["inputs"])

        def loss(values: jax.Array, bias: jax.Array) -> jax.Array:
            return kernels.dense(x, SparseKernel(values, connections), bias).sum()

        return jax.block_until_ready(jax.grad(loss, (0, 1))(arrays["values"], arrays["bias"]))
