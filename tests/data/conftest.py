"""Prepared data to share, and small data sets that take milliseconds where the real ones take seconds."""

import dataclasses
import gzip
import hashlib
import io
import os
import pickle
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

from ltr.data.arrays import Arrays, Split
from ltr.data.distribution import Distribution, Files, Original
from ltr.data.prepare import prepare
from ltr.data.registry import DatasetEntry, distributed

DISTRIBUTED = distributed()
MNIST = distributed()["mnist"]

SOURCE = os.environ.get("LTR_DATA_SOURCE")


def code_of(name: str, files: Files) -> str:
    """What names the files as the code of an entry."""
    module = sys.modules[f"made_up_{name}"] = ModuleType(f"made_up_{name}")
    module.FILES = files  # type: ignore[attr-defined]
    return f"{module.__name__}:FILES"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the data of this machine unless it asks for it."""
    monkeypatch.delenv("LTR_DATA_SOURCE", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default"))


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the digits, and whatever real data a test asked for; not to be altered.

    All processes of a test session share it: whoever is first prepares.
    """
    session = tmp_path_factory.getbasetemp()
    root = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "shared_data"
    prepare(DISTRIBUTED["digits"], root)
    return root


@pytest.fixture(scope="session")
def source() -> Callable[[str], Path | None]:
    """The folder of a data set's original files; skips the test where there is none."""

    def folder(name: str) -> Path | None:
        if not DISTRIBUTED[name].distributions[0].files:
            return None
        if SOURCE is None or not (Path(SOURCE) / name).is_dir():
            pytest.skip(f"LTR_DATA_SOURCE names no folder with the original files in {name}/")
        return Path(SOURCE) / name

    return folder


@pytest.fixture(scope="session")
def real(shared_root: Path, source: Callable[[str], Path | None]) -> Callable[[str], Path]:
    """Prepares a data set from its original files; returns the data folder."""

    def root(name: str) -> Path:
        prepare(DISTRIBUTED[name], shared_root, source(name))
        return shared_root

    return root


@pytest.fixture
def digits_root(shared_root: Path, tmp_path: Path) -> Path:
    """A data folder with the digits, to be altered at will."""
    root = tmp_path / "digits_root"
    shutil.copytree(shared_root / "digits", root / "digits")
    return root


