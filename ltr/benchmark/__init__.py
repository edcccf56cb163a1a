"""Benchmark of ltr's training speed: packed and dense, beside plain PyTorch and bare matrix products."""

from ltr.benchmark.comparison import Row, compare

__all__ = ["Row", "compare"]
