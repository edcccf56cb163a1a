"""Fused dense layers as XLA calls them: products, threads, updates in place, and what they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import kernels
from ltr.kernels import ByteImages, Factors

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

RATES = np.array([0.1, 1.0, 1e-3], np.float32)


def drawn(batch: int = 7, inputs: int = 12, outputs: int = 5) -> dict[str, Any]:
    """Operands of a step on bytes."""
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(9, inputs // 3, 3, 1), dtype=np.uint8)
    images[generator.random(images.shape) < 0.5] = 0
    chosen = generator.integers(9, size=batch, dtype=np.int32)
    mean, std = np.array([[60], [80]], np.float32)
    matrices = (
        generator.normal(size=shape).astype(np.float32)
        for shape in [(batch, outputs), *[(inputs, outputs)] * 3]
    )
    gradient, kernel, first, second = matrices
    return {
        "x": kernels.byte_images(images, chosen, mean, std),
        "gradient": gradient,
        "kept": generator.random((inputs, outputs)) < 0.5,
        "kernel": kernel,
        "mean": first,
        "variance": second**2,
    }


def floats(x: ByteImages) -> np.ndarray:
    rows = np.asarray(x.images)[np.asarray(x.chosen)].reshape(len(x.chosen), -1)
    return (rows - np.asarray(x.mean)) / np.asarray(x.std)


def adam(x: Any, gradient: Any, kept: Any, kernel: Any, mean: Any, variance: Any) -> Any:
    return kernels.adam_step(
        Factors(x, gradient), kept, kernel, mean, variance, RATES, b1=0.9, b2=0.99, decay=0.01
    )


def momentum(x: Any, gradient: Any, kept: Any, kernel: Any, mean: Any, variance: Any) -> Any:
    return kernels.momentum_step(
        Factors(x, gradient), kept, kernel, mean, RATES[:1], momentum=0.9, decay=0.01
    )


def test_a_product_is_that_of_normalised_images() -> None:
    operands = drawn()
    expected = floats(operands["x"]) @ operands["kernel"]
    for x in (operands["x"], floats(operands["x"])):
        found = kernels.product(x, operands["kernel"])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("step", [adam, momentum])
def test_images_as_bytes_and_as_floats_give_the_same_step(step: Any) -> None:
    operands = drawn()
    found, expected = step(**operands), step(**operands | {"x": floats(operands["x"])})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_operands_outside_a_compiled_function_stay_as_they_are() -> None:
    operands = drawn()
    kernel = jnp.asarray(operands["kernel"])
    after, *_ = adam(**operands | {"kernel": kernel})
    assert not np.array_equal(after, kernel)
    np.testing.assert_array_equal(kernel, operands["kernel"])


def test_lanes_on_several_devices_at_once_do_not_disturb_each_other() -> None:
    operands = [drawn(), drawn(outputs=40), drawn(batch=30)]

    def several(kernel: jax.Array, lane: dict[str, Any]) -> Any:
        for _ in range(5):
            kernel, *_ = adam(**lane | {"kernel": kernel})
        return kernel, kernels.product(lane["x"], kernel)

    for lane in operands:
        starts = np.stack([lane["kernel"], -lane["kernel"]])
        together = jax.pmap(lambda kernel, lane=lane: several(kernel, lane))(starts)
        apart = [jax.jit(several)(start, lane) for start in starts]
        jax.tree.map(np.testing.assert_array_equal, together, jax.tree.map(lambda *a: np.stack(a), *apart))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("gradient", np.zeros((6, 5), np.float32)),
        ("gradient", np.zeros((7, 4), np.float32)),
        ("kept", np.ones((12, 4), bool)),
        ("kernel", np.zeros((11, 5), np.float32)),
        ("mean", np.zeros((12, 6), np.float32)),
        ("variance", np.zeros((13, 5), np.float32)),
    ],
)
@pytest.mark.parametrize("as_bytes", [True, False])
def test_shapes_that_do_not_fit_are_refused(name: str, wrong: np.ndarray, as_bytes: bool) -> None:
    operands = drawn() | {name: wrong}
    operands["x"] = operands["x"] if as_bytes else floats(operands["x"])
    with pytest.raises(Exception, match="shapes that do not fit each other"):
        jax.block_until_ready(adam(**operands))
    if name != "variance":
        with pytest.raises(Exception, match="shapes that do not fit each other"):
            jax.block_until_ready(momentum(**operands))


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_product_with_a_kernel_that_does_not_fit_is_refused(as_bytes: bool) -> None:
    x = drawn()["x"]
    with pytest.raises(Exception, match="shapes that do not fit each other"):
        jax.block_until_ready(kernels.product(x if as_bytes else floats(x), np.ones((11, 5), np.float32)))


@pytest.mark.parametrize("index", [-1, 9])
def test_an_image_that_is_not_there_is_refused(index: int) -> None:
    operands = drawn()
    images, chosen, mean, std = jax.tree.leaves(operands["x"])
    chosen = chosen.copy()
    chosen[3] = index
    x = kernels.byte_images(images, chosen, mean, std)
    for call in (lambda: kernels.product(x, operands["kernel"]), lambda: adam(**operands | {"x": x})):
        with pytest.raises(Exception, match="an index of an image is out of bounds"):
            jax.block_until_ready(call())
