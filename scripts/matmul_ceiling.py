"""The ceiling of dense training: the matrix products of a LeNet-300-100 step, and nothing else.

    python scripts/matmul_ceiling.py --batch-size 60 --devices 2

prints how many steps' worth of products this machine does a second, with every device (CPU core)
busy on its own: in each layer activations x @ W, the weight gradient x.T @ g and, except in the
first layer, the input gradient g @ W.T. `--library numpy` does the same through NumPy's BLAS on one
thread, as a cross-check; start one process a core, with OPENBLAS_NUM_THREADS=1.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

WIDTHS = (784, 300, 100, 10)
STEPS = 500  # a call; ten of them make one turn of the loop, lest XLA copy its operands every step

Layer = tuple[Any, Any, Any, Any]


def flops(batch_size: int) -> int:
    """Floating-point operations of the products of one step."""
    sizes = [inputs * outputs for inputs, outputs in itertools.pairwise(WIDTHS)]
    return 2 * batch_size * (3 * sum(sizes) - sizes[0])


def steps_per_second(batch_size: int, devices: int, seconds: float = 5.0, library: str = "jax") -> float:
    """Steps' worth of products a second, all devices together; with `numpy`, on this thread alone."""
    call = _jax_call(batch_size, devices) if library == "jax" else _numpy_call(batch_size)
    call()  # compiles, warms up
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        call()
        count += 1
    return count * STEPS * devices / elapsed


def layers(batch_size: int) -> list[Layer]:
    """Inputs x, kernel, output gradient g and sum of input gradients of each layer.

    The largest singular value of x is 1: what the products feed into each other stays bounded.
    """
    random = np.random.default_rng(0)

    def layer(inputs: int, outputs: int) -> Layer:
        shapes = (batch_size, inputs), (inputs, outputs), (batch_size, outputs)
        x, kernel, g = (random.standard_normal(shape, np.float32) for shape in shapes)
        return x / np.linalg.norm(x, 2), kernel, g, np.zeros_like(x)

    return [layer(*widths) for widths in itertools.pairwise(WIDTHS)]


def step(layers: list[Layer]) -> list[Layer]:
    """The products of one step. Each result is an operand of the next step or added up, so that none
    can be hoisted out of a loop or dropped.
    """
    first, *others = ((x, x.T @ g, x @ kernel, total, g, kernel) for x, kernel, g, total in layers)
    return [first[:4], *((*new, total + g @ kernel.T) for *new, total, g, kernel in others)]


def _jax_call(batch_size: int, devices: int) -> Callable[[], Any]:
    jax.config.update("jax_num_cpu_devices", devices)
    run = jax.pmap(lambda state: jax.lax.fori_loop(0, STEPS, lambda _, state: step(state), state, unroll=10))
    stacked = jax.tree.map(lambda x: np.stack([x] * devices), layers(batch_size))
    return lambda: jax.block_until_ready(run(stacked))


def _numpy_call(batch_size: int) -> Callable[[], Any]:
    state = layers(batch_size)

    def call() -> None:
        nonlocal state
        for _ in range(STEPS):
            state = step(state)

    return call


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Steps per second of a training step's products alone.")
    parser.add_argument("--batch-size", type=int, default=60)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--library", choices=["jax", "numpy"], default="jax")
    print(steps_per_second(**vars(parser.parse_args())))
