"""A dense layer with a sparse kernel, and its gradients, through the library."""

from typing import Any

import jax
import jax.numpy as jnp

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array, Packed, Pattern

_BY_UNIT = (1, 0)
"""How a batch [batch, units] lies in memory: unit by unit, as the library reads and writes it."""


@jax.custom_vjp
def dense(x: jax.Array, kernel: Packed, bias: jax.Array) -> jax.Array:
    """Multiplies x [batch, in] by a sparse kernel [in, out] and adds bias [out] -> [batch, out]; float32.

    Its gradients are those of the values and not of a pruned weight.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit or indices out of bounds.
    """
    values, pattern = kernel
    y = jax.ShapeDtypeStruct((x.shape[0], pattern.starts.shape[0] - 1), jnp.float32)
    return _call("ltr_forward", y, x, values, bias, pattern.starts, pattern.inputs)


def _forward(x: jax.Array, kernel: Packed, bias: jax.Array) -> tuple[jax.Array, Any]:
    return dense(x, kernel, bias), (x, kernel, bias)


def _backward(saved: Any, gradient: jax.Array) -> tuple[jax.Array, Packed, jax.Array]:
    """Two calls, so that the gradient of x, where nobody asks for it, is not computed."""
    x, (values, pattern), bias = saved
    of_x = _call("ltr_of_inputs", x, gradient, values, pattern.by_input, pattern.outputs, pattern.places)
    of_values, of_bias = _call("ltr_of_weights", (values, bias), x, gradient, pattern.starts, pattern.inputs)
    return of_x, Packed(of_values, Pattern(*[None] * len(Pattern._fields))), of_bias  # type: ignore[arg-type]


dense.defvjp(_forward, _backward)


@jax.custom_vjp
def by_unit(x: jax.Array) -> jax.Array:
    """Lays x [batch, units], float32, out unit by unit in memory, for `dense`: faster than XLA does."""
    return _transpose(x).T


by_unit.defvjp(lambda x: (by_unit(x), None), lambda _, gradient: (_transpose(gradient.T),))


def _transpose(x: jax.Array) -> jax.Array:
    instruction_set()
    shape = jax.ShapeDtypeStruct(x.shape[::-1], jnp.float32)
    return jax.ffi.ffi_call("ltr_transpose", shape, vmap_method="sequential")(x)


def _call(name: str, results: Any, *operands: Array) -> Any:
    """Results are shaped like `results`; lanes side by side are called for one after the other."""
    instruction_set()  # which makes the library known
    call = jax.ffi.ffi_call(
        name,
        jax.tree.map(lambda like: jax.ShapeDtypeStruct(like.shape, like.dtype), results),
        input_layouts=[_layout(operand) for operand in operands],
        output_layouts=jax.tree.map(_layout, results),
        vmap_method="sequential",
    )
    return call(*operands)


def _layout(array: Any) -> tuple[int, ...]:
    return _BY_UNIT if array.ndim == 2 else (0,)
