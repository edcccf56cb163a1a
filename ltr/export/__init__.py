"""Export of a ticket: a safetensors or ONNX file, and a card that describes it."""

from ltr.export.card import card
from ltr.export.compact import compact, proven
from ltr.export.sizes import Sizes, sizes
from ltr.export.tensors import as_sparse, named

__all__ = ["Sizes", "as_sparse", "card", "compact", "named", "proven", "sizes"]
