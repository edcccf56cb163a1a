"""Pruning of a round: a criterion scores the weights, and those of highest score are kept."""

from typing import Any

import jax
import numpy as np

from ltr.config.schema import LayerRates, Pruning
from ltr.core import masks, rng
from ltr.pruning import selection
from ltr.pruning.criteria import PruningInput
from ltr.pruning.registry import CRITERIA, SCOPES, SIGNS


def scores(config: Pruning, evidence: PruningInput) -> Any:
    """What each weight is worth: the configured criterion, and nothing at all where the signs are wrong."""
    worth, right = CRITERIA[config.criterion].load()(evidence), SIGNS[config.sign].load()

    def layer(kept: Any, score: Any, initial: Any, trained: Any) -> Any:
        return None if kept is None else np.where(right(initial, trained), score, -np.inf)

    return masks.tree_map(layer, evidence.mask, worth, evidence.initial, evidence.trained)


def prune(config: Pruning, layer_types: Any, evidence: PruningInput, target: Any) -> Any:
    """Return the next round's mask; LtrError if a layer would be emptied. Arguments as for `select`."""
    pruned = select(config, layer_types, evidence, target)
    selection.require_alive(pruned)
    return pruned


def select(config: Pruning, layer_types: Any, evidence: PruningInput, target: Any) -> Any:
    """Return the subset of the evidence's mask that scores highest, in which a layer may be empty.

    Args:
        config: criterion, signs and scope, and which kinds of layers are never pruned.
        layer_types: see `ltr.models.Model`; a layer with a mask but no kind is not pruned (scope global).
        evidence: the round before.
        target: how many weights are kept (see `ltr.pruning.targets`).
    """
    worth, key = scores(config, evidence), rng.fold(evidence.key, "ties")
    if SCOPES[config.scope].compares_layers:
        return selection.globally(spare(worth, layer_types, config.rates), evidence.mask, target, key)
    return selection.layerwise(worth, evidence.mask, target, key)


def pruned(layer_types: Any, rates: LayerRates) -> Any:
    """The kinds, None of layers that are never pruned."""
    return jax.tree.map(lambda kind: kind if getattr(rates, kind) else None, layer_types)


def spare(worth: Any, layer_types: Any, rates: LayerRates) -> Any:
    """The scores, infinite in layers that are never pruned: without a kind, or of rate 0."""

    def layer(kind: str | None, score: Any) -> Any:
        is_spared = score is not None and (kind is None or not getattr(rates, kind))
        return np.full(score.shape, np.inf, np.float32) if is_spared else score

    return masks.tree_map(layer, layer_types, worth)
