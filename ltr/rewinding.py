"""Rewinding: what the survivors of a pruning are reset to."""

from collections.abc import Callable
from typing import Any

from ltr import masks
from ltr.config import Rewind, nearest
from ltr.errors import ConfigError


def weights(mask: Any, trained: Any, origin: Any) -> Any:
    """The weights at the rewind step, masked.

    Step 0 is the initialisation (Frankle & Carbin, 2019); later steps are Frankle et al. (2020).
    """
    return masks.apply(mask, origin)


REWINDINGS: dict[str, Callable[[Any, Any, Any], Any]] = {"weights": weights}
"""Mask, trained weights, weights at the rewind step -> weights the next round starts from."""


def check(config: Rewind) -> None:
    """ConfigError for a rewinding that there is not."""
    if config.name not in REWINDINGS:
        raise ConfigError(f"rewind.name={config.name}: unknown rewinding; {nearest(config.name, REWINDINGS)}")
