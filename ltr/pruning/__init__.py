"""Pruning: a criterion scores the weights, a selection takes the lowest away."""

from fractions import Fraction
from typing import Any

import jax

from ltr import masks
from ltr.config import Pruning, nearest
from ltr.errors import ConfigError
from ltr.pruning import selection
from ltr.pruning.criteria import CRITERIA, Criterion

SCOPES = {"layerwise": selection.layerwise, "global": selection.globally}


def criterion(config: Pruning) -> Criterion:
    """The criterion a configuration names; ConfigError if there is none."""
    if config.criterion not in CRITERIA:
        name = config.criterion
        raise ConfigError(f"pruning.criterion={name}: unknown criterion; {nearest(name, CRITERIA)}")
    return CRITERIA[config.criterion]


def layer_rates(config: Pruning, prune_rate: float, kinds: Any) -> Any:
    """The `Fraction` to prune of each layer in a round, by its kind (see `ltr.models.KINDS`).

    ConfigError if a rate is 1 or more, or if global pruning is asked for with unequal rates.
    """
    rates = {}
    for kind, multiple in vars(config.rates).items():
        rates[kind] = Fraction(str(multiple)) * Fraction(str(prune_rate))
        if rates[kind] >= 1:
            raise ConfigError(
                f"pruning.rates.{kind}={multiple}: times prune_rate={prune_rate} must be less than 1"
            )
    used = {kind for kind in jax.tree.leaves(kinds) if rates[kind]}
    if config.scope == "global" and len({rates[kind] for kind in used}) > 1:
        raise ConfigError("pruning.scope=global: pruning.rates must be equal, or 0 for layers never pruned")
    return masks.tree_map(lambda kind: None if kind is None else rates[kind], kinds)


def prune(config: Pruning, initial: Any, trained: Any, mask: Any, rates: Any) -> Any:
    """The next round's mask, a subset of `mask`; LtrError if a layer would be emptied."""
    scores = criterion(config)(initial, trained)
    pruned = SCOPES[config.scope](scores, mask, rates)
    selection.require_alive(pruned)
    return pruned
