"""Pruning: a criterion scores the weights, a target says how many stay, a selection keeps the highest."""

from typing import Any

import jax
import numpy as np

from ltr import masks
from ltr.config import LayerRates, Pruning
from ltr.errors import ConfigError
from ltr.pruning import selection
from ltr.pruning.criteria import CRITERIA, SIGNS, Evidence
from ltr.suggestions import nearest


def check(config: Pruning) -> None:
    """ConfigError for a criterion that there is not."""
    if config.criterion not in CRITERIA:
        name = config.criterion
        raise ConfigError(f"pruning.criterion={name}: unknown criterion; {nearest(name, CRITERIA)}")


def scores(config: Pruning, evidence: Evidence) -> Any:
    """What each weight is worth: the configured criterion, and nothing at all where the signs are wrong."""
    worth, right = CRITERIA[config.criterion](evidence), SIGNS[config.sign]

    def layer(kept: Any, score: Any, initial: Any, trained: Any) -> Any:
        return None if kept is None else np.where(right(initial, trained), score, -np.inf)

    return masks.tree_map(layer, evidence.mask, worth, evidence.initial, evidence.trained)


def prune(config: Pruning, kinds: Any, evidence: Evidence, target: Any) -> Any:
    """The next round's mask, a subset of the evidence's; LtrError if a layer would be emptied.

    Args:
        config: criterion, signs and scope, and which kinds of layers are never pruned.
        kinds: see `ltr.models.Model`.
        evidence: the round before.
        target: how many weights are kept (see `ltr.pruning.targets`).
    """
    worth = scores(config, evidence)
    if config.scope == "global":
        pruned = selection.globally(spare(worth, kinds, config.rates), evidence.mask, target)
    else:
        pruned = selection.layerwise(worth, evidence.mask, target)
    selection.require_alive(pruned)
    return pruned


def pruned(kinds: Any, rates: LayerRates) -> Any:
    """The kinds, None of layers that are never pruned."""
    return jax.tree.map(lambda kind: kind if getattr(rates, kind) else None, kinds)


def spare(worth: Any, kinds: Any, rates: LayerRates) -> Any:
    """The scores, infinite in layers that are never pruned."""

    def layer(kind: str | None, score: Any) -> Any:
        return score if kind is None or getattr(rates, kind) else np.full(score.shape, np.inf, np.float32)

    return masks.tree_map(layer, kinds, worth)
