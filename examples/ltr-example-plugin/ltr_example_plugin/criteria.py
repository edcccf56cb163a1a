"""Pruning criterion: the growth of a weight."""

from typing import Any

import numpy as np

from ltr.core import masks
from ltr.pruning.criteria import PruningInput


def growth(inputs: PruningInput) -> Any:
    """Score by |theta_T| / |theta_0|; 1e-8 is added to both, because either may be 0."""
    return masks.tree_map(
        lambda kept, initial, trained: (
            None if kept is None else (np.abs(trained) + 1e-8) / (np.abs(initial) + 1e-8)
        ),
        inputs.mask,
        inputs.initial,
        inputs.trained,
    )
