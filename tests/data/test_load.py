import dataclasses
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given

from ltr.config.schema import Dataset as Config
from ltr.data.arrays import Arrays, Split, share_of_zeros
from ltr.data.dataset import Dataset, describe, load, moments, of_each_class
from ltr.data.prepare import prepare
from ltr.data.registry import distributed
from ltr.data.tfds_files import read, write
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from tests.marks import slow_but

DISTRIBUTED = distributed()
DIGITS = distributed()["digits"]


@pytest.fixture
def digits(shared_root: Path) -> Dataset:
    return load(Config(), str(shared_root))


def test_digits_as_a_run_sees_them(digits: Dataset) -> None:
    assert (digits.name, digits.classes) == ("digits", 10)
    for split, count in ((digits.train, 1197), (digits.validation, 240), (digits.test, 360)):
        assert split.images.shape == (count, 8, 8, 1)
        assert split.labels.shape == (count,)
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int32)
        assert split.images.max() == 16
        assert set(split.labels) == set(range(10))


def test_every_digit_of_scikit_learn_is_in_one_split(digits: Dataset) -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    expected = sorted(zip(bunch.images.astype(np.uint8).reshape(-1, 64).tolist(), bunch.target, strict=True))
    splits = (digits.train, digits.validation, digits.test)
    found = [
        (image, label)
        for images, labels in splits
        for image, label in zip(images.reshape(-1, 64).tolist(), labels, strict=True)
    ]
    assert sorted(found) == expected
    assert len({tuple(image) for image, _ in found}) == len(found), "an image is in two splits"


def test_the_test_split_has_every_class_in_proportion(digits: Dataset) -> None:
    counts = np.bincount(digits.test.labels)
    assert counts.min() >= 35
    assert counts.max() <= 37


def test_validation_is_the_end_of_the_training_set(shared_root: Path) -> None:
    one, many = (load(Config("digits", count), str(shared_root)) for count in (1, 1436))
    np.testing.assert_array_equal(one.validation.images, many.validation.images[-1:])
    np.testing.assert_array_equal(
        np.concatenate([one.train.labels, one.validation.labels]),
        np.concatenate([many.train.labels, many.validation.labels]),
    )
    assert len(many.train.labels) == 1


@pytest.mark.parametrize("name", slow_but({"digits"}, DISTRIBUTED))
def test_the_last_examples_are_of_every_class(name: str, real) -> None:
    """TFDS shuffles what it writes, so that the default `dataset.split=last` leaves no class out."""
    dataset = load(from_words([f"dataset={name}"]).dataset, str(real(name)))
    for split in (dataset.train, dataset.validation):
        shares = np.bincount(split.labels, minlength=dataset.classes) / len(split.labels)
        whole = np.bincount(dataset.train.labels, minlength=dataset.classes) / len(dataset.train.labels)
        assert shares.min() > 0
        assert np.abs(shares / whole - 1).max() < 0.5


def test_the_order_of_tfds_is_not_that_of_its_files(digits_root: Path, tmp_path: Path) -> None:
    """Images that are written sorted by class are not read so: what `split=last` relies on."""
    (images, labels), test = prepare(DIGITS, digits_root)
    order = np.argsort(labels, kind="stable")
    entry = dataclasses.replace(DIGITS, sha256=None)
    write(entry, tmp_path, Arrays(Split(images[order], labels[order]), test))
    (_, found), _ = read(entry, tmp_path)
    assert np.bincount(found[-240:], minlength=10).min() >= 12


def test_data_of_the_registry_can_be_stratified(shared_root: Path) -> None:
    last, stratified = (load(Config(split=split), str(shared_root)) for split in ("last", "stratified"))
    assert len(stratified.validation.labels) == len(last.validation.labels)
    shares = np.bincount(stratified.validation.labels) / np.bincount(
        np.concatenate([stratified.train.labels, stratified.validation.labels])
    )
    assert np.ptp(shares) < 0.01
    both = [np.concatenate([data.train.images, data.validation.images]) for data in (last, stratified)]
    np.testing.assert_array_equal(*(np.sort(images.reshape(len(images), -1), axis=0) for images in both))


