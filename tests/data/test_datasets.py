"""What holds for every data set of the registry."""

import re
from pathlib import Path

import pytest

from ltr.data.arrays import fingerprint
from ltr.data.entry import Entry, Split
from ltr.data.originals import fetch
from ltr.data.prepare import prepare
from ltr.data.registry import DATASETS, find

every_dataset = pytest.mark.parametrize("entry", DATASETS.values(), ids=DATASETS)


@pytest.fixture
def root(entry: Entry, real) -> Path:
    return real(entry.name)


@every_dataset
def test_it_is_found_by_its_name(entry: Entry) -> None:
    assert find(entry.name) is entry
    assert entry.description
    assert "\n" not in entry.description


@every_dataset
def test_its_checksums_are_sha256(entry: Entry) -> None:
    for checksum in (entry.sha256, *(original.sha256 for original in entry.originals)):
        assert re.fullmatch("[0-9a-f]{64}", checksum)


@every_dataset
def test_it_is_what_tfds_has_under_that_name(entry: Entry, tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    if not entry.stock:
        assert entry.name not in tfds.list_builders(with_community_datasets=False)
        return
    builder = tfds.builder(entry.name, data_dir=tmp_path)
    assert str(builder.version) == entry.version
    assert builder.info.features["image"].shape == entry.shape
    assert builder.info.features["label"].num_classes == entry.classes
    assert str(entry.folder(tmp_path)) == builder.data_dir


@every_dataset
def test_every_example_is_there_in_the_order_of_the_registered_checksum(entry: Entry, root: Path) -> None:
    arrays = prepare(entry, root)
    assert [len(split.labels) for split in arrays] == [entry.train_examples, entry.test_examples]
    for split in arrays:
        assert split.images.shape == (len(split.labels), *entry.shape)
        assert set(split.labels) == set(range(entry.classes))
    assert fingerprint(arrays) == entry.sha256


@every_dataset
def test_what_is_prepared_is_what_its_authors_distribute(entry: Entry, root: Path, source) -> None:
    original = entry.read(fetch(entry, source(entry.name)))
    for ours, theirs in zip(prepare(entry, root), original, strict=True):
        assert sorted_rows(ours) == sorted_rows(theirs)


def sorted_rows(split: Split) -> list[tuple[int, bytes]]:
    return sorted((label, image.tobytes()) for image, label in zip(*split, strict=True))
