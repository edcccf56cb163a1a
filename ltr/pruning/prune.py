"""Pruning of a round: a criterion scores the weights, and the weights of highest score are kept."""

from typing import Any

import jax
import numpy as np

from ltr.config.schema import LayerRates, Pruning
from ltr.core import masks, rng
from ltr.core.types import LayerTypes, Mask, Scores
from ltr.pruning import selection
from ltr.pruning.criteria import PruningInput
from ltr.pruning.registry import CRITERIA, SCOPES, SIGNS
from ltr.pruning.targets import Target


def scores(config: Pruning, inputs: PruningInput) -> Scores:
    """Return the scores of the configured criterion, -inf for weights that the sign condition rejects."""
    by_criterion, has_sign = CRITERIA[config.criterion].load()(inputs), SIGNS[config.sign].load()

    def layer(kept: Any, score: Any, initial: Any, trained: Any) -> Any:
        return None if kept is None else np.where(has_sign(initial, trained), score, -np.inf)

    return masks.tree_map(layer, inputs.mask, by_criterion, inputs.initial, inputs.trained)


def select(config: Pruning, layer_types: LayerTypes, inputs: PruningInput, target: Target) -> Mask:
    """Return the mask of the survivors of highest score; a layer may be empty in it.

    Args:
        config: criterion, sign condition, scope, and layer types that are never pruned (rate 0).
        layer_types: see `ltr.models.model.Model`; with scope global a layer that has a mask but no layer type
            is not pruned.
        inputs: weights and mask of the round before.
        target: number of weights to keep (see `ltr.pruning.targets`).
    """
    scored, key = scores(config, inputs), rng.fold(inputs.key, "ties")
    if SCOPES[config.scope].compares_layers:
        return selection.globally(spare(scored, layer_types, config.rates), inputs.mask, target, key)
    return selection.layerwise(scored, inputs.mask, target, key)


def prunable(layer_types: LayerTypes, rates: LayerRates) -> LayerTypes:
    """Return the layer types, with None for layers of rate 0, which are never pruned."""
    return jax.tree.map(lambda name: name if getattr(rates, name) else None, layer_types)


def spare(scores: Scores, layer_types: LayerTypes, rates: LayerRates) -> Scores:
    """Return the scores, infinite in layers that are never pruned: without a layer type, or of rate 0."""

    def layer(layer_type: str | None, score: Any) -> Any:
        is_spared = score is not None and (layer_type is None or not getattr(rates, layer_type))
        return np.full(score.shape, np.inf, np.float32) if is_spared else score

    return masks.tree_map(layer, layer_types, scores)
