"""What a network is to the rest of ltr: pure functions, and what may be pruned."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from ltr.kernels import Images
from ltr.models.layers import Conv, Dense

LAYER_TYPES = ("conv", "dense", "output", "shortcut")
"""The kinds of layers that may be pruned, each at its own rate."""

STATISTICS = "batch_stats"
"""Linen's collection of running statistics."""


class Model(NamedTuple):
    """A network as pure functions on a pytree of float32 parameters.

    The running statistics of batch normalisation are parameters too, beside the scale and bias of
    their layer: they are saved, rewound and kept per lane with the weights. No gradient moves them;
    training replaces them.

    Attributes:
        init: key -> parameters.
        apply: parameters, images float32 [batch, height, width, channels] -> logits [batch, classes].
        train: parameters, images, key (of dropout) -> logits, and the statistics after this batch,
            for `with_statistics`.
        statistics: parameters, images, key (of dropout) -> the statistics of this batch alone, for
            `with_statistics`; None of a network without running statistics.
        layer_types: like the parameters; a kind of `LAYER_TYPES` for a prunable kernel, None elsewhere.
        num_positions: like the kinds; at how many places of an image a kernel is used, None of one that
            cannot train packed (see `ltr.engine.packing`): of a layer that is none of `ltr.models.layers`.
        uses: like the kinds; of how many products of an image, forward, each weight is a factor: int64 that
            broadcasts to the kernel, [height, width, 1, 1] of a convolution, [1, 1] of a dense layer. Taps
            that fall on padding count for nothing, except in layers other than those of `ltr.models.layers`.
        first: the name of the layer that is used first; no one asks for the gradient of its inputs.
        input_layer: name of the dense layer that alone reads the images, if there is one and they have one
            channel. Where it is packed, it may read them as `ltr.kernels.Pixels`.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, Images], jax.Array]
    train: Callable[[Any, Images, jax.Array], tuple[jax.Array, Any]]
    statistics: Callable[[Any, Images, jax.Array], Any] | None
    layer_types: Any
    num_positions: Any
    uses: Any
    first: str
    input_layer: str | None = None


def with_statistics(params: Any, statistics: Any) -> Any:
    """The parameters with these statistics in place of theirs."""
    return unflatten_dict({**flatten_dict(params), **flatten_dict(statistics)})


def from_linen(module: nn.Module, image_shape: tuple[int, int, int], input_layer: str | None = None) -> Model:
    """A `Model` of a Linen module that is called with images and whether it trains.

    Its layers with a kernel are named by their kind: `conv_1`, `dense_1`, `shortcut`, ..., `output`.
    `input_layer` names the `Dense` layer that alone is given the images, where there is one.
    """

    def collections(key: jax.Array) -> Any:
        return module.init(key, jnp.zeros((1, *image_shape)), train=False)

    moving = set(flatten_dict(jax.eval_shape(collections, jax.random.key(0)).get(STATISTICS, {})))

    def init(key: jax.Array) -> Any:
        drawn = collections(key)
        return with_statistics(drawn["params"], drawn.get(STATISTICS, {}))

    def variables(params: Any) -> dict[str, Any]:
        split: dict[str, Any] = {"params": {}, STATISTICS: {}}
        for path, leaf in flatten_dict(params).items():
            split[STATISTICS if path in moving else "params"][path] = leaf
        return {name: unflatten_dict(leaves) for name, leaves in split.items()}

    def apply(params: Any, images: Images) -> jax.Array:
        return module.apply(variables(params), images, train=False)  # type: ignore[return-value]

    def train(params: Any, images: Images, key: jax.Array) -> tuple[jax.Array, Any]:
        logits, moved = module.apply(
            variables(params), images, train=True, rngs={"dropout": key}, mutable=[STATISTICS]
        )
        return logits, moved.get(STATISTICS, {})

    def statistics(params: Any, images: Images, key: jax.Array) -> Any:
        """Return what a batch adds to statistics of zero, over the share that it is taken in with."""
        zero = {path: jnp.zeros_like(leaf) for path, leaf in flatten_dict(params).items() if path in moving}
        _, added = train(with_statistics(params, unflatten_dict(zero)), images, key)
        taken = {path: leaf / (1 - momenta[path[:-1]]) for path, leaf in flatten_dict(added).items()}
        return unflatten_dict(taken)

    shapes = jax.eval_shape(init, jax.random.key(0))
    layer_types = jax.tree.map_with_path(_kind, shapes)
    used, momenta = _uses(collections), _momenta(collections)

    def uses(path: tuple[Any, ...], _: Any) -> np.ndarray:
        return used[_layer(path)].uses

    def num_positions(path: tuple[Any, ...], _: Any) -> int | None:
        use = used[_layer(path)]
        return use.num_positions if use.packs else None

    prunable = jax.tree.map(
        lambda kind, shape: kind and shape, layer_types, shapes, is_leaf=lambda leaf: leaf is None
    )
    used_at, used_in = (jax.tree.map_with_path(of_layer, prunable) for of_layer in (num_positions, uses))
    first = "/".join(head := next(iter(used)))
    if input_layer and (first != input_layer or not used[head].packs):
        raise ValueError(f"reads={input_layer}: it is {first} that is given the images")
    pixels = input_layer if image_shape[-1] == 1 else None
    of_batch = statistics if moving else None
    return Model(init, apply, train, of_batch, layer_types, used_at, used_in, first, pixels)


def _layer(path: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(entry.key for entry in path[:-1])


class _Use(NamedTuple):
    """At how many places of an image a layer uses its kernel, each weight in how many products of an image.

    `packs`: whether it takes a packed kernel.
    """

    num_positions: int
    uses: np.ndarray
    packs: bool


def _uses(init: Callable[[jax.Array], Any]) -> dict[tuple[str, ...], _Use]:
    """What layers with a kernel do with it, by path, in the order of use."""
    found = {}

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        result = call(*args, **kwargs)
        if context.method_name == "__call__" and context.module.has_variable("params", "kernel"):
            layer, num_positions = context.module, math.prod(result.shape[1:-1])
            packs = isinstance(layer, Dense | Conv)
            uses = layer.uses(args[0].shape) if packs else np.full((1, 1), num_positions)
            found[layer.path] = _Use(num_positions, uses, packs)
        return result

    with nn.intercept_methods(note):
        jax.eval_shape(lambda key: init(key), jax.random.key(0))  # a function that is not traced yet
    return found


def _momenta(init: Callable[[jax.Array], Any]) -> dict[tuple[str, ...], float]:
    """Return, by the path of each batch normalisation, what share of its statistics outlives a batch."""
    found = {}

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, nn.BatchNorm):
            found[context.module.path] = context.module.momentum
        return call(*args, **kwargs)

    with nn.intercept_methods(note):
        jax.eval_shape(lambda key: init(key), jax.random.key(0))  # a function that is not traced yet
    return found


def _kind(path: tuple[Any, ...], _: Any) -> str | None:
    *_, layer, parameter = (entry.key for entry in path)
    kind = str(layer).partition("_")[0]
    if parameter != "kernel":
        return None
    if kind not in LAYER_TYPES:
        raise ValueError(f"layer {layer}: a layer with a kernel is named by its kind, one of {LAYER_TYPES}")
    return kind
