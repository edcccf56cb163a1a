"""Training on the CPU in C++, by `jax.ffi`: sparse products, dense 3x3 convolutions, and data order.

The cost of a sparse product is proportional to the kept weights. The kernels are built with the package if
there is a C++ compiler, and are optional at run time. Without them lanes train by XLA's masked dense products
and convolutions, as on an accelerator.
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
