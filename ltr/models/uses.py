"""Uses of kernels: by which layers, in which order, and in how many products of an example each weight is."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ltr.models.layers import Conv
from ltr.models.packed import has_sparse_products

Path = tuple[str, ...]


class Use(NamedTuple):
    """What a network does with the kernel of a layer.

    Attributes:
        layer: a copy of the module.
        num_positions: at how many positions of an example it is used: pixels of a convolution's result, or
            tokens; None of a layer that has no sparse products (see `ltr.models.packed`).
        products: of how many products of an example, forward, each weight is a factor: int64 that
            broadcasts to the kernel.
    """

    layer: nn.Module
    num_positions: int | None
    products: np.ndarray


class _Call(NamedTuple):
    """A call of a layer; shapes and dtypes stand for arrays.

    Attributes:
        layer: the module.
        inputs: arguments, and those by keyword.
        result: what it returns.
    """

    layer: nn.Module
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    result: jax.ShapeDtypeStruct


def uses(init: Callable[[jax.Array], Any]) -> dict[Path, Use]:
    """Return the use of each kernel by the path of its layer, in the order in which they are first used.

    Args:
        init: key -> the variables of a network, drawn by running it on one example.
    """
    calls: dict[Path, list[_Call]] = {}

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        result, layer = call(*args, **kwargs), context.module
        if context.method_name == "__call__" and layer.has_variable("params", "kernel"):
            shapes = jax.tree.map(_shape, ((args, kwargs), result))
            before = [one for one in calls.get(layer.path, []) if one.layer is layer]  # else: traced anew
            calls[layer.path] = [*before, _Call(layer, *shapes)]
        return result

    with nn.intercept_methods(note):
        jax.eval_shape(lambda key: init(key), jax.random.key(0))  # a function that is not traced yet
    return {path: _together([_use(call) for call in found]) for path, found in calls.items()}


def _shape(x: Any) -> Any:
    return jax.ShapeDtypeStruct(x.shape, x.dtype) if isinstance(x, jax.Array) else x


def _use(call: _Call) -> Use:
    layer = call.layer.copy(parent=None)
    if isinstance(layer, Conv):
        products = layer.products(jax.tree.leaves(call.inputs)[0].shape)
    elif isinstance(layer, nn.Dense) or (isinstance(layer, nn.DenseGeneral) and not layer.batch_dims):
        products = np.full((1, 1), math.prod(call.result.shape[1:]) // int(np.prod(layer.features)))
    else:
        products = _counted(layer, call.inputs)
    num_positions = math.prod(call.result.shape[1:-1]) if has_sparse_products(layer) else None
    return Use(layer, num_positions, products)


def _together(of: list[Use]) -> Use:
    """The use of a layer that is called several times."""
    num_positions = [use.num_positions for use in of if use.num_positions is not None]
    return Use(
        of[0].layer,
        sum(num_positions) if num_positions else None,
        sum((use.products for use in of[1:]), of[0].products),
    )


def _counted(layer: nn.Module, inputs: tuple[tuple[Any, ...], dict[str, Any]]) -> np.ndarray:
    """Count the products of any linear layer: the gradient of the sum of its results, of inputs of ones."""

    def filled(value: float, shapes: Any) -> Any:
        return jax.tree.map(
            lambda x: jnp.full(x.shape, value, x.dtype) if isinstance(x, jax.ShapeDtypeStruct) else x, shapes
        )

    def total(params: Any) -> jax.Array:
        result: Any = layer.apply(params, *args, **kwargs)
        return result.sum()

    args, kwargs = filled(1, inputs)
    shapes = jax.eval_shape(lambda key: layer.init(key, *args, **kwargs), jax.random.key(0))
    gradient = jax.grad(total)(filled(0, shapes))
    return _narrowed(np.rint(np.asarray(gradient["params"]["kernel"])).astype(np.int64))


def _narrowed(counts: np.ndarray) -> np.ndarray:
    """One of each dimension along which all counts are equal."""
    for axis in range(counts.ndim):
        one = counts.take([0], axis)
        counts = one if (counts == one).all() else counts
    return counts
