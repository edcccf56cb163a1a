"""Networks that give gradients of dense kernels as factors."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import kernels
from ltr.models.fused import kernel_path, slots_of, value_and_gradients
from ltr.models.layers import flatten

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")


class Network(nn.Module):
    """Two dense layers; the first may be computed again in the backward pass, and the second has no bias."""

    recomputes: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        first = (nn.remat(nn.Dense) if self.recomputes else nn.Dense)(5, name="first")
        return nn.Dense(3, use_bias=False, name="second")(nn.relu(first(flatten(x))))


@pytest.mark.parametrize("recomputes", [False, True])
def test_factors_multiply_to_the_gradients_of_kernels(recomputes: bool) -> None:
    network = Network(recomputes)
    images = np.random.default_rng(0).normal(size=(4, 2, 3, 1)).astype(np.float32)
    params: Any = network.init(jax.random.key(0), images)["params"]

    def loss(params: Any) -> tuple[jax.Array, str]:
        return jnp.square(network.apply({"params": params}, images)).sum(), "more"

    def found(params: Any) -> Any:
        slots = slots_of(["first", "second"], params, images, None)
        (value, _), gradients, factors = value_and_gradients(loss, params, slots)
        return value, gradients, {name: x.T @ gradient for name, (x, gradient) in factors.items()}

    value, gradients, products = jax.jit(found)(params)
    (right, more), expected = jax.value_and_grad(loss, has_aux=True)(params)
    assert more == "more"
    np.testing.assert_allclose(value, right, rtol=1e-6)
    np.testing.assert_allclose(gradients["first"]["bias"], expected["first"]["bias"], rtol=1e-5)
    for name, product in products.items():
        np.testing.assert_allclose(product, expected[name]["kernel"], rtol=1e-5, atol=1e-6)
        assert not np.any(gradients[name]["kernel"])


def test_only_layers_with_slots_give_factors() -> None:
    network = Network(False)
    images = np.ones((2, 1, 1, 1), np.float32)
    params: Any = network.init(jax.random.key(0), images)["params"]

    def loss(params: Any) -> tuple[jax.Array, None]:
        return jnp.square(network.apply({"params": params}, images)).sum(), None

    _, gradients, factors = value_and_gradients(loss, params, slots_of(["second"], params, images, None))
    assert [*factors] == ["second"]
    np.testing.assert_allclose(
        gradients["first"]["kernel"], jax.grad(lambda p: loss(p)[0])(params)["first"]["kernel"]
    )


@pytest.mark.parametrize(
    ("layer", "path"), [("a", ("a", "kernel")), ("a/b", ("a", "b", "kernel")), ("", ("kernel",))]
)
def test_paths_of_kernels(layer: str, path: tuple[str, ...]) -> None:
    assert kernel_path(layer) == path
