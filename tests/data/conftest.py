"""Prepared data to share, and a small MNIST that takes milliseconds where the real one takes seconds."""

import dataclasses
import gzip
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ltr.data.entry import Entry, Original
from ltr.data.mnist import MNIST
from ltr.data.prepare import prepare
from ltr.data.registry import DATASETS

SOURCE = os.environ.get("LTR_DATA_SOURCE")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the data of this machine unless it asks for it."""
    monkeypatch.delenv("LTR_DATA_SOURCE", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default"))


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the digits, and whatever real data a test asked for; not to be altered."""
    root = tmp_path_factory.mktemp("data")
    prepare(DATASETS["digits"], root)
    return root


@pytest.fixture(scope="session")
def source() -> Callable[[str], Path | None]:
    """The folder of a data set's original files; skips the test where there is none."""

    def folder(name: str) -> Path | None:
        if not DATASETS[name].originals:
            return None
        if SOURCE is None or not (Path(SOURCE) / name).is_dir():
            pytest.skip(f"LTR_DATA_SOURCE names no folder with the original files in {name}/")
        return Path(SOURCE) / name

    return folder


@pytest.fixture(scope="session")
def real(shared_root: Path, source: Callable[[str], Path | None]) -> Callable[[str], Path]:
    """Prepares a data set from its original files; returns the data folder."""

    def root(name: str) -> Path:
        prepare(DATASETS[name], shared_root, source(name))
        return shared_root

    return root


@pytest.fixture
def digits_root(shared_root: Path, tmp_path: Path) -> Path:
    """A data folder with the digits, to be altered at will."""
    root = tmp_path / "digits_root"
    shutil.copytree(shared_root / "digits", root / "digits")
    return root


def _idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    )


@pytest.fixture(scope="session")
def tiny_files() -> dict[str, bytes]:
    """Unzipped IDX files of 20 training and 10 test images, all different."""
    pixels = np.arange(30 * 28 * 28, dtype=np.uint32).reshape(30, 28, 28)
    images, labels = (pixels * 2654435761 >> 7).astype(np.uint8), np.arange(30, dtype=np.uint8) % 10
    parts = (images[:20], labels[:20], images[20:], labels[20:])
    return {original.name: _idx(part) for original, part in zip(MNIST.originals, parts, strict=True)}


@pytest.fixture(scope="session")
def tiny(tiny_files: dict[str, bytes]) -> Entry:
    """An MNIST of 30 images, which TFDS takes for MNIST."""
    return dataclasses.replace(
        MNIST,
        train_examples=20,
        test_examples=10,
        originals=tuple(
            Original(name, hashlib.sha256(content).hexdigest()) for name, content in tiny_files.items()
        ),
        sha256="c612d8157bb48fdd9337568528759d234030c87c044d85077702033854ee28b0",  # in the order of TFDS
    )


@pytest.fixture
def tiny_source(tiny_files: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder of the gzipped files of the small MNIST."""
    folder = tmp_path / "source" / "mnist"
    folder.mkdir(parents=True)
    for name, content in tiny_files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder
