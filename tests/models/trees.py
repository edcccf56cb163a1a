"""Parameters by their path."""

from typing import Any

from flax.traverse_util import flatten_dict


def leaves(tree: Any) -> dict[str, Any]:
    """Every parameter by its path, as in `dense_1/kernel`."""
    return flatten_dict(tree, sep="/")
