"""What tracing a network tells: its variables, and the uses of its kernels by layers, in order.

A use says how many products each weight takes part in.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Int64

from ltr.core.types import Params, PRNGKey
from ltr.models.layers import Conv
from ltr.models.packed import has_sparse_products

Path = tuple[str, ...]


class Use(NamedTuple):
    """Use of the kernel of a layer by a network.

    Attributes:
        layer: copy of the module.
        num_positions: positions of an example at which it is used: pixels of a convolution's result, or
            tokens; None for a layer that has no sparse products (see `ltr.models.packed`).
        products: number of products of an example, in the forward pass, that each weight takes part in; it
            broadcasts to the kernel.
    """

    layer: nn.Module
    num_positions: int | None
    products: Int64[np.ndarray, "..."]


class _Call(NamedTuple):
    """A call of a layer, with `jax.ShapeDtypeStruct` in place of arrays.

    Attributes:
        layer: the module.
        inputs: positional and keyword arguments.
        result: result of the call.
    """

    layer: nn.Module
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    result: jax.ShapeDtypeStruct


class Traced(NamedTuple):
    """What tracing a network on one example tells.

    Attributes:
        variables: shapes of its variables, by their collection.
        uses: use of each kernel, by the path of its layer, in the order of first use.
        norms: copy of each batch normalisation, by its path.
    """

    variables: Mapping[str, Any]
    uses: dict[Path, Use]
    norms: dict[Path, nn.BatchNorm]


def traced(init: Callable[[PRNGKey], Mapping[str, Params]]) -> Traced:
    """Trace a network and return what that tells.

    Args:
        init: key -> variables of a network, initialised by running it on one example; not traced before.
    """
    calls: dict[Path, list[_Call]] = {}
    norms: dict[Path, nn.BatchNorm] = {}

    def record(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        result, layer = call(*args, **kwargs), context.module
        if context.method_name == "__call__" and layer.has_variable("params", "kernel"):
            shapes = jax.tree.map(_shape, ((args, kwargs), result))
            # Flax may trace a layer again as a new module; only the calls of the last trace count.
            earlier = [known for known in calls.get(layer.path, []) if known.layer is layer]
            calls[layer.path] = [*earlier, _Call(layer, *shapes)]
        if isinstance(layer, nn.BatchNorm):
            norms[layer.path] = layer.copy(parent=None)
        return result

    with nn.intercept_methods(record):
        variables = jax.eval_shape(init, jax.random.key(0))
    uses = {path: _combined([_use(call) for call in recorded]) for path, recorded in calls.items()}
    return Traced(variables, uses, norms)


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


def _combined(calls: list[Use]) -> Use:
    """Return the use of a layer that is called several times."""
    first, *others = calls
    num_positions = [use.num_positions for use in calls if use.num_positions is not None]
    return Use(
        first.layer,
        sum(num_positions) if num_positions else None,
        sum((use.products for use in others), first.products),
    )


def _counted(layer: nn.Module, inputs: tuple[tuple[Any, ...], dict[str, Any]]) -> Int64[np.ndarray, "..."]:
    """Count the products of any linear layer: the gradient of the sum of its results for inputs of ones."""

    def filled(value: float, shapes: Any) -> Any:
        return jax.tree.map(
            lambda x: np.full(x.shape, value, x.dtype) if isinstance(x, jax.ShapeDtypeStruct) else x, shapes
        )

    def total(params: Any) -> jax.Array:
        result: Any = layer.apply(params, *args, **kwargs)
        return result.sum()

    args, kwargs = filled(1, inputs)
    shapes = jax.eval_shape(lambda key: layer.init(key, *args, **kwargs), jax.random.key(0))
    gradient = jax.jit(jax.grad(total))(filled(0, shapes))
    return _narrowed(np.rint(np.asarray(gradient["params"]["kernel"])).astype(np.int64))


def _narrowed(counts: Int64[np.ndarray, "..."]) -> Int64[np.ndarray, "..."]:
    """Reduce each axis along which all counts are equal to length 1."""
    for axis in range(counts.ndim):
        first = counts.take([0], axis)
        counts = first if (counts == first).all() else counts
    return counts
