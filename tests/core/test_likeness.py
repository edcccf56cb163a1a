"""Pytrees are alike if their arrays have the same names, shapes and types."""

from typing import Any

import jax
import numpy as np
import pytest

from ltr.core.likeness import difference

TREE = {"dense": {"kernel": np.ones((3, 2), np.float32), "bias": np.zeros(2, np.float32)}, "mask": None}


def test_values_do_not_count() -> None:
    assert difference(TREE, jax.tree.map(np.zeros_like, TREE)) == ""
    assert difference(TREE, jax.eval_shape(lambda: TREE)) == ""


@pytest.mark.parametrize(
    ("changed", "unlike"),
    [
        ({"kernel": np.ones((9,), np.float32)}, "dense.kernel is float32[3, 2] there and float32[9] here"),
        ({"kernel": np.ones((3, 2), np.int32)}, "dense.kernel is float32[3, 2] there and int32[3, 2] here"),
        ({"bias": None}, "dense.bias is float32[2] there and absent here"),
        ({"scale": np.ones(2, bool)}, "dense.scale is absent there and bool[2] here"),
    ],
)
def test_names_shapes_and_types_do(changed: dict[str, Any], unlike: str) -> None:
    assert difference(TREE, TREE | {"dense": TREE["dense"] | changed}) == unlike
