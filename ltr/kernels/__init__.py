"""Sparse training on the CPU: products that cost what their weights weigh, in C++ behind `jax.ffi`.

They are built with the package where there is a C++ compiler, and are optional at run time: without
them everything trains as it does on an accelerator, by masked dense products.
"""

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import SparseKernel, SparsityPattern, pattern
from ltr.kernels.pixels import Images, Pixels, pixels
from ltr.kernels.sparse import by_unit, conv, dense
from ltr.kernels.words import sort

__all__ = [
    "Images",
    "Pixels",
    "SparseKernel",
    "SparsityPattern",
    "by_unit",
    "conv",
    "dense",
    "instruction_set",
    "pattern",
    "pixels",
    "sort",
]
