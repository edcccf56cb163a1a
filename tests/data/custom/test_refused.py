"""`dataset=custom`: what can be wrong with it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.config.schema import Dataset as Config
from ltr.data.custom import pinned
from ltr.data.dataset import load
from ltr.data.prepare import prepare
from ltr.data.registry import distributed
from ltr.data.tfds_files import write
from ltr.errors import ConfigError, DataNotFoundError
from tests.data.custom.arrays import good

DIGITS = distributed()["digits"]


def test_no_path() -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.path=null: must name an \.npz file or a folder of "):
        load(Config("custom"), None)


def test_an_address_is_no_path() -> None:
    with pytest.raises(
        ConfigError, match=r"^dataset\.path=s3://b/x\.npz: must be a path of this machine, and no address$"
    ):
        pinned(Config("custom", path="s3://b/x.npz"))


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


def test_a_folder_runs_no_code_of_others(
    folder: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger").mkdir()
    (tmp_path / "stranger" / "made_up_features.py").write_text(
        f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "stranger")
    altered(folder, "tensorflow_datasets.core.features.class_label_feature.ClassLabel", "made_up_features.My")
    with pytest.raises(ConfigError, match=r"\(names made_up_features\.My, which is not a feature of TFDS\)"):
        load(folder, None)
    assert not (tmp_path / "ran").exists()
    tfds = pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ValueError, match="Unrecognized FeatureConnector type"):
        tfds.builder_from_directory(folder.path)
    assert (tmp_path / "ran").exists(), "TFDS imports nothing, and the test proves nothing"
