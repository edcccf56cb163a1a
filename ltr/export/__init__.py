"""A ticket for others: in a file of safetensors, with a card that says what it is."""

from ltr.export.card import card
from ltr.export.compact import compact, proven
from ltr.export.sizes import Sizes, sizes
from ltr.export.tensors import as_sparse, leaves, named

__all__ = ["Sizes", "as_sparse", "card", "compact", "leaves", "named", "proven", "sizes"]
