"""A pruning criterion."""

from typing import Any

import numpy as np

from ltr.core import masks
from ltr.pruning.criteria import PruningInput


def growth(of: PruningInput) -> Any:
    """|theta_T| / |theta_0|, float32 like the mask; 1e-8 is added to both, as either may be 0."""
    return masks.tree_map(
        lambda kept, initial, trained: (
            None if kept is None else (np.abs(trained) + 1e-8) / (np.abs(initial) + 1e-8)
        ),
        of.mask,
        of.initial,
        of.trained,
    )
