from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.data import importing
from ltr.data.content import Content
from ltr.data.importing.base import ImportOptions
from ltr.errors import ConfigError, DataNotFoundError

LABELS = np.arange(12) % 3


@pytest.fixture
def keras(pictures: Callable[..., np.ndarray]) -> dict[str, np.ndarray]:
    return {
        "x_train": pictures(12, 5, 4),
        "y_train": LABELS,
        "x_test": pictures(6, 5, 4),
        "y_test": LABELS[:6, np.newaxis],
    }


def save(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def test_an_npz_file_of_keras(
    keras: dict[str, np.ndarray], imported: Callable[..., Content], tmp_path: Path
) -> None:
    content = imported(save(tmp_path / "keras.npz", keras))
    np.testing.assert_array_equal(content.train.images[..., 0], keras["x_train"])
    np.testing.assert_array_equal(content.test.labels, LABELS[:6])
    assert content.class_names == ("0", "1", "2")


def test_a_folder_of_npy_files(
    keras: dict[str, np.ndarray], imported: Callable[..., Content], tmp_path: Path
) -> None:
    folder = tmp_path / "arrays"
    folder.mkdir()
    for name, array in keras.items():
        np.save(folder / f"{name}.npy", array)
    content = imported(folder)
    np.testing.assert_array_equal(content.test.images[..., 0], keras["x_test"])
    np.testing.assert_array_equal(content.train.labels, LABELS)
    (folder / "x_test.npy").write_bytes(b"no array")
    with pytest.raises(ConfigError, match=f"^{folder}: x_test.npy: cannot be read "):
        imported(folder)


def test_x_and_y_alone_need_a_test_split(
    keras: dict[str, np.ndarray], imported: Callable[..., Content], tmp_path: Path
) -> None:
    path = save(tmp_path / "xy.npz", {"X": keras["x_train"], "y": LABELS})
    with pytest.raises(ConfigError, match=r"has no test split; type --test 0\.2 to make one of a fifth"):
        imported(path)
    content = imported(path, test=0.25)
    assert np.bincount(content.test.labels).tolist() == [1, 1, 1]
    both = np.concatenate([content.train.images, content.test.images])[..., 0]
    assert sorted(map(bytes, both)) == sorted(map(bytes, keras["x_train"]))
    with pytest.raises(ConfigError, match=r"--test 0\.9 is 11 images, must be 3 to 9, so that each class"):
        imported(path, test=0.9)


def test_words_and_numbers_from_elsewhere_become_classes(
    keras: dict[str, np.ndarray], imported: Callable[..., Content], tmp_path: Path
) -> None:
    words = np.array(["dog", "ant", "cat"])
    content = imported(
        save(tmp_path / "w.npz", keras | {"y_train": words[LABELS], "y_test": words[LABELS[:6]]})
    )
    assert content.class_names == ("ant", "cat", "dog")
    assert content.train.labels[:3].tolist() == [2, 0, 1]
    content = imported(
        save(tmp_path / "n.npz", keras | {"y_train": LABELS * 10.0 - 5, "y_test": LABELS[:6] * 10.0 - 5})
    )
    assert content.class_names == ("-5", "5", "15")
    np.testing.assert_array_equal(content.train.labels, LABELS)


def test_a_validation_split_and_names_of_classes_are_kept(
    keras: dict[str, np.ndarray], imported: Callable[..., Content], tmp_path: Path
) -> None:
    more = {
        "x_val": keras["x_test"][::-1],
        "y_val": LABELS[:6],
        "class_names": np.array(["ant", "cat", "dog"]),
    }
    content = imported(save(tmp_path / "val.npz", keras | more))
    assert content.validation is not None
    np.testing.assert_array_equal(content.validation.images[..., 0], keras["x_test"][::-1])
    assert content.class_names == ("ant", "cat", "dog")


@pytest.mark.parametrize("shape", [(3, 6, 5), (1, 6, 5)])
def test_channels_first_is_turned_and_said(
    shape: tuple[int, ...], keras: dict[str, np.ndarray], pictures: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    images = {"x_train": pictures(12, *shape), "x_test": pictures(6, *shape)}
    path = save(tmp_path / "first.npz", keras | images)
    content, _, notes = importing.read(path, ImportOptions())
    np.testing.assert_array_equal(content.train.images, np.moveaxis(images["x_train"], 1, -1))
    assert notes[0].startswith(f"read as channels first: 6x5, {shape[0]} channel")
    content, _, notes = importing.read(path, ImportOptions(layout="channels_last"))
    np.testing.assert_array_equal(content.train.images, images["x_train"])
    assert notes == []


def test_floats_become_bytes(
    keras: dict[str, np.ndarray], imported: Callable[..., Content], tmp_path: Path
) -> None:
    floats = {name: keras[name].astype(np.float32) / 255 for name in ("x_train", "x_test")}
    content = imported(save(tmp_path / "floats.npz", keras | floats))
    np.testing.assert_array_equal(content.train.images[..., 0], keras["x_train"])


def test_rows_of_pixels_are_square_or_of_the_shape_that_is_asked(
    keras: dict[str, np.ndarray],
    imported: Callable[..., Content],
    pictures: Callable[..., np.ndarray],
    tmp_path: Path,
) -> None:
    images = {"x_train": pictures(12, 24), "x_test": pictures(6, 24)}
    path = save(tmp_path / "flat.npz", keras | images)
    with pytest.raises(
        ConfigError, match="an image has 24 pixels, which do not fit a square; type --shape HEIGHTxWIDTH"
    ):
        imported(path)
    assert imported(path, shape=(4, 6)).shape == (4, 6, 1)
    content = imported(path, shape=(3, 4, 2), layout="channels_first")
    np.testing.assert_array_equal(content.train.images[0, :, :, 1].ravel(), images["x_train"][0, 8:16])
    with pytest.raises(ConfigError, match="an image has 24 pixels, which do not fit --shape 5x5"):
        imported(path, shape=(5, 5))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"y_test": LABELS[:6] + 1}, "a test image has class 3, which no training image has"),
    ({"y_train": LABELS * 0}, "all training images have the same class; needs two classes or more"),
    ({"y_train": LABELS + 0.5}, "train_labels is float64, must be integers"),
    (
        {"y_train": np.eye(3)[LABELS]},
        r"train_labels has shape \(12, 3\), one-hot labels; type: train_labels = ",
    ),
    ({"y_test": None}, "has the arrays x_train, y_train, x_test; has test images but no test labels"),
    ({"images_test": LABELS}, "images_test is a second array of test images"),
    ({"x_train": None, "y_train": None}, "has no training split; it has test"),
]


