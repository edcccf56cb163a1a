import dataclasses

import numpy as np
import pytest

from ltr.data.arrays import Arrays, Split
from ltr.data.registry import DATASETS
from ltr.data.tfds_files import fingerprint, mismatch

DIGITS = dataclasses.replace(DATASETS["digits"], train_examples=3, test_examples=2, classes=4, sha256=None)


def arrays(train: list[int], test: list[int]) -> Arrays:
    """Black images with these labels."""
    return Arrays(
        *(
            Split(np.zeros((len(labels), 2, 2, 1), np.uint8), np.array(labels, np.int32))
            for labels in (train, test)
        )
    )


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ([0, 1, 3], [2, 0], None),
        ([0, 1], [2, 0], "2 train examples, expected 3"),
        ([0, 1, 3], [2], "1 test examples, expected 2"),
        ([0, 1, 4], [2, 0], "a train label outside 0 to 3"),
        ([0, 1, 3], [2, -1], "a test label outside 0 to 3"),
    ],
)
def test_examples_that_are_not_those_of_the_data_set(
    train: list[int], test: list[int], expected: str | None
) -> None:
    assert mismatch(DIGITS, arrays(train, test)) == expected


def test_other_pixels_have_another_fingerprint() -> None:
    made = arrays([0, 1, 3], [2, 0])
    known = dataclasses.replace(DIGITS, sha256=fingerprint(made))
    assert mismatch(known, made) is None
    made.train.images[0, 0, 0, 0] = 1
    assert mismatch(known, made) == f"SHA-256 of its arrays is {fingerprint(made)}, expected {known.sha256}"
