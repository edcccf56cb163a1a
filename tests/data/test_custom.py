"""`dataset=custom`: what is at `dataset.path`, what it is called by, and what can be wrong with it."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.composition import from_words
from ltr.config import Dataset as Config
from ltr.data import describe, load, pinned, training_examples
from ltr.data.digits import DIGITS
from ltr.data.prepare import prepare
from ltr.data.tfds_files import write
from ltr.errors import ConfigError, DataNotFoundError
from ltr.store.identity import run_id


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
        return Config("custom", validation=2, path=str(tmp_path / file))

    return save


@pytest.fixture
def folder(digits_root: Path) -> Config:
    """The configuration of a folder of prepared TFDS data."""
    return Config("custom", path=str(DIGITS.folder(digits_root)))


def test_an_npz_file_as_a_run_sees_it(npz: Callable[..., Config]) -> None:
    dataset = load(npz(), None)
    assert (dataset.name, dataset.classes) == ("custom", 3)
    expected = good()
    np.testing.assert_array_equal(dataset.train.images, expected["train_images"][:7, :, :, np.newaxis])
    np.testing.assert_array_equal(dataset.validation.labels, expected["train_labels"][7:])
    np.testing.assert_array_equal(dataset.test.images, expected["test_images"][..., np.newaxis])
    assert (dataset.test.images.dtype, dataset.test.labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_allclose(dataset.mean, [expected["train_images"][:7].mean()], rtol=1e-6)


def test_its_shape_classes_and_sizes_come_from_the_file(npz: Callable[..., Config]) -> None:
    images = {
        "train_images": np.zeros((9, 2, 6, 3), np.uint8),
        "test_images": np.ones((4, 2, 6, 3), np.uint8),
    }
    facts = describe(npz(**images))
    assert (facts.shape, facts.classes, facts.train_examples, facts.test_examples) == ((2, 6, 3), 3, 9, 4)
    assert training_examples(npz(**images)) == 7


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
        return run_id(from_words(["dataset=custom", f"dataset.path={config.path}"]))

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
    assert pinned(config) == config
    assert pinned(Config("mnist")) == Config("mnist")


def test_what_changed_since_is_not_taken_for_what_it_was(npz: Callable[..., Config]) -> None:
    before = pinned(npz())
    after = pinned(npz(test_labels=np.zeros(4, int)))
    with pytest.raises(ConfigError) as caught:
        load(before, None)
    assert str(caught.value) == (
        f"dataset.sha256={before.sha256}: must be null or what {after.path} has now, {after.sha256}"
    )
    assert load(after, None).test.labels.tolist() == [0] * 4


@pytest.mark.parametrize("knob", ["path", "sha256"])
def test_only_custom_data_has_a_path_and_a_checksum(knob: str) -> None:
    with pytest.raises(ConfigError, match=f"^dataset.{knob}=x: must be null unless dataset=custom$"):
        from_words([f"dataset.{knob}=x"])


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
    ({"train_images": IMAGES / 255}, "train_images is float64, must be uint8"),
    ({"train_images": IMAGES.reshape(9, 20)}, rf"train_images has shape \(9, 20\), {SHAPE}"),
    ({"train_images": IMAGES[:0]}, rf"train_images has shape \(0, 5, 4\), {SHAPE}"),
    ({"test_images": IMAGES[:0]}, rf"test_images has shape \(0, 5, 4\), {SHAPE}"),
    ({"train_labels": LABELS * 1.0}, "train_labels is float64, must be integers"),
    ({"train_labels": LABELS > 0}, "train_labels is bool, must be integers"),
    ({"train_labels": LABELS[:8]}, r"train_labels has shape \(8,\), must have \(9,\) as the images"),
    ({"train_labels": LABELS[:, None]}, r"train_labels has shape \(9, 1\), must have \(9,\) as the images"),
    ({"train_labels": LABELS + 1}, r"train_labels holds 1, must hold 0, 1, 2, \.\.\. without a gap"),
    ({"train_labels": LABELS * 2}, r"train_labels holds 2, must hold 0, 1, 2, \.\.\. without a gap"),
    ({"train_labels": LABELS - 1}, r"train_labels holds -1, must hold 0, 1, 2, \.\.\. without a gap"),
    ({"train_labels": LABELS.astype(np.uint64) << 60}, r"train_labels holds 1152921504606846976, must hold"),
    ({"train_labels": LABELS * 0}, "train_labels holds a single class, must hold two or more"),
    ({"test_labels": np.array([0, 1, 2, 3])}, "a test label is 3, must be 0 to 2"),
    ({"test_labels": np.array([0, 1, 2, -1])}, "a test label is -1, must be 0 to 2"),
    ({"test_labels": np.array([0, 1, 2, 2**32])}, "a test label is 4294967296, must be 0 to 2"),
    (
        {"test_images": np.zeros((4, 4, 5), np.uint8)},
        r"an image of test_images has shape \(4, 5, 1\), of train_images \(5, 4, 1\)",
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
