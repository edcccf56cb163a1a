"""What holds for every data set of the registry."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from ltr.config.schema import Dataset as Config
from ltr.data.arrays import Arrays, Split, fingerprint
from ltr.data.cifar10 import from_records
from ltr.data.cifar100 import _COARSE
from ltr.data.dataset import load
from ltr.data.distribution import Distribution, Files
from ltr.data.originals import read
from ltr.data.prepare import prepare, verify
from ltr.data.registry import DATASETS, DatasetEntry, distributed, find
from tests.marks import slow

DISTRIBUTED = distributed()
DIGITS = distributed()["digits"]
CIFAR10 = distributed()["cifar10"]

every_dataset = pytest.mark.parametrize("entry", DISTRIBUTED.values(), ids=DISTRIBUTED)
every_stock_dataset = pytest.mark.parametrize(
    "name", [name for name in DISTRIBUTED if DISTRIBUTED[name].stock]
)
every_distribution = pytest.mark.parametrize(
    ("name", "distribution"),
    [
        (name, index)
        for name in DISTRIBUTED
        for index, form in enumerate(DISTRIBUTED[name].distributions)
        if form.files
    ],
)
every_known_dataset = pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, id=name) if name == "digits" else slow(entry, id=name)
        for name, entry in DISTRIBUTED.items()
        if entry.sha256 is not None
    ],
)


def sorted_rows(split: Split) -> list[tuple[int, bytes]]:
    return sorted((label, image.tobytes()) for image, label in zip(*split, strict=True))


@every_dataset
def test_it_is_found_by_its_name(entry: DatasetEntry) -> None:
    assert find(entry.name) is entry
    assert entry.description
    assert "\n" not in entry.description


@every_dataset
def test_its_checksums_are_sha256_or_md5(entry: DatasetEntry) -> None:
    assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
    for distribution in entry.distributions:
        for file in distribution.files:
            assert re.fullmatch("[0-9a-f]{32}|[0-9a-f]{64}", file.checksum)


@every_dataset
def test_it_is_what_tfds_has_under_that_name(entry: DatasetEntry, tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    if not entry.stock:
        assert entry.name not in tfds.list_builders(with_community_datasets=False)
        return
    builder = tfds.builder(entry.name, config=entry.config or None, data_dir=tmp_path)
    assert str(builder.version) == entry.version
    assert builder.info.features["image"].shape == entry.shape
    assert builder.info.features["label"].num_classes == entry.classes
    assert set(builder.info.features) == {"image", "label", *entry.features("train", 0, 0)}
    assert str(entry.folder(tmp_path)) == builder.data_dir


@every_distribution
def test_every_distribution_of_it_is_read(name: str, distribution: int, small, tmp_path: Path) -> None:
    made = small(name, distribution)
    found = read(made.entry, made.write(tmp_path))
    for ours, theirs in zip(found, made.arrays, strict=True):
        np.testing.assert_array_equal(ours.images, theirs.images, strict=True)
        np.testing.assert_array_equal(ours.labels, theirs.labels, strict=True)


@every_stock_dataset
def test_what_is_prepared_is_an_ordinary_tfds_data_set(name: str, small, tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    made = small(name)
    prepared = prepare(made.entry, tmp_path, made.write(tmp_path / "source"))
    verify(made.entry, tmp_path)
    source = tfds.data_source(f"{name}/{made.entry.config}".rstrip("/"), data_dir=tmp_path)
    for split in Arrays._fields:
        ours, theirs = getattr(prepared, split), getattr(made.arrays, split)
        assert sorted_rows(ours) == sorted_rows(theirs)
        np.testing.assert_array_equal([example["image"] for example in source[split]], ours.images)
        np.testing.assert_array_equal([example["label"] for example in source[split]], ours.labels)


@every_stock_dataset
def test_a_run_sees_every_example_and_the_same_splits_each_time(
    name: str, small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered
) -> None:
    made = small(name)
    registered(DATASETS, made.entry)
    monkeypatch.setenv("LTR_DATA_SOURCE", str(made.write(tmp_path / name).parent))
    roots = [str(tmp_path / root) for root in ("one", "two", "two")]
    first, *others = (load(Config(name, validation=3), root) for root in roots)
    for split, count in zip(first[1:4], (2 * first.classes - 3, 3, first.classes), strict=True):
        assert split.images.shape == (count, *made.entry.shape)
        assert split.labels.shape == (count,)
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int32)
        assert set(split.labels) <= set(range(first.classes))
    for other in others:
        for ours, theirs in zip(first[1:4], other[1:4], strict=True):
            np.testing.assert_array_equal(ours.images, theirs.images)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_array_equal(first.mean, other.mean)
        np.testing.assert_array_equal(first.std, other.std)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cifar10", {"id": "test_00007"}),
        ("cifar100", {"id": "test_00007", "coarse_label": 14}),
        ("svhn_cropped", {"id": "test_000007"}),
    ],
)
def test_what_tfds_keeps_beside_image_and_label(name: str, expected: dict[str, object]) -> None:
    assert DISTRIBUTED[name].features("test", 7, 2) == expected


def test_each_of_twenty_kinds_of_cifar100_has_five_classes() -> None:
    assert np.bincount(_COARSE).tolist() == [5] * 20
    beaver, dolphin, otter, seal, whale = 4, 30, 55, 72, 95
    assert [_COARSE[label] for label in (beaver, dolphin, otter, seal, whale)] == [0] * 5
    lawn_mower, rocket, streetcar, tank, tractor = 41, 69, 81, 85, 89
    assert [_COARSE[label] for label in (lawn_mower, rocket, streetcar, tank, tractor)] == [19] * 5


# Real data


@pytest.fixture
def root(entry: DatasetEntry, real) -> Path:
    return real(entry.name)


@every_known_dataset
def test_every_example_is_there_in_the_order_of_the_registered_checksum(
    entry: DatasetEntry, root: Path
) -> None:
    arrays = prepare(entry, root)
    assert [len(split.labels) for split in arrays] == [entry.train_examples, entry.test_examples]
    for split in arrays:
        assert split.images.shape == (len(split.labels), *entry.shape)
        assert set(split.labels) == set(range(entry.classes))
    assert fingerprint(arrays) == entry.sha256


@every_known_dataset
def test_what_is_prepared_is_what_its_authors_distribute(entry: DatasetEntry, root: Path, source) -> None:
    for ours, theirs in zip(prepare(entry, root), read(entry, source(entry.name)), strict=True):
        assert sorted_rows(ours) == sorted_rows(theirs)


def test_digits_are_prepared_in_the_order_of_the_registered_checksum_only(tmp_path: Path) -> None:
    other = dataclasses.replace(DIGITS, sha256="0" * 64)
    with pytest.raises(Exception, match=f"SHA-256 of its arrays is {DIGITS.sha256}, expected 0000"):
        prepare(other, tmp_path)


@pytest.mark.slow
def test_the_test_images_of_cifar10_are_those_of_its_authors(source, registered) -> None:
    """A thousand of each class, and means and deviations of the channels as published."""
    name = "test_batch.bin"
    (file,) = (file for file in CIFAR10.distributions[1].files if file.name == name)

    def read_twice(files) -> Arrays:
        return Arrays(from_records(files[name]), from_records(files[name]))

    only = registered(DATASETS, CIFAR10, Files((Distribution((file,), read_twice),)))
    images, labels = read(only, source("cifar10")).test
    assert np.bincount(labels).tolist() == [1000] * 10
    assert labels[:5].tolist() == [3, 8, 8, 0, 6]
    np.testing.assert_allclose(images.mean((0, 1, 2)) / 255, [0.4942, 0.4851, 0.4504], atol=5e-4)
    np.testing.assert_allclose(images.std((0, 1, 2)) / 255, [0.2467, 0.2429, 0.2616], atol=5e-4)
