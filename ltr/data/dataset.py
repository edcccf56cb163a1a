"""Data set for training: three splits in memory."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Integer, UInt8

from ltr.config import schema
from ltr.data import custom
from ltr.data.arrays import Split
from ltr.data.checks import require_fewer
from ltr.data.prepare import data_root, prepare
from ltr.data.registry import Facts, find
from ltr.data.splitting import divide

_CHUNK = 1000


class Dataset(NamedTuple):
    """Images and labels with the statistics that normalise them. The arrays must not be modified."""

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    mean: Float32[np.ndarray, "channels"]
    """mean pixel of `train`, in units of `images` (0 to 255)"""
    std: Float32[np.ndarray, "channels"]
    """standard deviation in the same units, 1 for a constant channel"""


def load(config: schema.Dataset, data_dir: str | None) -> Dataset:
    """Load the data set of a run, and prepare it first if necessary.

    The validation split is `config.validation` training examples, the last in the order of TFDS or a share
    of each class, or the validation split of `config.path` (see `ltr.config.schema.Dataset.split`). It does
    not depend on the seed.

    Raises:
        ConfigError: the data set is unknown, there are too many validation examples, `data_dir` cannot be
            written, or `config.path` holds no data set.
        DataNotFoundError: the data are not on this machine and cannot be downloaded.
        LtrError: the data are damaged.
    """
    train, validation, test = _splits(config, data_dir)
    mean, std = moments(train.images)
    return Dataset(
        name=config.name,
        train=train,
        validation=validation,
        test=test,
        classes=describe(config).classes,
        mean=mean,
        std=std,
    )


def describe(config: schema.Dataset) -> Facts:
    """Return shape and sizes of a data set. Only custom data are read for it.

    Raises:
        ConfigError: the data set is unknown, or `config.path` holds none.
        DataNotFoundError: `config.path` does not exist.
    """
    return custom.read(config).facts if config.name == custom.NAME else find(config.name)


def training_examples(config: schema.Dataset) -> int:
    """Return the number of training examples; ConfigError if it is zero or the data set is unknown."""
    examples = describe(config).train_examples
    if config.name == custom.NAME and custom.read(config).validation is not None:
        return examples
    require_fewer(config, examples)
    return examples - config.validation


def _splits(config: schema.Dataset, data_dir: str | None) -> tuple[Split, Split, Split]:
    """Return training, validation and test examples."""
    training_examples(config)
    if config.name != custom.NAME:
        train, test = prepare(find(config.name), data_root(data_dir))
        return *_divided(train, config), test
    source = custom.read(config)
    (train, test), validation = source.content.arrays, source.validation
    if validation is not None:
        return train, validation, test
    return *_divided(train, dataclasses.replace(config, split=source.rule)), test


def _divided(train: Split, config: schema.Dataset) -> tuple[Split, Split]:
    kept, held_out = divide(train.labels, config)
    return train.take(kept), train.take(held_out)


def of_each_class(
    labels: Int32[np.ndarray, "examples"], count: int, generator: np.random.Generator
) -> Integer[np.ndarray, "chosen"]:
    """Return rows of `count` random examples of each class (all if there are fewer), sorted by class."""
    drawn = generator.permutation(len(labels))
    return np.concatenate([drawn[labels[drawn] == label][:count] for label in np.unique(labels)])


def moments(
    images: UInt8[np.ndarray, "count height width channels"],
) -> tuple[Float32[np.ndarray, "channels"], Float32[np.ndarray, "channels"]]:
    """Return mean and standard deviation of the pixels of each channel.

    Sums are exact integers, so the result does not depend on their order. Chunks are small enough to stay
    in the processor's cache.
    """
    channels = images.shape[-1]
    total, squares = np.zeros(channels, np.uint64), np.zeros(channels, np.uint64)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK].reshape(-1, channels)
        total += chunk.sum(axis=0, dtype=np.uint64)
        squares += np.square(chunk, dtype=np.uint16).sum(axis=0, dtype=np.uint64)
    count = images[..., 0].size
    mean = total / count
    std = np.sqrt(squares / count - mean**2)
    return mean.astype(np.float32), np.where(std > 0, std, 1).astype(np.float32)
