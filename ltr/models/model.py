"""What a network is to the rest of ltr: two pure functions, and what may be pruned."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

KINDS = ("conv", "dense", "output")
"""The kinds of layers that may be pruned, each at its own rate."""


class Model(NamedTuple):
    """A network as pure functions on a pytree of float32 parameters.

    Attributes:
        init: key -> parameters.
        apply: parameters, images float32 [batch, height, width, channels] -> logits [batch, classes].
        kinds: like the parameters; "conv", "dense" or "output" for a prunable kernel, None elsewhere.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, jax.Array], jax.Array]
    kinds: Any


def from_linen(module: nn.Module, image_shape: tuple[int, int, int]) -> Model:
    """A `Model` of a Linen module whose layers are named by kind: `conv_1`, `dense_1`, ..., `output`."""

    def init(key: jax.Array) -> Any:
        return module.init(key, jnp.zeros((1, *image_shape)))["params"]

    def apply(params: Any, images: jax.Array) -> jax.Array:
        return module.apply({"params": params}, images)  # type: ignore[return-value]

    shapes = jax.eval_shape(init, jax.random.key(0))
    return Model(init, apply, jax.tree.map_with_path(_kind, shapes))


def _kind(path: tuple[Any, ...], _: Any) -> str | None:
    *_, layer, parameter = (entry.key for entry in path)
    kind = str(layer).partition("_")[0]
    if parameter != "kernel":
        return None
    if kind not in KINDS:
        raise ValueError(f"layer {layer}: a layer with a kernel is named by its kind, one of {KINDS}")
    return kind
