import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ltr.data import importing
from ltr.data.content import Content
from ltr.data.importing.base import ImportOptions
from ltr.errors import ConfigError

LABELS = np.array([1, 2] * 4, np.uint8)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def folder(pictures: Callable[..., np.ndarray], tmp_path: Path) -> Path:
    for name, count in (("mine-train", 8), ("t10k", 4)):
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures(count, 5, 4))))
        (tmp_path / f"{name}-labels.idx1-ubyte").write_bytes(idx(LABELS[:count]))
    return tmp_path


def test_files_of_train_and_test(
    folder: Path, pictures: Callable[..., np.ndarray], imported: Callable[..., Content]
) -> None:
    content = imported(folder)
    np.testing.assert_array_equal(content.train.images[..., 0], pictures(8, 5, 4))
    np.testing.assert_array_equal(content.test.images[..., 0], pictures(4, 5, 4))
    assert content.train.labels.tolist() == [0, 1] * 4
    assert content.class_names == ("1", "2")


def test_what_is_wrong_is_one_line(folder: Path) -> None:
    images = folder / "t10k-images-idx3-ubyte.gz"
    content = images.read_bytes()
    for damaged, message in ((content[:50], "Compressed file ended"), (b"abcd", "not an IDX file")):
        images.write_bytes(damaged)
        with pytest.raises(ConfigError, match=rf"^{folder}: t10k-images-idx3-ubyte\.gz: {message}"):
            importing.read(folder, ImportOptions())
    images.unlink()
    with pytest.raises(ConfigError, match="has images of train and labels of train, test"):
        importing.read(folder, ImportOptions())
