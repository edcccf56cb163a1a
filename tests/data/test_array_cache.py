import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.core.aligned import ALIGNMENT
from ltr.data.array_cache import cache_path, read_cache, write_cache
from ltr.data.arrays import Arrays, Split, fingerprint
from ltr.data.registry import DatasetEntry


@pytest.fixture(scope="module")
def arrays(tiny_arrays: Arrays) -> Arrays:
    return tiny_arrays


@pytest.fixture(scope="module")
def root(tiny: DatasetEntry, arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cache")
    tiny.folder(root).mkdir(parents=True)
    write_cache(tiny, root, arrays)
    return root


def test_reads_what_was_written(tiny: DatasetEntry, root: Path, arrays: Arrays) -> None:
    cached = read_cache(tiny, root)
    assert cached is not None
    for found, expected in zip(cached, arrays, strict=True):
        np.testing.assert_array_equal(found.images, expected.images, strict=True)
        np.testing.assert_array_equal(found.labels, expected.labels, strict=True)
        assert found.labels.flags.aligned
    assert cached.train.images.ctypes.data % ALIGNMENT == 0


def test_nobody_can_alter_the_cached_arrays(tiny: DatasetEntry, root: Path) -> None:
    cached = read_cache(tiny, root)
    assert cached is not None
    with pytest.raises(ValueError, match="read-only"):
        cached.train.images[0] = 0


def test_no_cache_is_none(tiny: DatasetEntry, tmp_path: Path) -> None:
    assert read_cache(tiny, tmp_path) is None


@given(st.data())
def test_every_altered_bit_is_noticed(tiny: DatasetEntry, root: Path, data: st.DataObject) -> None:
    path = cache_path(tiny, root)
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        path.write_bytes(damaged)
        assert read_cache(tiny, root) is None
    finally:
        path.write_bytes(good)


@given(st.data())
def test_every_truncation_is_noticed(tiny: DatasetEntry, root: Path, data: st.DataObject) -> None:
    path = cache_path(tiny, root)
    good = path.read_bytes()
    try:
        path.write_bytes(good[: data.draw(st.integers(0, len(good) - 1))])
        assert read_cache(tiny, root) is None
    finally:
        path.write_bytes(good)


def test_a_sound_cache_of_another_size_is_no_cache(tiny: DatasetEntry, root: Path, arrays: Arrays) -> None:
    path = cache_path(tiny, root)
    good = path.read_bytes()
    write_cache(tiny, root, Arrays(arrays.test, arrays.test))
    assert read_cache(tiny, root) is None
    path.write_bytes(good)


def test_a_write_that_fails_leaves_the_old_cache(tiny: DatasetEntry, root: Path, arrays: Arrays) -> None:
    broken = Arrays(arrays.train, Split(arrays.test.images, np.array(["no label"])))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no label"):
        write_cache(tiny, root, broken)
    assert read_cache(tiny, root) is not None


def test_fingerprint_is_the_sha256_of_labels_then_images() -> None:
    train = Split(np.array([[[[7]]]], np.uint8), np.array([3], np.int32))
    test = Split(np.array([[[[9]]]], np.uint8), np.array([258], np.int32))
    expected = hashlib.sha256(bytes([3, 0, 0, 0, 2, 1, 0, 0, 7, 9])).hexdigest()
    assert fingerprint(Arrays(train, test)) == expected


def test_fingerprint_depends_on_the_order(arrays: Arrays) -> None:
    backwards = Arrays(Split(arrays.train.images[::-1], arrays.train.labels[::-1]), arrays.test)
    assert fingerprint(backwards) != fingerprint(arrays)
