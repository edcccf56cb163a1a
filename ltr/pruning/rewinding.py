"""Rewinding: weights from which a pruned network starts."""

from typing import Any

from ltr.core import masks


def at_the_rewind_step(mask: Any, trained: Any, rewind_params: Any) -> Any:
    """Return the weights at the rewind step, masked."""
    return masks.apply(mask, rewind_params)


def as_trained(mask: Any, trained: Any, rewind_params: Any) -> Any:
    """Return the trained weights, masked."""
    return masks.apply(mask, trained)
