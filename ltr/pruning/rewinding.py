"""Rewinding: what a pruned network starts from."""

from typing import Any

from ltr.core import masks


def at_the_rewind_step(mask: Any, trained: Any, rewind_params: Any) -> Any:
    """The weights at the rewind step, masked."""
    return masks.apply(mask, rewind_params)


def as_trained(mask: Any, trained: Any, rewind_params: Any) -> Any:
    """The weights after training, masked."""
    return masks.apply(mask, trained)
