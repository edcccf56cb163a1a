"""Sparse training on the CPU: products whose cost is proportional to the kept weights, in C++ by `jax.ffi`.

They are built with the package if there is a C++ compiler, and are optional at run time. Without them lanes
train by masked dense products, as on an accelerator.
"""

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array, SparseKernel, SparsityPattern, pattern
from ltr.kernels.pixels import Images, Pixels, pixels
from ltr.kernels.sorting import sort
from ltr.kernels.sparse import by_unit, conv, dense
from ltr.kernels.winograd import conv3x3

__all__ = [
    "Array",
    "Images",
    "Pixels",
    "SparseKernel",
    "SparsityPattern",
    "by_unit",
    "conv",
    "conv3x3",
    "dense",
    "instruction_set",
    "pattern",
    "pixels",
    "sort",
]
