"""Rewinding: what a pruned network starts from."""

from typing import Any

from ltr.core import masks


def at_the_rewind_step(mask: Any, trained: Any, origin: Any) -> Any:
    """The weights at the rewind step, masked."""
    return masks.apply(mask, origin)


def as_trained(mask: Any, trained: Any, origin: Any) -> Any:
    """The weights after training, masked."""
    return masks.apply(mask, trained)
