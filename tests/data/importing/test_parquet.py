import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ltr.data import importing
from ltr.data.content import Content
from ltr.data.importing.base import ImportOptions
from ltr.errors import ConfigError


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


PIXEL = png(np.zeros((1, 1), np.uint8))


def write(
    path: Path, images: Sequence[np.ndarray], names: Sequence[str] | None = None, label: str = "label"
) -> Path:
    """A file as Hugging Face data sets write it."""
    path.parent.mkdir(exist_ok=True)
    labels = [number % 2 for number in range(len(images))]
    table = pa.table({"image": [{"bytes": png(image), "path": "a.png"} for image in images], label: labels})
    if names:
        features = {"image": {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return path


@pytest.fixture
def images(pictures: Callable[..., np.ndarray]) -> np.ndarray:
    return pictures(10, 3, 4, 3)


def test_files_of_train_and_test(
    images: np.ndarray, imported: Callable[..., Content], tmp_path: Path
) -> None:
    data = tmp_path / "set" / "data"
    data.parent.mkdir()
    write(data / "train-00000-of-00002.parquet", images[:4], ["cat", "dog"])
    write(data / "train-00001-of-00002.parquet", images[4:6], ["cat", "dog"])
    write(data / "validation-00000-of-00001.parquet", images[6:8], ["cat", "dog"])
    write(data / "test-00000-of-00001.parquet", images[8:], ["cat", "dog"])
    content = imported(data.parent)
    np.testing.assert_array_equal(content.train.images, images[:6])
    np.testing.assert_array_equal(content.test.images, images[8:])
    assert content.validation is not None
    np.testing.assert_array_equal(content.validation.images, images[6:8])
    assert content.class_names == ("cat", "dog")


def test_a_file_of_bytes_with_a_column_of_its_own(
    images: np.ndarray, imported: Callable[..., Content], tmp_path: Path
) -> None:
    table = {"picture": [png(image) for image in images], "kind": ["a", "b"] * 5, "weight": [1.0] * 10}
    pq.write_table(pa.table(table), tmp_path / "all.parquet")
    with pytest.raises(
        ConfigError, match=r"type --label with the column of labels, one of picture, kind, weight$"
    ):
        imported(tmp_path / "all.parquet", test=0.2)
    content = imported(tmp_path / "all.parquet", test=0.2, label="kind")
    assert (len(content.test.labels), content.class_names) == (2, ("a", "b"))


def test_other_sizes_are_named_and_resized(images: np.ndarray, tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", [*images, images[0, :2]])
    with pytest.raises(
        ConfigError, match=r"all\.parquet, row 0 is 3x4 and all\.parquet, row 10 is 2x4; type --size"
    ):
        importing.read(path, ImportOptions(test=0.2))
    assert importing.read(path, ImportOptions(test=0.2, size=(2, 2))).content.shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"label": [0, 1]}, "has 0 columns of encoded images among label; must have one"),
        ({"image": [b"x", b"y"], "label": [0, 1]}, "row 0: cannot be read as an image"),
        ({"image": [b"x", None], "label": [0, 1]}, "row 1: has no image$"),
        ({"image": [PIXEL, PIXEL], "label": [0, None]}, "train_labels has no label in row 1"),
    ],
)
def test_what_is_wrong_is_one_line(table: dict[str, Any], message: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(table), tmp_path / "all.parquet")
    with pytest.raises(ConfigError, match=message) as caught:
        importing.read(tmp_path / "all.parquet", ImportOptions(test=0.5))
    assert "\n" not in str(caught.value)


def test_files_in_several_folders_are_not_mixed(images: np.ndarray, tmp_path: Path) -> None:
    for name in ("plain", "augmented"):
        write(tmp_path / name / "train.parquet", images)
    with pytest.raises(ConfigError, match="has Parquet files in augmented, plain; must be a single one"):
        importing.read(tmp_path, ImportOptions(test=0.2))


def test_labels_that_nobody_may_know_are_refused(images: np.ndarray, tmp_path: Path) -> None:
    """Hugging Face marks them with -1."""
    write(tmp_path / "train.parquet", images[:6], ["cat", "dog"])
    table = pq.read_table(write(tmp_path / "test.parquet", images[6:], ["cat", "dog"]))
    pq.write_table(table.set_column(1, "label", [[-1] * 4]), tmp_path / "test.parquet")
    with pytest.raises(ConfigError, match="a test label is -1, must be 0 to 1"):
        importing.read(tmp_path, ImportOptions())


def test_a_damaged_file_is_one_line(images: np.ndarray, tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", images)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigError, match=r"all\.parquet: cannot be read as Parquet ") as caught:
        importing.read(path, ImportOptions())
    assert "\n" not in str(caught.value)


def test_files_of_a_split_have_the_same_columns(images: np.ndarray, tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", images[:4])
    write(tmp_path / "train-1.parquet", images[4:], label="kind")
    with pytest.raises(ConfigError, match=r"train-1\.parquet: has no column label, as train-0\.parquet has$"):
        importing.read(tmp_path, ImportOptions())
