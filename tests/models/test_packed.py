"""Layers that compute with packed kernels: what they make of their masked kernels, and the same gradients."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import kernels
from ltr.models.layers import Conv, Dense
from ltr.models.packed import has_sparse_products, sparse_products

LAYERS = {
    "dense": (Dense(4), (2, 6)),
    "dense of tokens": (nn.Dense(4), (2, 3, 6)),
    "dense without bias": (nn.Dense(4, use_bias=False), (2, 6)),
    "convolution": (Conv(3, stride=2), (2, 5, 4, 2)),
    "convolution without bias": (Conv(3, size=1, use_bias=False), (2, 5, 4, 2)),
}


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_the_same_of_a_packed_kernel(name: str) -> None:
    layer, shape = LAYERS[name]
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.normal(size=shape), jnp.float32)
    params: Any = jax.tree.map(
        lambda leaf: generator.normal(size=leaf.shape).astype(np.float32),
        jax.eval_shape(layer.init, jax.random.key(0), x)["params"],
    )
    kernel = params["kernel"]
    flat = kernel.reshape(-1, kernel.shape[-1])
    kept = flat > 0
    patterns = {"": kernels.pattern(kept, int(kept.sum()))}

    def loss(params: Any, x: jax.Array, patterns: Any) -> jax.Array:
        with sparse_products(patterns):
            return jnp.sin(layer.apply({"params": params}, x)).sum()

    both = jax.jit(jax.value_and_grad(loss, (0, 1)))
    value, (weights, inputs) = both({**params, "kernel": flat.T[kept.T]}, x, patterns)
    expected, (masked, of_x) = both({**params, "kernel": kernel * (kernel > 0)}, x, {})
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(inputs, of_x, rtol=1e-4, atol=1e-5)
    of_kernel = np.asarray(masked.pop("kernel")).reshape(flat.shape).T[kept.T]
    np.testing.assert_allclose(weights.pop("kernel"), of_kernel, rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), weights, masked)


@pytest.mark.parametrize(
    ("layer", "has"),
    [
        (nn.Dense(3), True),
        (Conv(3), True),
        (nn.Dense(3, dtype=jnp.bfloat16), False),
        (nn.DenseGeneral(3), False),
        (nn.Conv(3, (3, 3)), False),
    ],
)
def test_layers_with_sparse_products(layer: nn.Module, has: bool) -> None:
    assert has_sparse_products(layer) is has