class Small(NamedTuple):
    """A small data set in files of the format of a real one."""

    entry: DatasetEntry
    arrays: Arrays
    files: dict[str, bytes]
    """by name, as they are distributed"""

    def write(self, folder: Path) -> Path:
        """A folder with the files."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder


def _numbered(split: Split, write: Callable[[Split], bytes], count: int) -> list[bytes]:
    """The parts of a split in `count` files."""
    parts = (np.array_split(array, count) for array in split)
    return [write(Split(*part)) for part in zip(*parts, strict=True)]


def _idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def _idx_files(arrays: Arrays) -> list[bytes]:
    parts = (part for split in arrays for part in (split.images[..., 0], split.labels))
    return [gzip.compress(_idx(part)) for part in parts]


def _planes(split: Split) -> np.ndarray:
    return split.images.transpose(0, 3, 1, 2).reshape(len(split.images), -1)


def _records(split: Split, *coarse: np.ndarray) -> bytes:
    return np.column_stack([*coarse, split.labels, _planes(split)]).astype(np.uint8).tobytes()


def _pickled(split: Split) -> bytes:
    return pickle.dumps({b"data": _planes(split), b"labels": split.labels.tolist()})


def _batches(arrays: Arrays, write: Callable[[Split], bytes]) -> list[bytes]:
    return [*_numbered(arrays.train, write, 5), write(arrays.test)]


def _tar(contents: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _cifar10_archive(arrays: Arrays) -> list[bytes]:
    names = [file.name for file in DISTRIBUTED["cifar10"].distributions[1].files]
    batches = _batches(arrays, _records)
    return [_tar({f"cifar-10-batches-bin/{name}": batch for name, batch in zip(names, batches, strict=True)})]


def _cifar100_archive(arrays: Arrays) -> list[bytes]:
    records = (_records(split, split.labels * 0 + 7) for split in arrays)
    return [
        _tar(
            {f"cifar-100-binary/{name}.bin": part for name, part in zip(arrays._fields, records, strict=True)}
        )
    ]


def _emnist_archive(arrays: Arrays) -> list[bytes]:
    kinds = [f"{split}-{kind}" for split in arrays._fields for kind in ("images-idx3", "labels-idx1")]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for kind, content in zip(kinds, _idx_files(arrays), strict=True):
            archive.writestr(f"gzip/emnist-balanced-{kind}-ubyte.gz", content)
    return [buffer.getvalue()]


def _matlab_files(arrays: Arrays) -> list[bytes]:
    from scipy.io import savemat

    def write(split: Split) -> bytes:
        buffer = io.BytesIO()
        labels = np.where(split.labels == 0, 10, split.labels).astype(np.uint8)
        savemat(buffer, {"X": np.moveaxis(split.images, 0, -1), "y": labels[:, np.newaxis]})
        return buffer.getvalue()

    return [write(split) for split in arrays]


WRITERS: dict[tuple[str, int], Callable[[Arrays], list[bytes]]] = {
    ("mnist", 0): _idx_files,
    ("fashion_mnist", 0): _idx_files,
    ("kmnist", 0): _idx_files,
    ("emnist", 0): _emnist_archive,
    ("cifar10", 0): _cifar10_archive,
    ("cifar10", 1): lambda arrays: _batches(arrays, _records),
    ("cifar10", 2): lambda arrays: _batches(arrays, _pickled),
    ("cifar100", 0): _cifar100_archive,
    ("svhn_cropped", 0): _matlab_files,
}
"""The contents of the files of each distribution of each data set, in the order of the registry."""


@pytest.fixture(scope="session")
def small() -> Callable[..., Small]:
    """A small data set of a name, in one of its distributions: two training and one test image a class."""

    def make(name: str, distribution: int = 0) -> Small:
        entry = DISTRIBUTED[name]
        generator = np.random.default_rng(0)

        def split(count: int) -> Split:
            labels = np.arange(count, dtype=np.int32) % entry.classes
            return Split(generator.integers(0, 256, (count, *entry.shape), np.uint8), labels)

        arrays = Arrays(split(2 * entry.classes), split(entry.classes))
        form = entry.distributions[distribution]
        contents = WRITERS[name, distribution](arrays)
        files = {file.name: content for file, content in zip(form.files, contents, strict=True)}
        originals = tuple(
            Original(name, hashlib.sha256(content).hexdigest()) for name, content in files.items()
        )
        made = (Distribution(originals, form.read),)
        small = dataclasses.replace(
            entry,
            train_examples=len(arrays.train.labels),
            test_examples=len(arrays.test.labels),
            code=code_of(f"{name}_{distribution}", entry.load()._replace(distributions=made)),
            sha256=None,
        )
        return Small(small, arrays, files)

    return make


@pytest.fixture(scope="session")
def tiny_files() -> dict[str, bytes]:
    """Unzipped IDX files of 20 training and 10 test images, all different."""
    pixels = np.arange(30 * 28 * 28, dtype=np.uint32).reshape(30, 28, 28)
    images, labels = (pixels * 2654435761 >> 7).astype(np.uint8), np.arange(30, dtype=np.uint8) % 10
    parts = (images[:20], labels[:20], images[20:], labels[20:])
    names = [file.name for file in MNIST.distributions[0].files]
    return {name: _idx(part) for name, part in zip(names, parts, strict=True)}


@pytest.fixture(scope="session")
def tiny(tiny_files: dict[str, bytes]) -> DatasetEntry:
    """An MNIST of 30 images, which TFDS takes for MNIST, known to the last bit."""
    files = tuple(Original(name, hashlib.sha256(content).hexdigest()) for name, content in tiny_files.items())
    return dataclasses.replace(
        MNIST,
        train_examples=20,
        test_examples=10,
        code=code_of("tiny", Files((MNIST.distributions[0]._replace(files=files),))),
        sha256="c612d8157bb48fdd9337568528759d234030c87c044d85077702033854ee28b0",  # in the order of TFDS
    )


@pytest.fixture(scope="session")
def tiny_arrays(tiny: DatasetEntry, tiny_files: dict[str, bytes]) -> Arrays:
    """What is in the files of the small MNIST, in their order."""
    return tiny.distributions[0].read(tiny_files)


@pytest.fixture
def tiny_source(tiny_files: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder of the gzipped files of the small MNIST."""
    folder = tmp_path / "source" / "mnist"
    folder.mkdir(parents=True)
    for name, content in tiny_files.items():
        (folder / name).write_bytes(gzip.compress(content))
    return folder
