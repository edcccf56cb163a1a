"""`dataset=custom`: what is at `dataset.path`, what it is called by, and what can be wrong with it."""

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
from ltr.data.dataset import describe, load, training_examples
from ltr.data.prepare import prepare
from ltr.data.registry import distributed
from ltr.data.splitting import stratified
from ltr.data.tfds_files import write
from ltr.errors import ConfigError, DataNotFoundError
from ltr.experiment.compose import from_words
from ltr.store.identity import run_id

DIGITS = distributed()["digits"]


def good() -> dict[str, np.ndarray]:
    """Arrays of three classes of 5x4 images in grey."""
    generator = np.random.default_rng(0)
    return {
        "train_images": generator.integers(0, 256, (9, 5, 4), np.uint8),
        "train_labels": np.arange(9) % 3,
        "test_images": generator.integers(0, 256, (4, 5, 4), np.uint8),
        "test_labels": np.arange(4) % 3,
    }


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., Config]:
    """The configuration of a file of good arrays, some replaced; of None, left out."""

    def save(file: str = "mine.npz", **replaced: Any) -> Config:
        arrays = {name: array for name, array in (good() | replaced).items() if array is not None}
        np.savez(tmp_path / file, **arrays)
        return Config("custom", validation=3, path=str(tmp_path / file), split="auto")

    return save


@pytest.fixture
def folder(digits_root: Path) -> Config:
    """The configuration of a folder of prepared TFDS data."""
    return Config("custom", path=str(DIGITS.folder(digits_root)))


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


# How it is split


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


# What is said and refused of its images


def test_a_run_says_what_its_data_are(npz: Callable[..., Config]) -> None:
    config = pinned(npz())
    expected = (
        "data: 6 train, 3 validation (a share of each class), 4 test images of 5x4, 1 channel; 3 classes"
    )
    assert list(status_lines(config)) == [expected]
    assert list(status_lines(Config())) == []
    most = pinned(dataclasses.replace(npz(), validation=5))
    warning = "warning: more validation images than training images (dataset.validation=5)"
    assert list(status_lines(most))[1:] == [warning]


def test_what_is_odd_is_warned_of(npz: Callable[..., Config]) -> None:
    images = good()["train_images"]
    images[[4, 6]] = 7
    said = list(status_lines(pinned(npz(train_images=images, weights=np.ones(9)))))
    assert said[1:] == [
        "warning: not used: weights",
        "warning: 2 of 9 train images are of a single colour, the first in row 4",
    ]


def test_images_that_are_probably_channels_first_are_refused_until_it_is_said(
    npz: Callable[..., Config],
) -> None:
    images = {name: np.moveaxis(coloured(name), -1, 1) for name in ("train_images", "test_images")}
    config = npz(**images)
    message = (
        r"train_images has shape \(9, 3, 5, 6\), which is probably channels first; type "
        "dataset.layout=channels_first if its images are 5x6, 3 channels, "
        "dataset.layout=channels_last if they are 3x5, 6 channels$"
    )
    with pytest.raises(ConfigError, match=message):
        pinned(config)
    first, last = (pinned(dataclasses.replace(config, layout=f"channels_{end}")) for end in ("first", "last"))
    assert describe(first).shape == (5, 6, 3)
    assert describe(last).shape == (3, 5, 6)
    np.testing.assert_array_equal(load(first, None).test.images, coloured("test_images"))
    assert first.sha256 == pinned(npz(**{name: coloured(name) for name in images})).sha256


def coloured(name: str) -> np.ndarray:
    count = len(good()[name])
    return np.random.default_rng(1).integers(0, 256, (count, 5, 6, 3), np.uint8)


def test_floats_that_are_bytes_are_the_same_run(npz: Callable[..., Config]) -> None:
    floats = {name: (good()[name] / 255).astype(np.float32) for name in ("train_images", "test_images")}
    assert pinned(npz("floats.npz", **floats)).sha256 == pinned(npz()).sha256


