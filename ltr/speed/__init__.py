"""How fast ltr trains, beside itself without sparse kernels, plain PyTorch and bare matrix products."""

from ltr.speed.contest import Row, contest

__all__ = ["Row", "contest"]
