"""Data sets in the files of TFDS, written and read without TensorFlow."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.data.arrays import fingerprint
from ltr.data.entry import Arrays, Split
from ltr.data.registry import DatasetEntry
from ltr.errors import LtrError


def write(entry: DatasetEntry, root: Path, arrays: Arrays) -> None:
    """Writes a data set where and as TFDS keeps it: all of it or nothing. OSError if it cannot."""
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(try_download_gcs=False)
    builder_class, variant = _builder_class(entry, arrays), entry.config or None
    builder = builder_class(data_dir=root, config=variant, file_format="array_record")
    print(f"preparing {entry.name} in {entry.folder(root)}, once", file=sys.stderr, flush=True)
    tfds.display_progress_bar(False)
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints its messages among the data
        builder.download_and_prepare(download_config=config)


def read(entry: DatasetEntry, root: Path) -> Arrays:
    """The prepared arrays, in the order of TFDS; LtrError if they are damaged."""
    import tensorflow_datasets as tfds

    folder = entry.folder(root)
    try:
        builder = tfds.builder_from_directory(folder)
        arrays = read_splits(builder, entry.shape)
    except Exception as error:  # damage shows as whatever the decoder that meets it raises
        raise LtrError(_damaged(entry, folder, str(error).partition("\n")[0])) from error
    problem = mismatch(entry, arrays)
    if problem:
        raise LtrError(_damaged(entry, folder, problem))
    return arrays


def mismatch(entry: DatasetEntry, arrays: Arrays) -> str | None:
    """What is wrong with prepared arrays, or None."""
    for name, split, expected in zip(
        Arrays._fields, arrays, (entry.train_examples, entry.test_examples), strict=True
    ):
        if len(split.labels) != expected:
            return f"{len(split.labels)} {name} examples, expected {expected}"
        if split.labels.min() < 0 or split.labels.max() >= entry.classes:
            return f"a {name} label outside 0 to {entry.classes - 1}"
    if entry.sha256 is not None and (found := fingerprint(arrays)) != entry.sha256:
        return f"SHA-256 of its arrays is {found}, expected {entry.sha256}"
    return None


def _damaged(entry: DatasetEntry, folder: Path, problem: str) -> str:
    return (
        f"{entry.name} in {folder} is damaged, or in a format that needs TensorFlow ({problem}); "
        f"remove that folder and type: ltr data prepare {entry.name}"
    )


def read_splits(builder: Any, shape: tuple[int, int, int]) -> Arrays:
    """The arrays that a TFDS builder has prepared, of images of that shape; raises whatever it meets."""
    return Arrays(*(read_split(builder, name, shape) for name in Arrays._fields))


def read_split(builder: Any, name: str, shape: tuple[int, int, int]) -> Split:
    """The arrays of one split, as `read_splits` reads them."""
    import tensorflow_datasets as tfds

    # TFDS decodes images half as fast, and asks for OpenCV on every machine.
    source = builder.as_data_source(name, decoders={"image": tfds.decode.SkipDecoding()})
    is_encoded = isinstance(builder.info.features["image"], tfds.features.Image)
    images = np.empty((len(source), *shape), np.uint8)
    labels = np.empty(len(source), np.int32)
    for index, example in enumerate(source.__getitems__(range(len(source)))):
        image = _decoded(example["image"]) if is_encoded else example["image"]
        images[index], labels[index] = image.reshape(shape), example["label"]
    return Split(images, labels)


def _builder_class(entry: DatasetEntry, arrays: Arrays) -> Any:
    """A TFDS builder of `arrays`; where TFDS has one of its own, that one with other input."""
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
    """TFDS encodes arrays as PNG with TensorFlow, but PIL images with PIL."""
    from PIL import Image

    return Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)


def _decoded(content: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)))
