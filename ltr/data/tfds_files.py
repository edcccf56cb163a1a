"""Prepared TFDS files, written and read without TensorFlow."""

import contextlib
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from ltr import interrupts
from ltr.data.arrays import Arrays, Split, fingerprint
from ltr.data.limits import require_memory
from ltr.data.registry import DatasetEntry
from ltr.errors import LtrError, reason
from ltr.faults import as_system_error


def write(entry: DatasetEntry, root: Path, arrays: Arrays) -> None:
    """Write a data set where and as TFDS does, whole or not at all; OSError if it cannot be written."""
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(try_download_gcs=False)
    builder_class, variant = _builder_class(entry, arrays), entry.config or None
    builder = builder_class(data_dir=root, config=variant, file_format="array_record")
    print(f"preparing {entry.name} in {entry.folder(root)}, once", file=sys.stderr, flush=True)
    tfds.display_progress_bar(False)
    try:
        with interrupts.undone(), contextlib.redirect_stdout(io.StringIO()):  # TFDS prints messages on stdout
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        raise as_system_error(error, root) or error from None


def read(entry: DatasetEntry, root: Path) -> Arrays:
    """Return the prepared arrays in the order of TFDS; LtrError if they are damaged."""
    folder = entry.folder(root)
    try:
        builder = open_folder(folder)
        arrays = Arrays(*(read_split(builder, name, entry.shape) for name in Arrays._fields))
    except Exception as error:  # decoders raise errors of any type
        raise LtrError(_damaged(entry, folder, reason(error))) from error
    problem = mismatch(entry, arrays)
    if problem:
        raise LtrError(_damaged(entry, folder, problem))
    return arrays


def open_folder(folder: Path) -> Any:
    """Return a TFDS builder of prepared data; raises whatever TFDS raises for a folder without them.

    The files of a folder name Python classes. TFDS imports any module, so classes other than its own are
    refused.
    """
    import tensorflow_datasets as tfds

    own = {
        name: kind
        for kind in vars(tfds.features).values()
        if isinstance(kind, type) and issubclass(kind, tfds.features.FeatureConnector)
        for name in (f"{kind.__module__}.{kind.__name__}", *vars(kind).get("ALIASES", ()))
    }

    def known(name: str) -> type:
        if name not in own:
            raise ValueError(f"names {name}, which is not a feature of TFDS")
        return own[name]

    with mock.patch.object(tfds.features.FeatureConnector, "cls_from_name", known):
        return tfds.builder_from_directory(folder)


def mismatch(entry: DatasetEntry, arrays: Arrays) -> str | None:
    """Return how prepared arrays differ from their known facts; None if they do not."""
    for name, split, expected in zip(
        Arrays._fields, arrays, (entry.train_examples, entry.test_examples), strict=True
    ):
        if len(split.labels) != expected:
            return f"{len(split.labels)} {name} examples, expected {expected}"
        if split.labels.min() < 0 or split.labels.max() >= entry.classes:
            return f"a {name} label outside 0 to {entry.classes - 1}"
    if entry.sha256 is not None and (digest := fingerprint(arrays)) != entry.sha256:
        return f"SHA-256 of its arrays is {digest}, expected {entry.sha256}"
    return None


def _damaged(entry: DatasetEntry, folder: Path, problem: str) -> str:
    return (
        f"{entry.name} in {folder} is damaged, or in a format that needs TensorFlow ({problem}); "
        f"remove that folder and type: ltr data prepare {entry.name}"
    )


def read_split(builder: Any, name: str, shape: tuple[int, int, int]) -> Split:
    """Return the arrays of a split; raises whatever the decoders of TFDS raise.

    Args:
        builder: a TFDS builder whose data are prepared.
        name: name of the split.
        shape: height, width and channels of an image.
    """
    import tensorflow_datasets as tfds

    # The decoder of TFDS is half as fast and requires OpenCV.
    source = builder.as_data_source(name, decoders={"image": tfds.decode.SkipDecoding()})
    require_memory(len(source) * math.prod(shape))
    is_encoded = isinstance(builder.info.features["image"], tfds.features.Image)
    images = np.empty((len(source), *shape), np.uint8)
    labels = np.empty(len(source), np.int32)
    for index, example in enumerate(source.__getitems__(range(len(source)))):
        image = _decoded(example["image"]) if is_encoded else example["image"]
        images[index], labels[index] = image.reshape(shape), example["label"]
    return Split(images, labels)


def _builder_class(entry: DatasetEntry, arrays: Arrays) -> Any:
    """Return a TFDS builder class that writes `arrays`: a subclass of TFDS's own builder if there is one."""
    import tensorflow_datasets as tfds

    class Embedded(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg, misc]
        VERSION = tfds.core.Version(entry.version)

        def _info(self) -> Any:
            image = tfds.features.Tensor(shape=entry.shape, dtype=np.uint8)
            label = tfds.features.ClassLabel(num_classes=entry.classes)
            features = tfds.features.FeaturesDict({"image": image, "label": label})
            return tfds.core.DatasetInfo(builder=self, description=entry.description, features=features)

    base = tfds.builder_cls(entry.name) if entry.stock else Embedded

    class Builder(base, skip_registration=True):  # type: ignore[call-arg, misc, valid-type]
        name = entry.name

        def _split_generators(self, _: Any) -> dict[str, Any]:
            return {name: self._generate_examples(name, split) for name, split in arrays._asdict().items()}

        def _generate_examples(self, name: str, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
            encode = _as_pil if entry.stock else np.asarray
            for index, (image, label) in enumerate(zip(split.images, split.labels.tolist(), strict=True)):
                yield (
                    index,
                    {
                        "image": encode(image),
                        "label": label,
                        **entry.features(name, index, label),
                    },
                )

    return Builder


def _as_pil(image: NDArray[np.uint8]) -> Any:
    """Return an image as a PIL image. TFDS encodes these with PIL, but arrays with TensorFlow."""
    from PIL import Image

    return Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)


def _decoded(content: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)))
