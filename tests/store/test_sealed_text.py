"""A description that is not exactly as it was written is refused; those of earlier versions are read."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ltr.store import sealed_text

VALUES = {"seed": 3, "optimizer": {"learning_rate": 0.0012, "name": "adam"}, "arms": ["ticket"], "é": None}

Write, Read = Callable[[Any], bytes], Callable[[bytes], Any]
FORMATS = [
    (sealed_text.to_json, sealed_text.from_json, json.loads),
    (sealed_text.to_yaml, sealed_text.from_yaml, yaml.safe_load),
]


@pytest.mark.parametrize(("write", "read", "other"), FORMATS)
def test_values_come_back(write: Write, read: Read, other: Read) -> None:
    content = write(VALUES)
    assert read(content) == VALUES
    assert VALUES.items() <= other(content).items(), "other tools read it too"


def test_a_path_that_is_not_in_utf_8_comes_back() -> None:
    values = {"command": "ltr run output_root=\udcff", "emoji \U0001f600": 1e-7}
    assert sealed_text.from_json(sealed_text.to_json(values)) == values


@pytest.mark.parametrize(("write", "read", "other"), FORMATS)
def test_a_flipped_bit_changes_no_value(write: Write, read: Read, other: Read) -> None:
    content, changed = write(VALUES), 0
    for bit in range(8 * len(content)):
        altered = bytearray(content)
        altered[bit // 8] ^= 1 << bit % 8
        try:
            values = read(bytes(altered))
        except ValueError:
            changed += 1
        else:
            assert VALUES.items() <= values.items(), bit
    assert changed > 8 * len(content) - 8 * 80, "all but some bits of the name of the checksum"


@pytest.mark.parametrize(("write", "read", "other"), FORMATS)
def test_another_word_is_refused(write: Write, read: Read, other: Read) -> None:
    with pytest.raises(ValueError, match="other text than was written"):
        read(write(VALUES).replace(b"0.0012", b"0.0013"))


def test_a_file_without_a_checksum_is_read() -> None:
    assert sealed_text.from_json(json.dumps(VALUES).encode()) == VALUES
    assert sealed_text.from_yaml(yaml.safe_dump(VALUES).encode()) == VALUES
