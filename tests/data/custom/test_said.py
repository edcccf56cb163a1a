"""`dataset=custom`: what is said and refused of its images."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ltr.config.schema import Dataset as Config
from ltr.data.custom import pinned, status_lines
from ltr.data.dataset import describe, load
from ltr.errors import ConfigError
from tests.data.custom.arrays import good


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
