"""Removal of dead units: a smaller network that computes the same function."""

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from ltr.errors import ConfigError, LtrError

SAME = 1e-4
"""Largest difference of logits from rounding, as a fraction of the largest logit."""

Dense = dict[str, np.ndarray]
"""A dense layer: `kernel` [in, out] and `bias` [out], float32."""


def compact(params: Mapping[str, Any]) -> dict[str, Dense]:
    """Remove dead units from a network of dense ReLU layers.

    A unit without incoming weights has the same activation for every image: its contribution is added to the
    next layer's bias. A unit without outgoing weights is removed. All inputs and outputs stay.

    Args:
        params: a `kernel` [in, out] and `bias` [out] for each layer. Layers are applied in the order of
            their names (`dense_2` before `dense_10`), `output` last.

    Raises:
        ConfigError: the network has other layers, or is not a chain.
    """
    names = sorted(params, key=lambda name: (name == "output", _natural(name)))
    for name in names:
        layer = params[name]
        if not isinstance(layer, Mapping) or set(layer) != {"kernel", "bias"} or layer["kernel"].ndim != 2:
            raise ConfigError(f"--compact: needs a network of dense layers, and {name} is not dense")
    layers = [{part: np.array(array) for part, array in params[name].items()} for name in names]
    for name, layer, following in zip(names, layers, layers[1:], strict=False):
        if layer["kernel"].shape[1] != following["kernel"].shape[0]:
            raise ConfigError(f"--compact: needs a chain of dense layers; {name} does not lead to the next")
    while any(_drop_constant(*pair) | _drop_unused(*pair) for pair in itertools.pairwise(layers)):
        pass
    return dict(zip(names, layers, strict=True))


def checked(
    params: Mapping[str, Any],
    network: Callable[[np.ndarray], np.ndarray],
    images: Float32[np.ndarray, "count height width channels"],
) -> dict[str, Dense]:
    """Return `compact(params)` after a check that it gives the same logits as the network.

    Args:
        params: parameters of the network.
        network: function from normalised images to logits.
        images: normalised images for the check.

    Raises:
        ConfigError: the network has other layers, or is not a chain.
        LtrError: the logits differ, so the network is not a chain of dense ReLU layers.
    """
    narrower, original = compact(params), network(images)
    name, first = next(iter(narrower.items()))
    if first["kernel"].shape[0] != images[0].size:
        raise ConfigError(f"--compact: needs a chain of dense layers; {name} does not read whole images")
    difference = float(np.abs(logits(narrower, images) - original).max())
    if difference > SAME * np.abs(original).max():
        raise LtrError(
            f"--compact: logits would differ by up to {difference:.2g}; this network needs all its units"
        )
    return narrower


def logits(
    layers: Mapping[str, Dense], images: Float32[np.ndarray, "count height width channels"]
) -> Float32[np.ndarray, "count classes"]:
    """Return the logits of a network of dense ReLU layers for normalised images."""
    x = images.reshape(len(images), -1)
    for name, layer in layers.items():
        x = x @ layer["kernel"] + layer["bias"]
        x = x if name == list(layers)[-1] else np.maximum(x, 0)
    return x


def _natural(name: str) -> list[str | int]:
    """Return a key by which names are sorted with their numbers in numerical order."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _drop_constant(layer: Dense, following: Dense) -> bool:
    """Remove units without incoming weights; return whether there were any."""
    constant = ~(layer["kernel"] != 0).any(0)
    following["bias"] += np.maximum(layer["bias"][constant], 0) @ following["kernel"][constant]
    return _keep(layer, following, ~constant)


def _drop_unused(layer: Dense, following: Dense) -> bool:
    """Remove units without outgoing weights; return whether there were any."""
    return _keep(layer, following, (following["kernel"] != 0).any(1))


def _keep(layer: Dense, following: Dense, kept: Bool[np.ndarray, "units"]) -> bool:
    layer["kernel"], layer["bias"] = layer["kernel"][:, kept], layer["bias"][kept]
    following["kernel"] = following["kernel"][kept]
    return not kept.all()
