"""Configurations of data of one's own: an .npz file, and a folder of prepared TFDS data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.config.schema import Dataset as Config
from ltr.data.registry import distributed
from tests.data.custom.arrays import good

DIGITS = distributed()["digits"]


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., Config]:
    """The configuration of a file of good arrays, some replaced; of None, left out."""

    def save(file: str = "mine.npz", **replaced: Any) -> Config:
        arrays = {name: array for name, array in (good() | replaced).items() if array is not None}
        np.savez(tmp_path / file, **arrays)
        return Config("custom", validation=3, path=str(tmp_path / file), split="auto")

    return save


@pytest.fixture
def folder(digits_root: Path) -> Config:
    """The configuration of a folder of prepared TFDS data."""
    return Config("custom", path=str(DIGITS.folder(digits_root)))
