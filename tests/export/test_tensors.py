"""Named arrays, and kernels in compressed rows."""

import numpy as np
from scipy import sparse

from ltr.export import as_sparse, named, sizes
from ltr.models.kernel_shape import KernelShape

TREE = {
    "conv_1": {"kernel": np.ones((3, 3, 2, 4), np.float32), "bias": None},
    "norm": {"a": {"b": np.arange(3)}},
}


def test_names_are_paths() -> None:
    assert {name: array.shape for name, array in named(TREE, ".x").items()} == {
        "conv_1.kernel.x": (3, 3, 2, 4),
        "norm.a.b.x": (3,),
    }


def test_rows_are_those_of_the_kernel() -> None:
    generator = np.random.default_rng(0)
    kept = generator.random((3, 3, 2, 4)) < 0.3
    kernel = np.where(kept, generator.normal(size=kept.shape), 0).astype(np.float32)
    kernel[tuple(index[0] for index in np.nonzero(kept))] = 0  # kept, and zero by chance
    shapes = {"conv_1.kernel": KernelShape("conv_1", kernel.shape, "wwio")}
    found = as_sparse({"conv_1.kernel": kernel, "conv_1.bias": np.ones(4)}, {"conv_1.kernel": kept}, shapes)
    assert len(found["conv_1.kernel.values"]) == kept.sum()
    rows = sparse.csr_array(
        (found["conv_1.kernel.values"], found["conv_1.kernel.columns"], found["conv_1.kernel.rows"]), (4, 18)
    )
    np.testing.assert_array_equal(rows.toarray().T.reshape(found["conv_1.kernel.shape"]), kernel)
    np.testing.assert_array_equal(found["conv_1.bias"], np.ones(4))


def test_sizes_are_those_of_the_arrays() -> None:
    kernel, bias = np.ones((10, 4), np.float32), np.zeros(4, np.float32)
    kept = np.zeros((10, 4), bool)
    kept[:3] = True
    found = sizes(
        {"a.kernel": kernel, "a.bias": bias},
        {"a.kernel": kept},
        {"a.kernel": np.full((1, 1), 7)},
        {"a.kernel": KernelShape("a", (10, 4), "io")},
        None,
    )
    assert found.dense == 4 * 44
    assert found.sparse == 4 * (12 + 12 + 5 + 4) + 8 * 2
    assert found.compact is None
    assert (found.operations, found.operations_dense) == (2 * 12 * 7, 2 * 40 * 7)
    unknown = {"a.kernel": KernelShape("a", (10, 4), "")}
    unsure = sizes({"a.kernel": kernel}, {"a.kernel": kept}, {}, unknown, None)
    assert (unsure.sparse, unsure.operations) == (None, None)