def test_floats_that_are_no_bytes_are_refused_with_what_to_type(npz: Callable[..., Config]) -> None:
    floats = {name: good()[name] / 256 for name in ("train_images", "test_images")}
    with pytest.raises(
        ConfigError, match=r"type: train_images = np\.round\(train_images \* 255\)\.astype\(np\.ui"
    ):
        pinned(npz(**floats))


def test_what_ltr_data_import_reads_is_answered_with_it(npz: Callable[..., Config], tmp_path: Path) -> None:
    names = {"train": "x_train", "test": "x_test"}
    np.savez(
        tmp_path / "keras.npz",
        **{new: good()[f"{old}_images"] for old, new in names.items()},
        **{new.replace("x", "y"): good()[f"{old}_labels"] for old, new in names.items()},
    )
    table = tmp_path / "a table.csv"
    table.write_text("label,a\n0,1\n")
    for path, kind, quoted in (
        (tmp_path / "keras.npz", "NumPy arrays", f"{tmp_path}/keras.npz"),
        (table, "CSV", f"'{table}'"),
    ):
        with pytest.raises(ConfigError) as caught:
            describe(Config("custom", path=str(path)))
        assert str(caught.value) == (
            f"dataset.path={path}: holds {kind}; to convert it for runs, type: ltr data import {quoted}"
        )


# What can be wrong with it


def test_no_path(npz: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.path=null: must name an \.npz file or a folder of "):
        load(Config("custom"), None)


def test_nothing_there(tmp_path: Path) -> None:
    path = tmp_path / "nothing.npz"
    with pytest.raises(DataNotFoundError, match=f"^dataset.path={path}: no such file or folder$"):
        load(Config("custom", path=str(path)), None)


def test_too_few_examples(npz: Callable[..., Config]) -> None:
    config = dataclasses.replace(npz(), validation=9)
    with pytest.raises(ConfigError, match=r"^dataset\.validation=9: must be smaller than the 9 "):
        pinned(config)
    message = "dataset.validation=9: must be smaller than the 9 training examples of custom"
    with pytest.raises(ConfigError, match=f"^{message}$"):
        load(config, None)


IMAGES, LABELS = good()["train_images"], good()["train_labels"]
SHAPE = r"must be \[N, height, width\] or \[N, height, width, channels\] and not empty"
WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"test_labels": None},
        "has no array test_labels; needs train_images, train_labels, test_images, test_l",
    ),
    ({"train_images": IMAGES / 255}, "test_images is uint8, must be float64 as train_images"),
    ({"train_images": IMAGES.astype(str)}, "test_images is uint8, must be <U3 as train_images"),
    ({"train_images": IMAGES.reshape(9, 20)}, rf"train_images has shape \(9, 20\), {SHAPE}"),
    ({"train_images": IMAGES[:0]}, rf"train_images has shape \(0, 5, 4\), {SHAPE}"),
    ({"test_images": IMAGES[:0]}, rf"test_images has shape \(0, 5, 4\), {SHAPE}"),
    ({"train_labels": LABELS * 1.0}, "train_labels is float64, must be integers"),
    ({"train_labels": LABELS > 0}, "train_labels is bool, must be integers"),
    (
        {"train_labels": LABELS[:8]},
        r"train_labels has shape \(8,\), must have \(9,\), a label for each image",
    ),
    (
        {"train_labels": np.eye(3, dtype=int)[LABELS]},
        r"train_labels has shape \(9, 3\), one-hot labels; type: tra",
    ),
    ({"train_labels": np.ones((9, 3), int)}, r"train_labels has shape \(9, 3\), several labels for an image"),
    ({"val_images": IMAGES}, "has val_images alone; needs both of val_images and val_labels, or neither"),
    ({"val_images": IMAGES, "val_labels": LABELS + 1}, "a validation label is 3, must be 0 to 2"),
    ({"class_names": np.arange(3)}, r"class_names has shape \(3,\) of int64, must be words \[classes\]"),
    ({"class_names": np.array(["cat", "dog"])}, "a train label is 2, must be 0 to 1"),
    (
        {"train_labels": LABELS + 1},
        r"train_labels holds 1, must hold 0, 1, 2, \.\.\. without a gap: class 0 has",
    ),
    (
        {"train_labels": LABELS * 2},
        r"train_labels holds 2, must hold 0, 1, 2, \.\.\. without a gap: class 1 has",
    ),
    ({"train_labels": LABELS - 1}, r"train_labels holds -1, must hold 0, 1, 2, \.\.\. without a gap"),
    ({"train_labels": LABELS.astype(np.uint64) << 60}, r"train_labels holds 1152921504606846976, must hold"),
    ({"train_labels": LABELS * 0}, "train_labels holds a single class, must hold two or more"),
    ({"test_labels": np.array([0, 1, 2, 3])}, "a test label is 3, must be 0 to 2"),
    ({"test_labels": np.array([0, 1, 2, -1])}, "a test label is -1, must be 0 to 2"),
    ({"test_labels": np.array([0, 1, 2, 2**32])}, "a test label is 4294967296, must be 0 to 2"),
    (
        {"test_images": np.zeros((4, 4, 5), np.uint8)},
        r"an image of test_images has shape \(4, 5, 1\), one of train_images \(5, 4, 1\)",
    ),
    ({"train_labels": np.array([None] * 9)}, r"train_labels cannot be read \(Object arrays cannot be loaded"),
]