def test_loading_twice_gives_the_same(digits: Dataset, shared_root: Path) -> None:
    again = load(Config(), str(shared_root))
    for first, second in zip(digits[1:4], again[1:4], strict=True):
        np.testing.assert_array_equal(first.images, second.images)
        np.testing.assert_array_equal(first.labels, second.labels)


def test_mean_and_deviation_are_of_the_training_split_alone(digits: Dataset) -> None:
    pixels = digits.train.images.astype(np.float64)
    np.testing.assert_allclose(digits.mean, [pixels.mean()], rtol=1e-6)
    np.testing.assert_allclose(digits.std, [pixels.std()], rtol=1e-6)
    assert (digits.mean.dtype, digits.std.dtype) == (np.float32, np.float32)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=4, max_dims=4, max_side=5)))
def test_moments_are_those_of_numpy(images: np.ndarray) -> None:
    mean, std = moments(images)
    axes = (0, 1, 2)
    np.testing.assert_allclose(mean, images.mean(axes), rtol=1e-6)
    deviation = images.std(axes)
    np.testing.assert_allclose(std, np.where(deviation > 0, deviation, 1), rtol=1e-5)


def test_moments_of_more_images_than_a_chunk() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2500, 3, 2, 3), np.uint8)
    mean, std = moments(images)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, images.std((0, 1, 2)), rtol=1e-6)


def test_a_channel_that_never_varies_has_deviation_one() -> None:
    images = np.full((1001, 7, 7, 2), (255, 0), np.uint8)
    mean, std = moments(images)
    assert mean.tolist() == [255, 0]
    assert std.tolist() == [1, 1]


def test_an_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.name=mnits: unknown data set; did you mean mnist\?$"):
        load(Config("mnits"), None)


@pytest.mark.parametrize("validation", [60_000, 100_000])
def test_too_many_validation_examples_are_refused_before_any_work(validation: int) -> None:
    message = f"dataset.validation={validation}: must be smaller than the 60000 training examples of mnist"
    with pytest.raises(ConfigError, match=f"^{message}$"):
        load(Config("mnist", validation), None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_real_images_as_a_run_sees_them(name: str, real) -> None:
    dataset = load(Config(name, 5000), str(real(name)))
    assert dataset.train.images.shape == (55_000, 28, 28, 1)
    assert dataset.validation.images.shape == (5_000, 28, 28, 1)
    assert dataset.test.images.shape == (10_000, 28, 28, 1)
    assert np.bincount(dataset.test.labels, minlength=DISTRIBUTED[name].classes).min() >= 892
    known_mean, known_std = {"mnist": (33.3, 78.6), "fashion_mnist": (72.9, 90.0)}[name]
    np.testing.assert_allclose(dataset.mean, [known_mean], atol=0.15)
    np.testing.assert_allclose(dataset.std, [known_std], atol=0.15)


def test_some_of_each_class_are_drawn() -> None:
    labels = np.array([0, 1, 0, 2, 0, 1, 0], np.int32)
    once, other = (of_each_class(labels, 2, np.random.default_rng(seed)) for seed in (0, 3))
    assert labels[once].tolist() == labels[other].tolist() == [0, 0, 1, 1, 2]
    assert len(set(once)) == 5
    assert once.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("images", "expected"),
    [(np.zeros((2, 1, 1, 1), np.uint8), 1.0), (np.array([[[[0, 1, 2, 0]]]], np.uint8), 0.5)],
)
def test_share_of_zeros(images: np.ndarray, expected: float) -> None:
    assert share_of_zeros(images) == expected


def test_the_share_of_zeros_that_is_known_is_that_of_the_data(digits: Dataset) -> None:
    known = describe(Config(name="digits")).zeros
    assert known == pytest.approx(share_of_zeros(digits.train.images), abs=0.005)
