"""Data of one's own: an .npz file or a folder of prepared TFDS data, wherever it lies.

What is in it is part of what a run is, and where it lies is not: `pinned` makes a checksum of the
content part of the configuration.
"""

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ltr.config import Dataset
from ltr.data.arrays import fingerprint
from ltr.data.entry import Arrays, Facts
from ltr.data.npz import read_npz, require_below
from ltr.data.tfds_files import read_splits
from ltr.errors import ConfigError, DataNotFoundError

NAME = "custom"


class Custom(NamedTuple):
    """What `dataset.path` holds."""

    facts: Facts
    arrays: Arrays
    sha256: str
    """of all of it, hexadecimal; the same wherever it lies and however it is compressed"""


def pinned(config: Dataset) -> Dataset:
    """The configuration with the checksum of what is at `path` in it; any other as it is.

    Raises:
        ConfigError: it is pinned to other content, the content is no data set, or `path` and `sha256`
            are given for a data set of the registry.
        DataNotFoundError: nothing is there.
    """
    if config.name == NAME:
        return config if config.path is None else dataclasses.replace(config, sha256=read(config).sha256)
    for knob in ("path", "sha256"):
        if (value := getattr(config, knob)) is not None:
            raise ConfigError(f"dataset.{knob}={value}: must be null unless dataset={NAME}")
    return config


def read(config: Dataset) -> Custom:
    """What is at `config.path`, read once while it stays as it is; raises as `pinned` does."""
    if config.path is None:
        raise ConfigError("dataset.path=null: must name an .npz file or a folder of prepared TFDS data")
    path = Path(config.path).expanduser()
    if not path.exists():
        raise DataNotFoundError(f"dataset.path={config.path}: no such file or folder")
    try:
        custom = _read(path, _state(path))
    except (ValueError, OSError) as error:
        raise ConfigError(f"dataset.path={config.path}: {error}") from error
    if config.sha256 not in (None, custom.sha256):
        raise ConfigError(
            f"dataset.sha256={config.sha256}: must be null or what {config.path} has now, {custom.sha256}"
        )
    return custom


def _state(path: Path) -> tuple[tuple[Path, int, int], ...]:
    """Changes when a file, or one of those in a folder, does."""
    files = (path, *sorted(path.glob("*")))
    return tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@functools.lru_cache(maxsize=1)
def _read(path: Path, state: Any) -> Custom:
    if path.is_dir():
        arrays, classes = _read_folder(path)
    else:
        arrays = read_npz(path)
        classes = int(arrays.train.labels.max()) + 1
    height, width, channels = arrays.train.images.shape[1:]
    facts = Facts(
        name=NAME,
        shape=(height, width, channels),
        classes=classes,
        train_examples=len(arrays.train.labels),
        test_examples=len(arrays.test.labels),
    )
    said = f"{dataclasses.astuple(facts)} {fingerprint(arrays)}"
    return Custom(facts, arrays, hashlib.sha256(said.encode()).hexdigest())


def _read_folder(folder: Path) -> tuple[Arrays, int]:
    """The arrays in a folder of prepared TFDS data, and how many classes they are of."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as error:  # whatever the parser that meets it raises
        raise ValueError(f"not a folder of prepared TFDS data ({_first_line(error)})") from error
    features, splits = dict(builder.info.features.items()), builder.info.splits
    image, label = features.get("image"), features.get("label")
    if not set(Arrays._fields) <= set(splits):
        raise ValueError(f"has the splits {', '.join(sorted(splits))}; needs {' and '.join(Arrays._fields)}")
    if not isinstance(label, tfds.features.ClassLabel):
        raise ValueError(f"has the features {', '.join(sorted(features))}; needs image and a class label")
    if image is None or image.np_dtype != np.uint8 or len(image.shape) != 3 or None in image.shape:
        raise ValueError("must have the feature image, uint8 [height, width, channels] of one size")
    try:
        arrays = read_splits(builder, image.shape)
    except Exception as error:  # whatever the decoder that meets it raises
        raise ValueError(f"damaged, or in a format that needs TensorFlow ({_first_line(error)})") from error
    for name, split in arrays._asdict().items():
        require_below(label.num_classes, name, split.labels)
    return arrays, label.num_classes


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
