"""What a network is to the rest of ltr: pure functions, and what may be pruned."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from ltr.kernels import Images
from ltr.models.kernel_shape import KernelShape
from ltr.models.layer_types import LAYER_TYPES, LayerType, Parameter, by_module, kernel_roles
from ltr.models.packed import NO_PATTERNS, Patterns, sparse_products
from ltr.models.uses import Path, Use, uses

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
            for `with_statistics`. Both take the patterns of packed kernels, too (see `ltr.models.packed`),
            which by default are none.
        statistics: parameters, images, key (of dropout) -> the statistics of this batch alone, for
            `with_statistics`; None of a network without running statistics.
        layer_types: like the parameters; the type of a prunable kernel, one of `LAYER_TYPES`, None elsewhere.
        num_positions: like the layer types; at how many positions of an image a kernel is used, None of
            one that cannot train packed (see `ltr.models.packed`).
        uses: like the layer types; of how many products of an image, forward, each weight is a factor:
            int64 that broadcasts to the kernel, [height, width, 1, 1] of a convolution, [1, 1] of a dense
            layer. Taps that fall on padding count for nothing.
        kernels: like the layer types; the `KernelShape` of a kernel: which of its dimensions are inputs.
        first: the name of the layer that is used first; no one asks for the gradient of its inputs.
        input_layer: name of the dense layer that alone reads the images, if there is one and they have one
            channel. Where it is packed, it may read them as `ltr.kernels.Pixels`.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[..., jax.Array]
    train: Callable[..., tuple[jax.Array, Any]]
    statistics: Callable[[Any, Images, jax.Array], Any] | None
    layer_types: Any
    num_positions: Any
    uses: Any
    kernels: Any
    first: str
    input_layer: str | None = None


def with_statistics(params: Any, statistics: Any) -> Any:
    """The parameters with these statistics in place of theirs."""
    return unflatten_dict({**flatten_dict(params), **flatten_dict(statistics)})


def from_linen(
    module: nn.Module,
    image_shape: tuple[int, int, int],
    input_layer: str | None = None,
    layer_type: LayerType = by_module,
) -> Model:
    """A `Model` of a Linen module that is called with images and whether it trains.

    Args:
        module: of any layers; `nn.Dense` and those of `ltr.models.layers` can train packed.
        image_shape: [height, width, channels].
        input_layer: the dense layer that alone is given the images, where there is one.
        layer_type: which parameters are pruned, and at which rate (see `ltr.models.layer_types`).
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

    def apply(params: Any, images: Images, patterns: Patterns = NO_PATTERNS) -> jax.Array:
        with sparse_products(patterns):
            return module.apply(variables(params), images, train=False)  # type: ignore[return-value]

    def train(
        params: Any, images: Images, key: jax.Array, patterns: Patterns = NO_PATTERNS
    ) -> tuple[jax.Array, Any]:
        with sparse_products(patterns):
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

    shapes = flatten_dict(jax.eval_shape(init, jax.random.key(0)))
    used, momenta = uses(collections), _momenta(collections)
    layer_types = {path: _kind(path, leaf, used, layer_type) for path, leaf in shapes.items()}
    head, *_ = used
    if input_layer and (head != (input_layer,) or used[head].num_positions is None):
        raise ValueError(f"input_layer={input_layer}: it is {'/'.join(head)} that is given the images")

    def of_kernels(value: Callable[[Use, Any], Any]) -> Any:
        """Like the parameters: a value of the use and the shape of each prunable kernel."""
        return unflatten_dict(
            {path: kind and value(used[path[:-1]], shapes[path]) for path, kind in layer_types.items()}
        )

    def kernel_shape(path: Path) -> KernelShape:
        layer, shape = used[path[:-1]].layer, shapes[path].shape
        groups = layer.feature_group_count if isinstance(layer, nn.Conv) else 1
        return KernelShape("/".join(path[:-1]), shape, kernel_roles(layer, len(shape)), groups)

    return Model(
        init,
        apply,
        train,
        statistics if moving else None,
        unflatten_dict(layer_types),
        of_kernels(_places),
        of_kernels(_products),
        unflatten_dict({path: kind and kernel_shape(path) for path, kind in layer_types.items()}),
        "/".join(head),
        input_layer if image_shape[-1] == 1 else None,
    )


def _kind(path: Path, leaf: Any, used: Mapping[Path, Use], layer_type: LayerType) -> str | None:
    """The layer type of a parameter; ValueError for one that there is not, or of what is no kernel."""
    *owner, name = path
    use, last = used.get(tuple(owner)), [*used][-1]
    kind = layer_type(Parameter(path, leaf.shape, use and use.layer, tuple(owner) == last))
    if kind is not None and (kind not in LAYER_TYPES or name != "kernel" or use is None):
        raise ValueError(
            f"{'/'.join(path)}: layer type {kind}; must be one of {LAYER_TYPES} for the kernel of a layer "
            "that the network calls, and None for any other parameter"
        )
    return kind


def _places(use: Use, kernel: Any) -> int | None:
    """None of a kernel that several layers hold together, as in `nn.scan`: it cannot be packed."""
    return use.num_positions if use.products.ndim == len(kernel.shape) else None


def _products(use: Use, kernel: Any) -> np.ndarray:
    """With as many dimensions as the kernel."""
    return use.products.reshape((1,) * (len(kernel.shape) - use.products.ndim) + use.products.shape)


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
