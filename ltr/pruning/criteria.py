"""Criteria: what a weight is worth. The weights of lowest score are pruned."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

Criterion = Callable[[Any, Any], Any]
"""Initial weights, trained weights -> scores: float32 pytrees of one structure, NumPy."""


def magnitude(initial: Any, trained: Any) -> Any:
    """|theta_T| (Frankle & Carbin, 2019; "large_final" of Zhou et al., 2019)."""
    return jax.tree.map(np.abs, trained)


CRITERIA: dict[str, Criterion] = {"magnitude": magnitude}
