"""Custom data: an .npz file or a folder of prepared TFDS data.

A run's id depends on the content and the split of its data, but not on their path. `pinned` therefore adds
a checksum of the content and the split rule to the configuration.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ltr.config.schema import Dataset
from ltr.core.plural import number_of
from ltr.data import checks, importing
from ltr.data.arrays import Arrays, Split, share_of_zeros
from ltr.data.content import Content, digest, probable_mistakes, require_every_class
from ltr.data.images import Layout, described
from ltr.data.labels import require_below
from ltr.data.npz import read_npz
from ltr.data.registry import CUSTOM, Facts
from ltr.data.splitting import divide
from ltr.data.tfds_files import open_folder, read_split
from ltr.errors import ConfigError, reason

NAME = CUSTOM.name
Rule = Literal["last", "stratified", "file"]

_IN_WORDS = {"last": "the last", "stratified": "a share of each class", "file": "the split of the data"}


class Custom(NamedTuple):
    """Content of `dataset.path`."""

    content: Content
    rule: Rule
    """how validation examples are chosen"""
    sha256: str
    """hexadecimal digest of the data that a run uses, independent of path and compression"""

    @property
    def facts(self) -> Facts:
        return Facts(
            name=NAME,
            shape=self.content.shape,
            classes=len(self.content.class_names),
            train_examples=len(self.content.train.labels),
            test_examples=len(self.content.test.labels),
            zeros=share_of_zeros(self.content.train.images),
        )

    @property
    def validation(self) -> Split | None:
        """The validation split in the data, if the run uses it."""
        return self.content.validation if self.rule == "file" else None


def pinned(config: Dataset) -> Dataset:
    """Return the configuration with checksum, split rule and number of validation examples filled in.

    For a data set of the registry, `auto` becomes `last`, because TFDS has shuffled the examples.

    Raises:
        ConfigError: `sha256` is that of other content, the content is not a data set, a class has no training
            or no validation example, or a knob of custom data is given for a data set of the registry.
        DataNotFoundError: `path` does not exist.
    """
    if config.name == NAME:
        return config if config.path is None else _pinned(config)
    checks.check(config)
    return dataclasses.replace(config, split="last") if config.split == "auto" else config


def _pinned(config: Dataset) -> Dataset:
    custom = read(config)
    config = dataclasses.replace(config, split=custom.rule, sha256=custom.sha256)
    if custom.validation is not None:
        config = dataclasses.replace(config, validation=len(custom.validation.labels))
    try:
        _require_every_class(custom, config)
    except ValueError as error:
        raise ConfigError(f"dataset.path={config.path}: {error}") from None
    return config


def _require_every_class(custom: Custom, config: Dataset) -> None:
    """Raise ValueError if a class has no training or no validation example after the split."""
    labels, names = custom.content.train.labels, custom.content.class_names
    require_every_class(labels, "training", names)
    if custom.validation is not None:
        return require_every_class(custom.validation.labels, "validation", names)
    require_every_class(labels, "training", names, least=2)  # one is for validation
    train, validation = divide(labels, config)
    try:
        require_every_class(labels[train], "training", names)
        return require_every_class(labels[validation], "validation", names)
    except ValueError as error:
        raise ConfigError(
            f"dataset.split={config.split}: {error}; dataset.split=stratified gives each class a share"
        ) from None


def read(config: Dataset) -> Custom:
    """Return the content of `config.path`, cached until a file changes; raises as `pinned` does."""
    path = checks.require_path(config)
    try:
        content, digests = _read(path, config.layout, _state(path))
    except (ValueError, OSError) as error:
        raise ConfigError(f"dataset.path={config.path}: {importing.advice(path) or error}") from error
    rule = _rule(config, content)
    custom = Custom(content, rule, digests[rule == "file"])
    if config.sha256 not in (None, custom.sha256):
        raise ConfigError(
            f"dataset.sha256={config.sha256}: must be null or that of {config.path}, "
            f"which is now {custom.sha256}"
        )
    return custom


def _rule(config: Dataset, content: Content) -> Rule:
    if config.split == "auto":
        return "stratified" if content.validation is None else "file"
    if config.split == "file" and content.validation is None:
        raise ConfigError(
            f"dataset.split=file: {config.path} has no validation split (val_images and val_labels)"
        )
    return config.split


def status_lines(config: Dataset) -> Iterator[str]:
    """Yield the lines that a run prints about custom data at its start: sizes, image shape, warnings.

    Yield nothing for data sets of the registry.
    """
    if config.name != NAME:
        return
    custom = read(config)
    content, validation = custom.content, custom.validation
    held_out = config.validation if validation is None else len(validation.labels)
    train = len(content.train.labels) - (held_out if validation is None else 0)
    yield (
        f"data: {train:,} train, {held_out:,} validation ({_IN_WORDS[custom.rule]}), "
        f"{number_of(len(content.test.labels), 'test image')} of {described(content.shape)}; "
        f"{number_of(len(content.class_names), 'class', 'classes')}"
    )
    if held_out > train:
        yield f"warning: more validation images than training images (dataset.validation={held_out})"
    if content.validation is not validation:
        yield f"warning: the validation split of the data is not used (dataset.split={custom.rule})"
    yield from (f"warning: {mistake}" for mistake in probable_mistakes(content))


def _state(path: Path) -> tuple[tuple[Path, int, int], ...]:
    """Return paths, sizes and modification times, which change when a file does."""
    files = (path, *sorted(path.glob("*")))
    return tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@functools.lru_cache(maxsize=1)
def _read(path: Path, layout: Layout | None, state: Any) -> tuple[Content, dict[bool, str]]:
    """Return the content and its checksums, by whether they include the validation split."""
    if path.is_dir() and layout == "channels_first":
        raise ValueError("a folder of prepared TFDS data is channels last; dataset.layout must be null")
    content = _read_folder(path) if path.is_dir() else read_npz(path, layout)
    uses = (False,) if content.validation is None else (False, True)
    return content, {with_own: digest(content, NAME, with_own) for with_own in uses}


def _read_folder(folder: Path) -> Content:
    """Read a folder of prepared TFDS data."""
    import tensorflow_datasets as tfds

    try:
        builder = open_folder(folder)
    except Exception as error:  # parsers raise errors of any type
        raise ValueError(f"not a folder of prepared TFDS data ({reason(error)})") from error
    features, splits = dict(builder.info.features.items()), builder.info.splits
    image, label = features.get("image"), features.get("label")
    if not set(Arrays._fields) <= set(splits):
        raise ValueError(f"has the splits {', '.join(sorted(splits))}; needs {' and '.join(Arrays._fields)}")
    if not isinstance(label, tfds.features.ClassLabel):
        raise ValueError(f"has the features {', '.join(sorted(features))}; needs image and a class label")
    if image is None or image.np_dtype != np.uint8 or len(image.shape) != 3 or None in image.shape:
        raise ValueError("must have the feature image, uint8 [height, width, channels] of one size")
    known = [name for name in ("train", "validation", "test") if name in splits]
    try:
        read = {name: read_split(builder, name, image.shape) for name in known}
    except Exception as error:  # decoders raise errors of any type
        raise ValueError(f"damaged, or in a format that needs TensorFlow ({reason(error)})") from error
    for name, split in read.items():
        require_below(label.num_classes, name, split.labels)
    unused = tuple(f"split {name}" for name in sorted(set(splits) - set(known)))
    return Content(read["train"], read.get("validation"), read["test"], tuple(label.names), unused)
