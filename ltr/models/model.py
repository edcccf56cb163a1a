"""Interface of networks: pure functions on a pytree of parameters, and the layer types of these."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Int64, PyTree

from ltr.core.types import LayerTypes, Logits, Params, PRNGKey
from ltr.errors import LtrError
from ltr.kernels import Images
from ltr.models.arithmetic import Arithmetic
from ltr.models.batch_norm import STATISTICS, batch_norm, has_kernels
from ltr.models.conv_forms import conv_form
from ltr.models.kernel_shape import KernelShape
from ltr.models.layer_types import LAYER_TYPES, LayerType, Parameter, by_module, kernel_roles
from ltr.models.packed import NO_PATTERNS, Patterns, sparse_products
from ltr.models.uses import Path, Use, traced
from ltr.models.winograd import has_winograd, winograd


class Model(NamedTuple):
    """A network as pure functions on its parameters.

    The running statistics of batch normalisation are parameters too, next to the scale and bias of their
    layer. They are saved, rewound and kept per lane like the weights. They have no gradient; each training
    step replaces them.

    Attributes:
        init: key -> parameters.
        apply: parameters, images -> logits. A further argument, by default empty, gives the patterns of
            packed kernels (see `ltr.models.packed`).
        train: parameters, images, key of dropout -> logits, and the running statistics after this batch for
            `with_statistics`. It takes patterns like `apply`.
        statistics: parameters, images, key of dropout -> statistics of this batch alone, for
            `with_statistics`; None if the network has no running statistics.
        layer_types: like the parameters: layer type of each prunable kernel, one of `LAYER_TYPES`, None
            elsewhere.
        num_positions: like the layer types: positions of an image at which each kernel is used; None for a
            kernel that cannot train packed (see `ltr.models.packed`).
        uses: like the layer types: number of products of an image, in the forward pass, that each weight
            takes part in. Taps that fall on padding do not count. It broadcasts to the kernel:
            [size, size, 1, 1] for a convolution, [1, 1] for a dense layer.
        kernels: like the layer types: the `KernelShape` of each kernel, with the roles of its dimensions.
        first: name of the layer that is called first; it needs no gradient of its inputs.
        input_layer: name of the dense layer that alone reads the images, if there is one and images have one
            channel. When packed it may read them as `ltr.kernels.Pixels`.
        winograd_layers: names of the layers that can compute by Winograd's filtering.
        batch_norms: names of the batch normalisations that the kernels can compute.
    """

    init: Callable[[PRNGKey], Params]
    apply: Callable[..., Logits]
    train: Callable[..., tuple[Logits, Params]]
    statistics: Callable[[Params, Images, PRNGKey], Params] | None
    layer_types: LayerTypes
    num_positions: PyTree[int]
    uses: PyTree[Int64[np.ndarray, "..."]]
    kernels: PyTree[KernelShape]
    first: str
    input_layer: str | None = None
    winograd_layers: tuple[str, ...] = ()
    batch_norms: tuple[str, ...] = ()


def with_statistics(params: Params, statistics: Params) -> Params:
    """Return the parameters with their running statistics replaced."""
    return unflatten_dict({**flatten_dict(params), **flatten_dict(statistics)})


def with_arithmetic(model: Model, arithmetic: Arithmetic) -> Model:
    """Return the network with its convolutions and normalisations in an arithmetic, unless packed.

    It cannot be differentiated twice. A method fuses the dense layers (see `ltr.models.fused`).
    """

    def within(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            tiles, norms, form = arithmetic.tiles, arithmetic.batch_norms, arithmetic.conv_form
            with winograd(tiles), batch_norm(norms), conv_form(form):
                return function(*arguments)

        return call

    return model._replace(
        apply=within(model.apply),
        train=within(model.train),
        statistics=within(model.statistics) if model.statistics else None,
    )


def from_linen(
    module: nn.Module,
    image_shape: tuple[int, int, int],
    input_layer: str | None = None,
    layer_type: LayerType = by_module,
) -> Model:
    """Return the `Model` of a Linen module whose arguments are images and `train`.

    Args:
        module: module of any layers; `nn.Dense` and `ltr.models.layers.Conv` can train packed.
        image_shape: (height, width, channels).
        input_layer: name of the dense layer that alone reads the images, if there is one.
        layer_type: rule for which parameters are pruned, and at which rate (see `ltr.models.layer_types`).

    Raises:
        LtrError: two parameters whose paths coincide when they are joined, as they are in checkpoints.
        ValueError: if another layer than `input_layer` reads the images first, or if `layer_type` gives a
            type that does not exist, or a type to a parameter that is not a kernel.
    """

    @functools.partial(jax.jit, inline=True)  # traced once, here and in `init`
    def collections(key: PRNGKey) -> Mapping[str, Params]:
        return module.init(key, jnp.zeros((1, *image_shape)), train=False)

    shapes, used, norms = traced(collections)
    _require_distinct([path for leaves in shapes.values() for path in flatten_dict(leaves)])
    running = set(flatten_dict(shapes.get(STATISTICS, {})))

    def init(key: PRNGKey) -> Params:
        drawn = collections(key)
        return with_statistics(drawn["params"], drawn.get(STATISTICS, {}))

    def variables(params: Params) -> dict[str, Params]:
        split: dict[str, Any] = {"params": {}, STATISTICS: {}}
        for path, leaf in flatten_dict(params).items():
            split[STATISTICS if path in running else "params"][path] = leaf
        return {name: unflatten_dict(leaves) for name, leaves in split.items()}

    def apply(params: Params, images: Images, patterns: Patterns = NO_PATTERNS) -> Logits:
        with sparse_products(patterns):
            return module.apply(variables(params), images, train=False)  # type: ignore[return-value]

    def train(
        params: Params, images: Images, key: PRNGKey, patterns: Patterns = NO_PATTERNS
    ) -> tuple[Logits, Params]:
        with sparse_products(patterns):
            logits, updated = module.apply(
                variables(params), images, train=True, rngs={"dropout": key}, mutable=[STATISTICS]
            )
        return logits, updated.get(STATISTICS, {})

    def statistics(params: Params, images: Images, key: PRNGKey) -> Params:
        """Return the statistics of a batch: the update of zero statistics, divided by 1 - momentum."""
        zero = {path: jnp.zeros_like(leaf) for path, leaf in flatten_dict(params).items() if path in running}
        _, updated = train(with_statistics(params, unflatten_dict(zero)), images, key)
        batch = {path: leaf / (1 - norms[path[:-1]].momentum) for path, leaf in flatten_dict(updated).items()}
        return unflatten_dict(batch)

    leaves = flatten_dict(jax.eval_shape(init, jax.random.key(0)))
    layer_types = {path: _layer_type(path, leaf, used, layer_type) for path, leaf in leaves.items()}
    first, *_ = used
    if input_layer and (first != (input_layer,) or used[first].num_positions is None):
        raise ValueError(f"input_layer={input_layer}: {'/'.join(first)} reads the images")

    def of_kernels(value: Callable[[Use, Any], Any]) -> PyTree:
        """Map the use and the shape of each prunable kernel to a value, in a tree like the parameters."""
        return unflatten_dict(
            {path: name and value(used[path[:-1]], leaves[path]) for path, name in layer_types.items()}
        )

    def kernel_shape(path: Path) -> KernelShape:
        layer, shape = used[path[:-1]].layer, leaves[path].shape
        groups = layer.feature_group_count if isinstance(layer, nn.Conv) else 1
        return KernelShape("/".join(path[:-1]), shape, kernel_roles(layer, len(shape)), groups)

    return Model(
        init,
        apply,
        train,
        statistics if running else None,
        unflatten_dict(layer_types),
        of_kernels(_num_positions),
        of_kernels(_products),
        unflatten_dict({path: name and kernel_shape(path) for path, name in layer_types.items()}),
        "/".join(first),
        input_layer if image_shape[-1] == 1 else None,
        tuple("/".join(path) for path, use in used.items() if has_winograd(use.layer)),
        tuple("/".join(path) for path, layer in norms.items() if has_kernels(layer)),
    )


def _require_distinct(paths: Sequence[Path]) -> None:
    """Raise LtrError if two parameters have the same path when its names are joined by dots or slashes.

    Checkpoints and exports join them by dots, and names of layers by slashes: of such parameters one would be
    saved in the place of the other.
    """
    for separator in "./":
        joined: dict[str, Path] = {}
        for path in paths:
            name = separator.join(path)
            if name in joined:
                raise LtrError(
                    f"{name}: the joined path of two parameters of the network, {joined[name]} and {path}; "
                    "rename one of their modules"
                )
            joined[name] = path


def _layer_type(path: Path, leaf: Any, used: Mapping[Path, Use], rule: LayerType) -> str | None:
    """Return the layer type of a parameter by a rule; ValueError if it is unknown or not of a kernel."""
    *owner, name = path
    use, last = used.get(tuple(owner)), [*used][-1]
    layer_type = rule(Parameter(path, leaf.shape, use and use.layer, tuple(owner) == last))
    if layer_type is not None and (layer_type not in LAYER_TYPES or name != "kernel" or use is None):
        raise ValueError(
            f"{'/'.join(path)}: layer type {layer_type}; must be one of {LAYER_TYPES} for the kernel of a "
            "layer that the network calls, and None for any other parameter"
        )
    return layer_type


def _num_positions(use: Use, kernel: Any) -> int | None:
    """Return the positions at which a kernel is used; None if several layers stack theirs, as in `nn.scan`.

    Such a kernel cannot be packed.
    """
    return use.num_positions if use.products.ndim == len(kernel.shape) else None


def _products(use: Use, kernel: Any) -> Int64[np.ndarray, "..."]:
    """Return the products with as many dimensions as the kernel."""
    return use.products.reshape((1,) * (len(kernel.shape) - use.products.ndim) + use.products.shape)
