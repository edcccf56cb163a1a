"""`dataset=custom`: how it is split."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.config.schema import Dataset as Config
from ltr.data.custom import pinned, status_lines
from ltr.data.dataset import load, training_examples
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from ltr.store.identity import run_id
from tests.data.custom.arrays import good


def by_class(counts: list[int]) -> dict[str, np.ndarray]:
    """Training data sorted by class, of so many examples each."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return {
        "train_images": np.arange(20 * len(labels)).reshape(-1, 5, 4).astype(np.uint8),
        "train_labels": labels,
    }


def test_data_sorted_by_class_validate_and_train_on_every_class(npz: Callable[..., Config]) -> None:
    config = dataclasses.replace(npz(**by_class([40, 30, 30])), validation=10)
    dataset = load(pinned(config), None)
    assert np.bincount(dataset.validation.labels).tolist() == [4, 3, 3]
    assert np.bincount(dataset.train.labels).tolist() == [36, 27, 27]
    assert (np.diff(dataset.train.labels) >= 0).all(), "training rows changed their order"
    images = np.concatenate([dataset.train.images, dataset.validation.images]).reshape(100, -1)
    assert len(np.unique(images, axis=0)) == len(
        np.unique(by_class([40, 30, 30])["train_images"].reshape(100, -1), axis=0)
    )


def test_a_run_split_otherwise_is_another_run(npz: Callable[..., Config]) -> None:
    """A run of before `dataset.split`, whose default is `last`, keeps its id."""
    config = npz()
    last = from_words(
        ["dataset=custom", f"dataset.path={config.path}", "dataset.validation=3", "dataset.split=last"]
    )

    def id_of(split: Any) -> str:
        dataset = pinned(dataclasses.replace(config, split=split))
        return run_id(dataclasses.replace(last, dataset=dataset))

    assert run_id(last) == "319325179d"
    assert id_of("auto") == id_of("stratified") != id_of("last") == run_id(last)


@pytest.mark.parametrize(
    ("counts", "split", "message"),
    [
        ([3, 6], "last", r"dataset\.split=last: class 0 \(cat\) has no validation example; "),
        (
            [6, 3],
            "last",
            r"dataset\.split=last: class 1 \(dog\) has no training example; dataset\.split=stratified gives ",
        ),
        ([8, 1], "auto", r"dataset\.path=.*: class 1 \(dog\) has 1 training example, needs 2 or more$"),
        ([9, 0], "auto", r"dataset\.path=.*: class 1 \(dog\) has no training example$"),
    ],
)
def test_a_class_without_examples_is_refused_by_name(
    counts: list[int], split: Any, message: str, npz: Callable[..., Config]
) -> None:
    names = np.array(["cat", "dog"])
    config = npz(**by_class(counts), test_labels=np.zeros(4, int), class_names=names)
    with pytest.raises(ConfigError, match=f"^{message}"):
        pinned(dataclasses.replace(config, split=split))


def test_classes_without_examples_are_counted(npz: Callable[..., Config]) -> None:
    message = r"class 1 \(b\) has no training example \(2 classes have too few\)$"
    with pytest.raises(ConfigError, match=message):
        pinned(npz(**by_class([9]), test_labels=np.zeros(4, int), class_names=np.array(["a", "b", "c"])))


def test_fewer_validation_examples_than_classes(npz: Callable[..., Config]) -> None:
    message = r"^dataset\.validation=2: must be 3 to 6, so that each class has examples in both parts$"
    with pytest.raises(ConfigError, match=message):
        pinned(dataclasses.replace(npz(), validation=2))


OWN = {
    "val_images": np.arange(100).reshape(5, 5, 4).astype(np.uint8),
    "val_labels": np.array([[2], [1], [0], [0], [1]], np.uint8),
}


def test_the_validation_split_of_a_file_is_used(npz: Callable[..., Config]) -> None:
    """The names and shapes of MedMNIST."""
    labels = {name: good()[name][:, None].astype(np.uint8) for name in ("train_labels", "test_labels")}
    config = pinned(npz(**OWN, **labels))
    assert (config.split, config.validation, training_examples(config)) == ("file", 5, 9)
    dataset = load(config, None)
    np.testing.assert_array_equal(dataset.validation.images[..., 0], OWN["val_images"])
    assert dataset.validation.labels.tolist() == [2, 1, 0, 0, 1]
    np.testing.assert_array_equal(dataset.train.images[..., 0], good()["train_images"])
    assert next(status_lines(config)).startswith(
        "data: 9 train, 5 validation (the split of the data), 4 test"
    )
    assert pinned(config) == config


def test_the_validation_split_of_a_file_is_part_of_what_a_run_is_if_it_is_used(
    npz: Callable[..., Config],
) -> None:
    other = OWN | {"val_images": OWN["val_images"] + 1}
    assert pinned(npz(**OWN)).sha256 != pinned(npz(**other)).sha256
    unused = dataclasses.replace(npz(**OWN), split="stratified")
    plain = dataclasses.replace(npz("plain.npz"), split="stratified")
    assert pinned(unused).sha256 == pinned(plain).sha256
    assert "warning: the validation split of the data is not used (dataset.split=stratified)" in status_lines(
        unused
    )


def test_a_validation_split_without_a_class_is_refused(npz: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"class 2 has no validation example$"):
        pinned(npz(**OWN | {"val_labels": np.array([0, 1, 0, 1, 0])}))


def test_a_validation_split_that_is_not_there_is_refused(npz: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.split=file: .* has no validation split"):
        pinned(dataclasses.replace(npz(), split="file"))
    with pytest.raises(
        ConfigError, match=r"^dataset\.split=file: must be last or stratified unless dataset=c"
    ):
        pinned(Config(split="file"))


def test_the_validation_split_of_a_folder_is_used(folder: Config) -> None:
    path = Path(folder.path or "")
    shutil.copy(
        path / "digits-test.array_record-00000-of-00001",
        path / "digits-validation.array_record-00000-of-00001",
    )
    info = json.loads((path / "dataset_info.json").read_text())
    info["splits"].append(info["splits"][1] | {"name": "validation"})
    (path / "dataset_info.json").write_text(json.dumps(info))
    config = pinned(dataclasses.replace(folder, split="auto"))
    assert (config.split, config.validation, training_examples(config)) == ("file", 360, 1437)
    dataset = load(config, None)
    np.testing.assert_array_equal(dataset.validation.images, dataset.test.images)
    assert len(load(pinned(folder), None).train.labels) == 1437 - 240
