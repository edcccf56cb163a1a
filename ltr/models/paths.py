"""Paths of kept weights through a network, and its dead units.

A path leads from a value of an image to an output. At each layer with a kernel it enters by an input and
leaves by a unit, which a kept weight joins. A unit is an output of such a layer: a channel of a convolution,
a feature of a token, in attention a feature of a head. It is dead if no path from an input to an output leads
through it at any position: it has no kept weights before or behind it, or these join it to dead units alone.

Between such layers values are joined as in training: by residuals, pooling, attention to other tokens. Biases
join nothing. Normalisation joins each value to itself alone.

A pass through the network itself and back finds the paths. Kernels are 1 where a weight is kept and 0
elsewhere, biases are 0, images are 1. Behind each layer with a kernel values become 1 if they are positive,
and so do gradients on their way back; a unit with both is alive.

That is right where positive values stay positive and zero stays zero, as with ReLU, GELU, pooling, addition,
and the values of attention. So it is tried with all weights first: a layer in which a unit then seems dead is
unknown. All layers are unknown if images of zeros have other outputs than zeros. Queries and keys, which only
weigh paths, are unknown too, and so are copies of a layer with one kernel, as `nn.scan` makes them.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Bool, Float32

from ltr.core import masks
from ltr.core.types import Mask
from ltr.models.kernel_shape import KernelShape
from ltr.models.model import Model

MULTIPLIERS = ("kernel", "scale", "var")
"""Names of parameters that multiply or divide; all others are added."""

NORMALISATIONS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.InstanceNorm)
"""Layers that subtract a mean of the values themselves, which would turn positive values to zeros."""


class Paths(NamedTuple):
    """Paths through a network.

    Attributes:
        outputs: number of outputs that a path leads to; None if that is unknown.
        dead_units: number of dead units of each layer with a mask, by its name; None if that is unknown.
    """

    outputs: int | None
    dead_units: Mapping[str, int | None]

    @property
    def all_dead_units(self) -> int | None:
        """Number of dead units in all layers of which it is known; None if it is of none."""
        known = [count for count in self.dead_units.values() if count is not None]
        return sum(known) if known else None


Alive = dict[str, Bool[np.ndarray, "..."]]
"""Whether each unit of a layer is alive, by the name of the layer."""


class PathFinder:
    """Finder of the paths through a network.

    It is compiled, and tried with all weights, in a thread of its own, since training compiles meanwhile.
    """

    def __init__(self, model: Model, image_shape: tuple[int, int, int]) -> None:
        self._model, self._image_shape = model, image_shape
        self._shapes = jax.eval_shape(model.init, jax.random.key(0))
        self._layers = [layer.layer for layer in jax.tree.leaves(model.kernels)]
        self._probes = {
            layer.layer: np.zeros(_units(layer), np.float32)
            for layer in jax.tree.leaves(model.kernels)
            if "c" not in layer.roles
        }
        self._compiled = jax.jit(jax.grad(self._pass, has_aux=True))
        background = ThreadPoolExecutor(max_workers=1)
        self._tried = background.submit(self._try)
        background.shutdown(wait=False)

    def __call__(self, kept: Mask) -> Paths:
        """Return the paths through the weights that a mask keeps."""
        known = self._tried.result()
        alive, outputs = self._alive(kept, 1)
        dead = {name: int(np.count_nonzero(~alive[name])) if name in known else None for name in self._layers}
        return Paths(int(outputs.sum()) if known else None, dead)

    def _try(self) -> tuple[str, ...]:
        """Return the names of the layers that this way of finding paths is right for."""
        dense = masks.ones(self._shapes, self._model.layer_types)
        alive, outputs = self._alive(dense, 1)
        _, of_zeros = self._alive(dense, 0)
        if of_zeros.any() or not outputs.all():
            return ()
        return tuple(name for name, units in alive.items() if units.all())

    def _alive(self, kept: Mask, pixel: float) -> tuple[Alive, Bool[np.ndarray, "outputs"]]:
        """Return which units are alive, and which outputs are not zero, for an image of equal pixels."""
        images = np.full((1, *self._image_shape), pixel, np.float32)
        marks, outputs = self._compiled(self._probes, kept, images)
        return {name: np.asarray(mark) > 0 for name, mark in marks.items()}, np.asarray(outputs)

    def _pass(
        self,
        probes: Mapping[str, jax.Array],
        kept: Mask,
        images: Float32[jax.Array, "1 height width channels"],
    ) -> tuple[Float32[jax.Array, ""], Bool[jax.Array, "outputs"]]:
        """Return the sum of the outputs, whose gradient in the probes marks the units, and the outputs."""
        of_kernels = flatten_dict(kept)
        params = {
            path: jnp.full(leaf.shape, path[-1] in MULTIPLIERS, leaf.dtype)
            if of_kernels[path] is None
            else of_kernels[path].astype(leaf.dtype)
            for path, leaf in flatten_dict(self._shapes).items()
        }
        with nn.intercept_methods(lambda *call: _intercepted(probes, *call)):
            outputs = self._model.apply(unflatten_dict(params), images)
        return outputs.sum(), outputs[0] != 0


def _units(layer: KernelShape) -> tuple[int, ...]:
    """Return the sizes of the dimensions of a kernel that are outputs; of one of unknown roles the last."""
    outputs = (size for size, role in zip(layer.shape, layer.roles, strict=bool(layer.roles)) if role == "o")
    return tuple(outputs) or layer.shape[-1:]


def _intercepted(
    probes: Mapping[str, jax.Array],
    call: Callable[..., Any],
    args: Any,
    kwargs: Any,
    context: nn.module.InterceptorContext,
) -> Any:
    """Call a method of a module; mark the result of a layer with a kernel."""
    layer = context.module
    if isinstance(layer, NORMALISATIONS):
        return args[0] if args else kwargs["x"]
    result, name = call(*args, **kwargs), "/".join(layer.path)
    if name not in probes or context.method_name != "__call__" or not isinstance(result, jax.Array):
        return result
    if isinstance(layer.parent, nn.MultiHeadDotProductAttention) and layer.name in ("query", "key"):
        return jax.lax.stop_gradient(result)
    return _marked(result, probes[name])


@jax.custom_vjp
def _marked(x: jax.Array, probe: jax.Array) -> jax.Array:
    """Return 1 where x is positive, else 0.

    The gradient of x is likewise 1 where the gradient of the result is positive. The gradient of the probe
    is 1 for units where both are, at any position.
    """
    return (x > 0).astype(x.dtype)


def _forward(x: jax.Array, probe: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _marked(x, probe), (x, probe)


def _backward(saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, probe = saved
    leads_on = gradient > 0
    positions = tuple(range(x.ndim - probe.ndim))
    return leads_on.astype(x.dtype), ((x > 0) & leads_on).any(positions).astype(probe.dtype)


_marked.defvjp(_forward, _backward)
