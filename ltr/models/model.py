"""What a network is to the rest of ltr: pure functions, and what may be pruned."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from ltr.kernels import Images
from ltr.models.layers import Conv, Dense

KINDS = ("conv", "dense", "output", "shortcut")
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
        kinds: like the parameters; a kind of `KINDS` for a prunable kernel, None elsewhere.
        places: like the kinds; at how many places of an image a kernel is used, None of one that
            cannot train packed (see `ltr.packing`): of a layer that is none of `ltr.models.layers`.
        operations: like the kinds; what a kernel costs in a training step, in floating-point operations
            of each image: its products forward, backward to its weights, and backward to its inputs,
            except in the first layer, where no one asks for them.
        reads: the dense layer that alone is given the images, if there is one and they have one channel:
            where it is packed, it may be given them as `ltr.kernels.Pixels`.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, Images], jax.Array]
    train: Callable[[Any, Images, jax.Array], tuple[jax.Array, Any]]
    kinds: Any
    places: Any
    operations: Any
    reads: str | None = None


def with_statistics(params: Any, statistics: Any) -> Any:
    """The parameters with these statistics in place of theirs."""
    return unflatten_dict({**flatten_dict(params), **flatten_dict(statistics)})


def from_linen(module: nn.Module, image_shape: tuple[int, int, int], reads: str | None = None) -> Model:
    """A `Model` of a Linen module that is called with images and whether it trains.

    Its layers with a kernel are named by their kind: `conv_1`, `dense_1`, `shortcut`, ..., `output`.
    `reads` names the `Dense` layer that alone is given the images, where there is one.
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

    shapes = jax.eval_shape(init, jax.random.key(0))
    kinds = jax.tree.map_with_path(_kind, shapes)
    used = _uses(collections)

    def operations(path: tuple[Any, ...], shape: jax.ShapeDtypeStruct) -> int:
        products = 2 if _layer(path) == next(iter(used)) else 3
        return 2 * products * shape.size * used[_layer(path)].places

    def places(path: tuple[Any, ...], _: Any) -> int | None:
        use = used[_layer(path)]
        return use.places if use.packs else None

    prunable = jax.tree.map(
        lambda kind, shape: kind and shape, kinds, shapes, is_leaf=lambda leaf: leaf is None
    )
    by_layer = (jax.tree.map_with_path(of_layer, prunable) for of_layer in (places, operations))
    first = next(iter(used))
    if reads and (first != (reads,) or not used[first].packs):
        raise ValueError(f"reads={reads}: it is {'/'.join(first)} that is given the images")
    return Model(init, apply, train, kinds, *by_layer)._replace(reads=reads if image_shape[-1] == 1 else None)


def _layer(path: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(entry.key for entry in path[:-1])


class _Use(NamedTuple):
    """At how many places of an image a layer uses a weight, and whether it takes a packed kernel."""

    places: int
    packs: bool


def _uses(init: Callable[[jax.Array], Any]) -> dict[tuple[str, ...], _Use]:
    """What layers with a kernel do with it, by path, in the order of use."""
    found = {}

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        result = call(*args, **kwargs)
        if context.method_name == "__call__" and context.module.has_variable("params", "kernel"):
            packs = isinstance(context.module, Dense | Conv)
            found[context.module.path] = _Use(math.prod(result.shape[1:-1]), packs)
        return result

    with nn.intercept_methods(note):
        jax.eval_shape(lambda key: init(key), jax.random.key(0))  # a function that is not traced yet
    return found


def _kind(path: tuple[Any, ...], _: Any) -> str | None:
    *_, layer, parameter = (entry.key for entry in path)
    kind = str(layer).partition("_")[0]
    if parameter != "kernel":
        return None
    if kind not in KINDS:
        raise ValueError(f"layer {layer}: a layer with a kernel is named by its kind, one of {KINDS}")
    return kind