@pytest.mark.parametrize(("replaced", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_arrays_are_one_line(
    replaced: dict[str, Any], message: str, keras: dict[str, np.ndarray], tmp_path: Path
) -> None:
    arrays = {name: array for name, array in (keras | replaced).items() if array is not None}
    path = save(tmp_path / "wrong.npz", arrays)
    with pytest.raises(ConfigError, match=f"^{path}: {message}") as caught:
        importing.read(path, ImportOptions())
    assert "\n" not in str(caught.value)


def test_nothing_and_nonsense(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r": no such file or folder$"):
        importing.read(tmp_path / "none", ImportOptions())
    (tmp_path / "tfds").mkdir()
    (tmp_path / "tfds" / "dataset_info.json").write_text("{}")
    with pytest.raises(
        ConfigError, match=r"prepared TFDS data, which dataset\.path=.*tfds reads without an import$"
    ):
        importing.read(tmp_path / "tfds", ImportOptions())
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(ConfigError, match=rf"^{path}: unknown format; known are batches of CIFAR, "):
            importing.read(path, ImportOptions())
    path = tmp_path / "a.npz"
    path.write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"--size: does not apply to .*a\.npz, NumPy arrays$"):
        importing.read(path, ImportOptions(size=(2, 2)))
    with pytest.raises(ConfigError, match=r"a\.npz: not an \.npz file"):
        importing.read(path, ImportOptions())
