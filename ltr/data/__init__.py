"""Data sets: a registry of what there is, and loading one into memory."""

from ltr.data.custom import pinned, status_lines
from ltr.data.dataset import Dataset, describe, load, of_each_class, title, training_examples
from ltr.data.entry import Split
from ltr.data.registry import DATASETS

__all__ = [
    "DATASETS",
    "Dataset",
    "Split",
    "describe",
    "load",
    "of_each_class",
    "pinned",
    "status_lines",
    "title",
    "training_examples",
]
