"""Rewinding: weights from which a pruned network starts."""

from ltr.core import masks
from ltr.core.types import Mask, Params


def at_the_rewind_step(mask: Mask, trained: Params, rewind_params: Params) -> Params:
    """Return the weights at the rewind step, masked."""
    return masks.apply(mask, rewind_params)


def as_trained(mask: Mask, trained: Params, rewind_params: Params) -> Params:
    """Return the trained weights, masked."""
    return masks.apply(mask, trained)
