"""A data set as training takes it: three splits in memory."""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.config import schema
from ltr.data import custom
from ltr.data.checks import require_fewer
from ltr.data.entry import Split
from ltr.data.prepare import data_root, prepare
from ltr.data.registry import Facts, find
from ltr.data.splitting import divide

_CHUNK = 1000


class Dataset(NamedTuple):
    """Images and labels, and how to normalise them; nobody alters the arrays."""

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    mean: NDArray[np.float32]
    """[channels], of the pixels of `train`, on the scale of `images`"""
    std: NDArray[np.float32]
    """[channels], likewise; 1 for a channel that never varies"""


def load(config: schema.Dataset, data_dir: str | None) -> Dataset:
    """The data set a run trains on; prepared first where it can be, if it is not.

    The validation split is `config.validation` examples of the training set, whatever the seed: the
    last in the order of TFDS or a share of each class; or it is what `config.path` brings (see
    `ltr.config.schema.Dataset.split`).

    Raises:
        ConfigError: no such data set, too many validation examples, `data_dir` cannot be written, or
            `config.path` holds no data set.
        DataNotFoundError: the data is not on this machine and cannot be fetched.
        LtrError: the data is damaged.
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
    """What a run has to know of its data; reads them only if they are its own.

    Raises:
        ConfigError: no such data set, or `config.path` holds none.
        DataNotFoundError: nothing is at `config.path`.
    """
    return custom.read(config).facts if config.name == custom.NAME else find(config.name)


def training_examples(config: schema.Dataset) -> int:
    """How many examples are left to train on; ConfigError if there are none, or no such data set."""
    examples = describe(config).train_examples
    if config.name == custom.NAME and custom.read(config).validation is not None:
        return examples
    require_fewer(config, examples)
    return examples - config.validation


def _splits(config: schema.Dataset, data_dir: str | None) -> tuple[Split, Split, Split]:
    """Training, validation and test examples."""
    training_examples(config)
    if config.name != custom.NAME:
        train, test = prepare(find(config.name), data_root(data_dir))
        return *_divided(train, config), test
    own = custom.read(config)
    (train, test), validation = own.content.arrays, own.validation
    if validation is not None:
        return train, validation, test
    return *_divided(train, dataclasses.replace(config, split=own.rule)), test


def _divided(train: Split, config: schema.Dataset) -> tuple[Split, Split]:
    kept, held_out = divide(train.labels, config)
    return train.take(kept), train.take(held_out)


def of_each_class(labels: NDArray[np.int32], count: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Where `count` examples of each class are, or all where there are fewer; drawn, sorted by class."""
    drawn = generator.permutation(len(labels))
    return np.concatenate([drawn[labels[drawn] == label][:count] for label in np.unique(labels)])


def moments(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each channel of images [N, height, width, channels].

    Sums are exact integers, so the result does not depend on their order; a chunk at a time
    stays in the processor's cache.
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