@pytest.mark.parametrize(("replaced", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_arrays_are_one_line(
    replaced: dict[str, Any], message: str, npz: Callable[..., Config]
) -> None:
    config = npz(**replaced)
    with pytest.raises(ConfigError, match=f"^dataset.path={config.path}: {message}") as caught:
        load(config, None)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_one_line(npz: Callable[..., Config]) -> None:
    config = npz()
    path = Path(config.path or "")
    content = bytearray(path.read_bytes())
    content[content.index(good()["train_images"].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"train_images cannot be read \(Bad CRC-32"):
        load(config, None)
    path.write_bytes(content[:200])
    with pytest.raises(ConfigError, match=r": not an \.npz file, nor a folder of prepared TFDS data$"):
        load(config, None)


def test_a_folder_of_something_else_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=": not a folder of prepared TFDS data ") as caught:
        load(Config("custom", path=str(tmp_path)), None)
    assert "\n" not in str(caught.value)


def test_a_folder_is_never_channels_first(folder: Config) -> None:
    with pytest.raises(ConfigError, match=r"is channels last; dataset\.layout must be null$"):
        pinned(dataclasses.replace(folder, layout="channels_first"))


def test_a_damaged_folder_is_one_line(folder: Config) -> None:
    record = next(Path(folder.path or "").glob("*train*"))
    record.write_bytes(record.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r": damaged, or in a format that needs TensorFlow ") as caught:
        load(folder, None)
    assert "\n" not in str(caught.value)


def altered(folder: Config, old: str, new: str) -> None:
    for path in Path(folder.path or "").glob("*.json"):
        path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"test"', '"eval"', "has the splits eval, train; needs train and test"),
        ('"label"', '"target"', "has the features image, target; needs image and a class label"),
        (
            '"image"',
            '"picture"',
            r"must have the feature image, uint8 \[height, width, channels\] of one size",
        ),
        ('"uint8"', '"int32"', r"must have the feature image, uint8 \[height, width, channels\] of one size"),
    ],
)
def test_a_folder_of_other_data_is_one_line(folder: Config, old: str, new: str, message: str) -> None:
    altered(folder, old, new)
    with pytest.raises(ConfigError, match=f"^dataset.path={folder.path}: {message}$"):
        load(folder, None)


def test_labels_beyond_the_classes_of_a_folder_are_one_line(tmp_path: Path, digits_root: Path) -> None:
    entry = dataclasses.replace(DIGITS, sha256=None)
    write(entry, tmp_path, prepare(DIGITS, digits_root))
    config = Config("custom", path=str(entry.folder(tmp_path)))
    altered(config, '"numClasses": "10"', '"numClasses": "7"')
    with pytest.raises(ConfigError, match=r": a train label is [789], must be 0 to 6$"):
        load(config, None)
