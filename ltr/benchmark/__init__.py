"""Benchmark of ltr's training speed: packed and dense, beside PyTorch, matrix products and other commits."""
