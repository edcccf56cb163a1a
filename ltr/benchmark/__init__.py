"""How fast ltr trains, beside itself without sparse kernels, plain PyTorch and bare matrix products."""

from ltr.benchmark.comparison import Row, compare

__all__ = ["Row", "compare"]
