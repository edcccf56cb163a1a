import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.data import importing
from ltr.data.content import Content
from ltr.data.importing.base import ImportOptions
from ltr.errors import ConfigError

NAMES = ["plane", "ship"]


def batch(images: np.ndarray, labels: str = "labels") -> dict[bytes, Any]:
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), 3072)
    return {labels.encode(): [number % 2 for number in range(len(images))], b"data": planes}


@pytest.fixture
def folder(pictures: Callable[..., np.ndarray], tmp_path: Path) -> Path:
    """Two training batches of four images and a test batch, in a protocol of Python 2."""
    images = pictures(12, 32, 32, 3)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        (folder / name).write_bytes(pickle.dumps(batch(images[4 * number :][:4]), protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [name.encode() for name in NAMES]}))
    return folder


def test_batches_of_cifar_10(
    folder: Path, pictures: Callable[..., np.ndarray], imported: Callable[..., Content]
) -> None:
    content = imported(folder)
    np.testing.assert_array_equal(content.train.images, pictures(12, 32, 32, 3)[:8])
    np.testing.assert_array_equal(content.test.images, pictures(12, 32, 32, 3)[8:])
    assert content.test.labels.tolist() == [0, 1, 0, 1]
    assert content.class_names == ("plane", "ship")


def test_an_archive_of_them(folder: Path, imported: Callable[..., Content]) -> None:
    archive = folder.parent / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    np.testing.assert_array_equal(imported(archive).train.images, imported(folder).train.images)
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(ConfigError, match=r"cifar-10-python\.tar\.gz: cannot be read as a tar archive "):
        imported(archive)


@pytest.mark.parametrize("protocol", [2, 5])
def test_cifar_100(
    protocol: int, pictures: Callable[..., np.ndarray], imported: Callable[..., Content], tmp_path: Path
) -> None:
    images = pictures(6, 32, 32, 3)
    for name, part in (("train", images[:4]), ("test", images[4:])):
        (tmp_path / name).write_bytes(pickle.dumps(batch(part, "fine_labels"), protocol))
    names = NAMES if protocol == 5 else [name.encode() for name in NAMES]  # as Python 3 and 2 write words
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": names}, protocol))
    content = imported(tmp_path)
    np.testing.assert_array_equal(content.train.images, images[:4])
    assert content.class_names == ("plane", "ship")


class Malicious:
    """Would make a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_is_code_is_not_run(folder: Path) -> None:
    made = folder.parent / "made"
    content = pickle.dumps({b"data": Malicious(made), b"labels": [0]})
    (folder / "data_batch_1").write_bytes(content)
    with pytest.raises(
        ConfigError,
        match=r"data_batch_1: not a batch of CIFAR \(asks for \w+\.mkdir, which is not an array\)",
    ):
        importing.read(folder, ImportOptions())
    assert not made.exists()
    pickle.loads(content)
    assert made.exists(), "the pickle was harmless, and the test proves nothing"


class Address:
    """A number that a pickle gives out for the address of an object, by a type that says it is none."""

    def __reduce__(self) -> Any:
        return np.dtype, ("O", False, True), (3, "|", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    "array",
    [
        (1, (1, 3072), Address(), False, bytes(8 * 3072)),
        (1, (1, 3072), np.dtype("S8"), False, bytes(8 * 3072)),
    ],
)
def test_bytes_of_a_pickle_are_numbers_alone(array: tuple[Any, ...], folder: Path) -> None:
    class Planes:
        def __reduce__(self) -> Any:
            return (*np.zeros(0).__reduce__()[:2], array)

    (folder / "data_batch_1").write_bytes(pickle.dumps({b"labels": [0], b"data": Planes()}))
    with pytest.raises(ConfigError, match=r"data_batch_1: not a batch of CIFAR \(holds \S+, not numbers\)"):
        importing.read(folder, ImportOptions())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no pickle", r"not a batch of CIFAR \("),
        (pickle.dumps([1]), r"not a batch of CIFAR \(holds a list\)"),
        (pickle.dumps({b"data": np.zeros((1, 3072))}), "has no labels or fine_labels"),
        (pickle.dumps({b"labels": [1]}), "has no data"),
        (
            pickle.dumps({b"labels": [1], b"data": np.zeros((1, 784))}),
            r"its data have shape \(1, 784\), must",
        ),
    ],
)
def test_what_is_wrong_is_one_line(content: bytes, message: str, folder: Path) -> None:
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{folder}: data_batch_2: {message}") as caught:
        importing.read(folder, ImportOptions())
    assert "\n" not in str(caught.value)
