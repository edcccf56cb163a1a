"""Training on the CPU in C++, by `jax.ffi`: sparse products, the layers of dense networks, and data order.

The cost of a sparse product is proportional to the kept weights. The kernels are built with the package if
there is a C++ compiler, and are optional at run time. Without them lanes train by XLA's masked dense products
and convolutions, as on an accelerator.
"""

from ltr.kernels.batch_norm import batch_norm
from ltr.kernels.fused import ByteImages, Factors, adam_step, byte_images, gradient, momentum_step, product
from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array, SparseKernel, SparsityPattern, pattern
from ltr.kernels.pixels import Images, Pixels, pixels
from ltr.kernels.selection import nth_highest
from ltr.kernels.sorting import sort
from ltr.kernels.sparse import by_unit, conv, dense
from ltr.kernels.winograd import conv3x3

__all__ = [
    "Array",
    "ByteImages",
    "Factors",
    "Images",
    "Pixels",
    "SparseKernel",
    "SparsityPattern",
    "adam_step",
    "batch_norm",
    "by_unit",
    "byte_images",
    "conv",
    "conv3x3",
    "dense",
    "gradient",
    "instruction_set",
    "momentum_step",
    "nth_highest",
    "pattern",
    "pixels",
    "product",
    "sort",
]
