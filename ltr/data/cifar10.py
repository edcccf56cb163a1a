"""CIFAR-10 in its three distributed forms, and the record format that it shares with CIFAR-100."""

import io
import pickle
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.data.arrays import Arrays, Split
from ltr.data.distribution import Distribution, Files, Original

_ARCHIVE = "cifar-10-binary.tar.gz"
_BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
_BINARY = [f"{name}.bin" for name in _BATCHES]


def from_records(content: bytes, label_bytes: int = 1) -> Split:
    """Return the examples of a binary file.

    A record is the label bytes, then the red, green and blue planes of 32x32 pixels. The last label byte
    is the label.
    """
    records = np.frombuffer(content, np.uint8).reshape(-1, label_bytes + 3072)
    return _split(records[:, label_bytes:], records[:, label_bytes - 1])


def members(archive: bytes, names: Iterable[str]) -> list[bytes]:
    """Return the contents of the named files of a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return [tar.extractfile(name).read() for name in names]  # type: ignore[union-attr]


def identifier(split: str, index: int, label: int) -> dict[str, Any]:
    """Return the `id` feature that TFDS gives an example."""
    return {"id": f"{split}_{index:05d}"}


def _split(planes: NDArray[np.uint8], labels: NDArray[Any]) -> Split:
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), labels.astype(np.int32))


def _from_archive(files: Mapping[str, bytes]) -> Arrays:
    contents = members(files[_ARCHIVE], (f"cifar-10-batches-bin/{name}" for name in _BINARY))
    return _joined([from_records(content) for content in contents])


def _from_binary(files: Mapping[str, bytes]) -> Arrays:
    return _joined([from_records(files[name]) for name in _BINARY])


def _from_python(files: Mapping[str, bytes]) -> Arrays:
    """Unpickle batches. Unpickling can run code, so the checksums of these files were verified first."""
    batches = [pickle.loads(files[name], encoding="bytes") for name in _BATCHES]  # noqa: S301, see above
    return _joined([_split(batch[b"data"], np.array(batch[b"labels"])) for batch in batches])


def _joined(batches: Sequence[Split]) -> Arrays:
    *train, test = batches
    return Arrays(Split(*map(np.concatenate, zip(*train, strict=True))), test)


CIFAR10 = Files(
    distributions=(
        Distribution(
            (Original(_ARCHIVE, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),),
            _from_archive,
        ),
        Distribution(
            (
                Original("data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25"),
                Original("data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692"),
                Original("data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421"),
                Original("data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb"),
                Original("data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d"),
                Original("test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d"),
            ),
            _from_binary,
        ),
        Distribution(
            (
                Original("data_batch_1", "c99cafc152244af753f735de768cd75f"),
                Original("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
                Original("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
                Original("data_batch_4", "634d18415352ddfa80567beed471001a"),
                Original("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
                Original("test_batch", "40351d587109b95175f43aff81a1287e"),
            ),
            _from_python,
        ),
    ),
    features=identifier,
)
