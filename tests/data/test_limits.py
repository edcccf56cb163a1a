"""What is no file is not opened, and what does not fit is not asked for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ltr.config.schema import Dataset
from ltr.data import importing, limits
from ltr.data.checks import check
from ltr.data.importing.base import ImportOptions
from ltr.errors import ConfigError

NO_FILE = "must be a file or a folder, not a pipe, a socket or a device"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(path := tmp_path / "pipe.npz")
    return path


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda path: check(Dataset("custom", path=str(path))), "dataset.path="),
        (lambda path: importing.read(path, ImportOptions()), ""),
    ],
)
def test_a_pipe_or_a_device_is_refused_by_every_path_of_data(
    read: Callable[[Path], Any], name: str, pipe: Path
) -> None:
    for path in (pipe, Path(os.devnull)):
        with pytest.raises(ConfigError, match=f"^{name}{path}: {NO_FILE}$"):
            read(path)


@pytest.mark.parametrize(
    "name", ["x_train.npy", "train.csv", "train.parquet", "train-images-idx3-ubyte", "cats/1.png"]
)
def test_a_pipe_in_a_folder_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(ConfigError, match=": unknown format; known are "):
        importing.read(tmp_path, ImportOptions())


def test_what_is_larger_than_the_memory_is_refused() -> None:
    limits.require_memory(1000)
    with pytest.raises(ValueError, match=r"^takes 5\.0 EB of memory; this machine has [\d.]+ GB$"):
        limits.require_memory(5 * 10**18)
