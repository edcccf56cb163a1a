"""Networks without the units that nothing reaches, or that reach nothing: smaller, and the same function."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ltr.errors import ConfigError, LtrError

SAME = 1e-4
"""By how much logits of the narrower network may differ, of the largest of them: rounding."""

Dense = dict[str, np.ndarray]
"""A dense layer: `kernel` [in, out] and `bias` [out], float32."""


def compact(params: Mapping[str, Any]) -> dict[str, Dense]:
    """The same network of dense ReLU layers, in the order of their names, the output last, narrower.

    A unit without weights into it says the same of every image: what it says is added to the next
    layer's bias. A unit without weights out of it is left out. Inputs and outputs all stay.

    Raises:
        ConfigError: the network has other layers.
    """
    names = sorted(params, key=lambda name: (name == "output", name))
    for name in names:
        layer = params[name]
        if not isinstance(layer, Mapping) or set(layer) != {"kernel", "bias"} or layer["kernel"].ndim != 2:
            raise ConfigError(f"--compact: needs a network of dense layers, and {name} is none")
    layers = [{part: np.array(array) for part, array in params[name].items()} for name in names]
    while any(_drop_constant(*pair) | _drop_unused(*pair) for pair in itertools.pairwise(layers)):
        pass
    return dict(zip(names, layers, strict=True))


def proven(
    params: Mapping[str, Any], network: Callable[[np.ndarray], np.ndarray], images: np.ndarray
) -> dict[str, Dense]:
    """`compact`, of a network that is known to be one of dense ReLU layers.

    Args:
        params: its parameters.
        network: from normalised images to logits.
        images: float32 [count, ...], of which both have to make the same.

    Raises:
        ConfigError: the network has other layers.
        LtrError: it makes something else of its layers.
    """
    narrower, whole = compact(params), network(images)
    apart = float(np.abs(logits(narrower, images) - whole).max())
    if apart > SAME * np.abs(whole).max():
        raise LtrError(
            f"--compact: logits would differ by up to {apart:.2g}; this network needs all its units"
        )
    return narrower


def logits(layers: Mapping[str, Dense], images: np.ndarray) -> np.ndarray:
    """What a network of dense ReLU layers makes of normalised images [count, ...]: [count, classes]."""
    x = images.reshape(len(images), -1)
    for name, layer in layers.items():
        x = x @ layer["kernel"] + layer["bias"]
        x = x if name == list(layers)[-1] else np.maximum(x, 0)
    return x


def _drop_constant(layer: Dense, following: Dense) -> bool:
    """Leave out units that no weight goes into; whether there were any."""
    constant = ~(layer["kernel"] != 0).any(0)
    following["bias"] += np.maximum(layer["bias"][constant], 0) @ following["kernel"][constant]
    return _keep(layer, following, ~constant)


def _drop_unused(layer: Dense, following: Dense) -> bool:
    """Leave out units that no weight comes out of; whether there were any."""
    return _keep(layer, following, (following["kernel"] != 0).any(1))


def _keep(layer: Dense, following: Dense, kept: np.ndarray) -> bool:
    layer["kernel"], layer["bias"] = layer["kernel"][:, kept], layer["bias"][kept]
    following["kernel"] = following["kernel"][kept]
    return not kept.all()
