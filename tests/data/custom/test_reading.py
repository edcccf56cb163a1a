"""`dataset=custom`: what is at `dataset.path`, and what it is called by."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ltr.config.schema import Dataset as Config
from ltr.data.custom import pinned
from ltr.data.dataset import describe, load, training_examples
from ltr.data.prepare import prepare
from ltr.data.splitting import stratified
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from ltr.store.identity import run_id
from tests.data.custom.arrays import good


def test_an_npz_file_as_a_run_sees_it(npz: Callable[..., Config]) -> None:
    dataset = load(npz(), None)
    assert (dataset.name, dataset.classes) == ("custom", 3)
    expected = good()
    held_out = stratified(expected["train_labels"], 3)
    kept = np.setdiff1d(np.arange(9), held_out)
    np.testing.assert_array_equal(dataset.train.images, expected["train_images"][kept][..., np.newaxis])
    np.testing.assert_array_equal(dataset.validation.images[..., 0], expected["train_images"][held_out])
    assert sorted(dataset.validation.labels) == [0, 1, 2]
    np.testing.assert_array_equal(dataset.test.images, expected["test_images"][..., np.newaxis])
    assert (dataset.test.images.dtype, dataset.test.labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_allclose(dataset.mean, [expected["train_images"][kept].mean()], rtol=1e-6)


def test_its_shape_classes_and_sizes_come_from_the_file(npz: Callable[..., Config]) -> None:
    images = {
        "train_images": np.zeros((9, 2, 6, 3), np.uint8),
        "test_images": np.ones((4, 2, 6, 3), np.uint8),
    }
    facts = describe(npz(**images))
    assert (facts.shape, facts.classes, facts.train_examples, facts.test_examples) == ((2, 6, 3), 3, 9, 4)
    assert training_examples(npz(**images)) == 6


def test_a_folder_of_prepared_data_is_read(folder: Config, digits_root: Path) -> None:
    ours, theirs = load(folder, None), load(Config(), str(digits_root))
    assert (ours.name, ours.classes) == ("custom", 10)
    for mine, yours in zip(ours[1:4], theirs[1:4], strict=True):
        np.testing.assert_array_equal(mine.images, yours.images)
        np.testing.assert_array_equal(mine.labels, yours.labels)


def test_a_folder_of_encoded_images_is_read(small, tmp_path: Path) -> None:
    made = small("cifar10")
    prepared = prepare(made.entry, tmp_path, made.write(tmp_path / "source"))
    found = load(Config("custom", 2, path=str(made.entry.folder(tmp_path))), None)
    np.testing.assert_array_equal(found.test.images, prepared.test.images)
    np.testing.assert_array_equal(found.test.labels, prepared.test.labels)


# What it is called by


def test_a_run_is_called_by_what_is_in_the_file_not_by_where_it_lies(
    npz: Callable[..., Config], tmp_path: Path
) -> None:
    def name(config: Config) -> str:
        return run_id(from_words(["dataset=custom", f"dataset.path={config.path}", "dataset.validation=3"]))

    one, moved = npz("one.npz"), npz("moved.npz")
    np.savez_compressed(tmp_path / "small.npz", **good())
    small = dataclasses.replace(one, path=str(tmp_path / "small.npz"))
    assert name(one) == name(moved) == name(small)
    labels, pixels, order = good()["train_labels"].copy(), good()["test_images"].copy(), np.arange(9)[::-1]
    labels[0], pixels[0, 0, 0] = 1, pixels[0, 0, 0] ^ 1
    reversed_ = {name: good()[name][order] for name in ("train_images", "train_labels")}
    flat = {name: good()[name].reshape(-1, 10, 2) for name in ("train_images", "test_images")}
    others = [npz("a.npz", train_labels=labels), npz("b.npz", test_images=pixels), npz("c.npz", **reversed_)]
    others.append(npz("d.npz", **flat))
    assert len({name(config) for config in (one, *others)}) == 5


def test_a_folder_that_moves_keeps_its_name(folder: Config, tmp_path: Path) -> None:
    moved = shutil.copytree(Path(folder.path or ""), tmp_path / "moved")
    assert pinned(dataclasses.replace(folder, path=str(moved))).sha256 == pinned(folder).sha256


def test_a_configuration_is_pinned_once(npz: Callable[..., Config]) -> None:
    config = pinned(npz())
    assert (config.split, config.validation) == ("stratified", 3)
    assert pinned(config) == config
    assert pinned(Config("mnist")) == Config("mnist")


def test_what_changed_since_is_not_taken_for_what_it_was(npz: Callable[..., Config]) -> None:
    before = pinned(npz())
    after = pinned(npz(test_labels=np.zeros(4, int)))
    with pytest.raises(ConfigError) as caught:
        load(before, None)
    assert str(caught.value) == (
        f"dataset.sha256={before.sha256}: must be null or that of {after.path}, which is now {after.sha256}"
    )
    assert load(after, None).test.labels.tolist() == [0] * 4


@pytest.mark.parametrize("knob", ["path", "sha256"])
def test_only_custom_data_has_a_path_and_a_checksum(knob: str) -> None:
    with pytest.raises(ConfigError, match=f"^dataset.{knob}=x: must be null unless dataset=custom$"):
        from_words([f"dataset.{knob}=x"])
