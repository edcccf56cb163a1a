"""Memory of a function's intermediate values, estimated from its jaxpr, before anything is compiled.

XLA computes elementwise operations within the operation that reads their result, so only some values are ever
in memory. The estimate follows these in the order of the jaxpr, and returns the largest sum of those that are
alive at once. `tests/engine/test_memory.py` compares it with XLA's own analysis.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ltr.core.shares import WHOLE, Shares

_SHAPES = ("reshape", "squeeze", "expand_dims")

_RECOMPUTED = """
    broadcast_in_dim convert_element_type copy eq expand_dims ge gt iota le lt ne reshape rev select_n slice
    squeeze stop_gradient sub transpose
"""
_FUSED = """
    abs add add_any and bitcast_convert_type ceil clamp concatenate cos div dynamic_slice erf erf_inv erfc exp
    exp2 expm1 floor gather integer_pow is_finite log log1p logistic max min mul neg nextafter not or pad pow
    random_unwrap random_wrap rem round rsqrt shift_left shift_right_arithmetic shift_right_logical sign sin
    sqrt square tanh xor
"""
_REDUCTIONS = "argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_sum"
_CALLS = """
    checkpoint closed_call core_call custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr jit pjit remat
"""

RECOMPUTED = frozenset(_RECOMPUTED.split())
"""Operations that XLA repeats in every operation that reads their result."""

FUSED = RECOMPUTED | frozenset(_FUSED.split())
"""Operations that XLA computes within the only operation that reads their result."""

REDUCTIONS = frozenset(_REDUCTIONS.split())
"""Operations that compute what they read on the way."""

LOOPS = frozenset(("while", "scan", "cond"))
"""Operations with functions of their own; their results can take the place of operands."""

CALLS = frozenset(_CALLS.split())
"""Operations that are those of a function."""


class _Value:
    """A value of an inlined function; two calls of one function have different values."""

    def __init__(self, variable: Any) -> None:
        shape, dtype = getattr(variable.aval, "shape", ()), getattr(variable.aval, "dtype", None)
        self.bytes = math.prod(shape) * getattr(dtype, "itemsize", 0)


class _Operation(NamedTuple):
    """An operation of an inlined function, with the functions of a loop or a condition."""

    name: str
    inputs: list[_Value]
    outputs: list[_Value]
    functions: list[Jaxpr]
    reuses: bool


def size(tree: Any) -> int:
    """Return the bytes of all arrays of a pytree, or of their shapes and types."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


class Footprint(NamedTuple):
    """Memory that a compiled function needs beside its arguments and results.

    Attributes:
        temporaries: bytes of all intermediate values that are alive at once, at most.
        operations: number of operations, on which the memory for its compilation depends.
    """

    temporaries: int
    operations: int


def footprint(function: Callable[..., Any], *arguments: Any, shares: Shares = WHOLE) -> Footprint:
    """Estimate the memory of a function.

    Results that can take the place of an argument do so, as those of donated arguments.

    Args:
        function: the function.
        arguments: arrays, or their shapes and types.
        shares: shares of a batch, of which the function takes one.
    """
    jaxpr = jax.make_jaxpr(function, axis_env=shares.axes)(*arguments).jaxpr
    return Footprint(_peak(jaxpr), _count(jaxpr))


def _peak(function: Jaxpr) -> int:
    """Return the largest number of bytes that are alive at once, without the arguments."""
    known: dict[Any, _Value] = {}
    arguments = {known.setdefault(name, _Value(name)) for name in (*function.constvars, *function.invars)}
    operations = list(_inlined(function, known))
    stored = arguments | _stored(operations)
    sources = _sources(operations, stored)
    steps = [
        (operation, _union(sources.get(value, _NOTHING) for value in operation.inputs))
        for operation in operations
        if operation.name not in FUSED or not stored.isdisjoint(operation.outputs)
    ]
    last = {value: place for place, (_, read) in enumerate(steps) for value in read}
    results = (known[name] for name in function.outvars if not isinstance(name, Literal))
    last |= dict.fromkeys(_union(sources.get(value, _NOTHING) for value in results), len(steps))
    uncounted, alive, most = arguments, 0, 0
    for place, (operation, read) in enumerate(steps):
        ending = [value for value in read if last[value] == place]
        replaced = _replaced(operation, ending)
        uncounted |= {value for value, before in replaced.items() if before in uncounted}
        written = stored.intersection(operation.outputs)
        new = sum(value.bytes for value in written if value not in replaced)
        most = max(most, alive + new + max(map(_peak, operation.functions), default=0))
        alive += sum(value.bytes for value in written if value in last and value not in uncounted)
        alive -= sum(value.bytes for value in ending if value not in uncounted)
    return most


