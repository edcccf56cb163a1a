"""SVHN cropped to single digits, without its third split `extra`."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ltr.data.arrays import Arrays, Split
from ltr.data.distribution import Distribution, Files, Original

_FILES = (
    Original("train_32x32.mat", "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
    Original("test_32x32.mat", "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
)


def _read(files: Mapping[str, bytes]) -> Arrays:
    return Arrays(*(_split(files[file.name]) for file in _FILES))


def _split(content: bytes) -> Split:
    """Read images X [32, 32, 3, N] and labels y [N, 1], which are 1 to 10; 10 is the digit 0."""
    from scipy.io import loadmat

    arrays = loadmat(io.BytesIO(content))  # type: ignore[arg-type]
    images = np.ascontiguousarray(np.moveaxis(arrays["X"], -1, 0))
    return Split(images, (arrays["y"].ravel() % 10).astype(np.int32))


def _features(split: str, index: int, label: int) -> dict[str, Any]:
    return {"id": f"{split}_{index:06d}"}


SVHN_CROPPED = Files(
    distributions=(Distribution(_FILES, _read),),
    features=_features,
)
