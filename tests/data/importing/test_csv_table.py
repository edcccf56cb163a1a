import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.data import importing
from ltr.data.content import Content
from ltr.data.importing.base import ImportOptions
from ltr.errors import ConfigError

LABELS = np.arange(8) % 2


def write(path: Path, rows: Sequence[Sequence[Any]], header: Sequence[str] | None = None) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)
    return path


@pytest.fixture
def rows(pictures: Callable[..., np.ndarray]) -> np.ndarray:
    """Labels, then the pixels of 3x3 images."""
    return np.column_stack([LABELS, pictures(8, 9)])


HEADER = ["label", *(f"pixel{number}" for number in range(9))]


def test_a_table_with_a_header(rows: np.ndarray, imported: Callable[..., Content], tmp_path: Path) -> None:
    content = imported(write(tmp_path / "t.csv", rows, HEADER), test=0.25)
    both = np.concatenate([content.train.images, content.test.images]).reshape(8, 9)
    assert sorted(both.tolist()) == sorted(rows[:, 1:].tolist())
    assert content.shape == (3, 3, 1)


def test_tables_of_train_and_test(rows: np.ndarray, imported: Callable[..., Content], tmp_path: Path) -> None:
    words = [[["odd", "even"][label], *pixels] for label, *pixels in rows]
    header = ["What", *HEADER[1:]]
    write(tmp_path / "both" / "my_train.csv", words[:6], header)
    write(tmp_path / "both" / "my_test.csv", words[6:], header)
    content = imported(tmp_path / "both", label="What")
    assert content.class_names == ("even", "odd")
    np.testing.assert_array_equal(content.train.images.reshape(6, 9), rows[:6, 1:])
    np.testing.assert_array_equal(content.test.labels, [1, 0])


def test_without_a_header_the_label_is_a_position(
    rows: np.ndarray, imported: Callable[..., Content], tmp_path: Path
) -> None:
    path = write(tmp_path / "t.csv", rows)
    with pytest.raises(
        ConfigError, match=r"t\.csv: has no header; type --label with the position .* 0 to 9 \(0 for"
    ):
        imported(path, test=0.25)
    content = imported(path, test=0.25, label="0")
    assert len(content.train.labels) + len(content.test.labels) == 8, "the first row was lost"


@pytest.mark.parametrize(
    ("header", "cell", "label", "message"),
    [
        (
            ["kind", *HEADER[1:]],
            7,
            None,
            "type --label with the column of labels, one of kind, pixel0, pixel1, ",
        ),
        (
            HEADER,
            7,
            "kind",
            "has no column kind; type --label with the column of labels, one of label, pixel0, ",
        ),
        (HEADER, "seven", None, "column pixel8 must hold numbers, like every column but the label's"),
        (HEADER, "", None, "column pixel8 has no number in row 0"),
        (HEADER, '7,"8', None, "cannot be read as CSV"),
        (HEADER, 700, None, "uint8 cannot hold exactly"),
    ],
)
def test_what_is_wrong_is_one_line(
    header: list[str], cell: Any, label: str | None, message: str, rows: np.ndarray, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.csv", rows, header)
    lines = path.read_text().splitlines()
    lines[1] = f"{lines[1].rpartition(',')[0]},{cell}"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=message) as caught:
        importing.read(path, ImportOptions(label=label, test=0.25))
    assert "\n" not in str(caught.value)


def test_labels_that_are_missing_are_named(rows: np.ndarray, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [["", *rows[0, 1:]], *rows[1:]], HEADER)
    with pytest.raises(ConfigError, match=r"t\.csv: train_labels has no label in row 0"):
        importing.read(path, ImportOptions(test=0.25))


def test_several_tables_of_no_split(rows: np.ndarray, tmp_path: Path) -> None:
    for name in ("one", "train"):
        write(tmp_path / "both" / f"{name}.csv", rows, HEADER)
    with pytest.raises(ConfigError, match=r"one\.csv: must have train, validation or test in its name"):
        importing.read(tmp_path / "both", ImportOptions())