def _count(function: Jaxpr) -> int:
    """Return the number of operations, with those of loops and conditions."""
    return sum(1 + sum(map(_count, operation.functions)) for operation in _inlined(function, {}))


_NOTHING: frozenset[_Value] = frozenset()


def _union(sets: Iterable[frozenset[_Value]]) -> frozenset[_Value]:
    return _NOTHING.union(*sets)


def _inlined(function: Jaxpr, known: dict[Any, _Value]) -> Iterator[_Operation]:
    """Yield the operations of a function and of those that it calls; `known` gets the values of its names."""

    def value(name: Any, known: dict[Any, _Value]) -> _Value:
        return _Value(name) if isinstance(name, Literal) else known.setdefault(name, _Value(name))

    for equation in function.eqns:
        functions = list(_functions(equation.params))
        inputs = [value(name, known) for name in equation.invars]
        if equation.primitive.name in CALLS and len(functions) == 1:
            inside = dict(zip(functions[0].invars, inputs, strict=True))
            yield from _inlined(functions[0], inside)
            results = [value(name, inside) for name in functions[0].outvars]
            known |= zip(equation.outvars, results, strict=True)
        else:
            outputs = [value(name, known) for name in equation.outvars]
            name = equation.primitive.name
            reuses = name in FUSED | LOOPS or bool(equation.params.get("input_output_aliases"))
            yield _Operation(name, inputs, outputs, functions if name in LOOPS else [], reuses)


def _functions(parameters: Mapping[str, Any]) -> Iterator[Jaxpr]:
    for parameter in parameters.values():
        for function in parameter if isinstance(parameter, tuple | list) else (parameter,):
            if isinstance(function, ClosedJaxpr):
                yield function.jaxpr
            elif isinstance(function, Jaxpr):
                yield function


def _stored(operations: list[_Operation]) -> set[_Value]:
    """Return the values that are in memory, since XLA cannot compute them where they are read.

    A fused value is stored if an operation that is not fused reads it, or if several operations do and it is
    not one that is computed again.
    """
    made_by = {value: operation for operation in operations for value in operation.outputs}
    readers = Counter(value for operation in operations for value in {*operation.inputs})

    def unshaped(value: _Value) -> _Value:
        while value in made_by and made_by[value].name in _SHAPES:
            value = made_by[value].inputs[0]
        return value

    operands = {
        unshaped(value)
        for operation in operations
        if operation.name not in FUSED | REDUCTIONS
        for value in operation.inputs
    }
    return {
        value
        for value, operation in made_by.items()
        if operation.name not in FUSED
        or value in operands
        or (readers[value] > 1 and operation.name not in RECOMPUTED)
    }


def _sources(operations: list[_Operation], stored: set[_Value]) -> dict[_Value, frozenset[_Value]]:
    """Return, for each value, the stored values that it is computed from; a stored one itself."""
    sources = {value: frozenset({value}) for value in stored}
    for operation in operations:
        read = _union(sources.get(value, _NOTHING) for value in operation.inputs)
        for value in operation.outputs:
            sources.setdefault(value, read)
    return sources


def _replaced(operation: _Operation, ending: list[_Value]) -> dict[_Value, _Value]:
    """Return which of the values that are read for the last time each output replaces, if it can."""
    free, replaced = list(ending), {}
    for value in operation.outputs if operation.reuses else ():
        before = next((other for other in free if other.bytes == value.bytes), None)
        if before is not None:
            free.remove(before)
            replaced[value] = before
    return replaced
