"""Data sets: a registry of what there is, and loading one into memory."""

from ltr.data.dataset import Dataset, load, of_each_class, training_examples
from ltr.data.entry import Split
from ltr.data.registry import DATASETS

__all__ = ["DATASETS", "Dataset", "Split", "load", "of_each_class", "training_examples"]
