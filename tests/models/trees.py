"""Parameters of networks: by their path, and drawn."""

from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from ltr.models.model import Model


def leaves(tree: Any) -> dict[str, Any]:
    """Every parameter by its path, as in `dense_1/kernel`."""
    return flatten_dict(tree, sep="/")


def drawn(model: Model) -> Any:
    """Parameters of a network as no initialisation has them, without compiling one."""
    generator = np.random.default_rng(0)

    def draw(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        low = 0.5 if path[-1].key in ("scale", "var") else -0.5
        return generator.uniform(low, low + 1, leaf.shape).astype(np.float32)

    return jax.tree.map_with_path(draw, jax.eval_shape(model.init, jax.random.key(0)))
