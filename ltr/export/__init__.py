"""Export of a ticket: a safetensors or ONNX file, and a card that describes it."""

from ltr.export.card import card
from ltr.export.compact import checked, compact
from ltr.export.sizes import Sizes, sizes
from ltr.export.tensors import as_sparse, leaves, named

__all__ = ["Sizes", "as_sparse", "card", "checked", "compact", "leaves", "named", "sizes"]
