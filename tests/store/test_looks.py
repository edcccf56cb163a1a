"""The looks that a run folder remembers."""

from pathlib import Path

import pytest

from ltr.errors import LtrError
from ltr.store import looks
from ltr.store.looks import Look

TAKEN = [
    Look(5, {"ticket": 1, "random_mask": 2}, [3, 7], ["matches", "structure"]),
    Look(8, {"ticket": 1}, [3], ["matches"]),
]


def test_looks_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert looks.read(tmp_path) == []
    looks.write(tmp_path, TAKEN)
    assert looks.read(tmp_path) == TAKEN
    assert [path.name for path in tmp_path.iterdir()] == [looks.FILE]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"replicates": 3}]', "null"])
def test_a_damaged_file_is_named_not_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / looks.FILE).write_text(text)
    with pytest.raises(LtrError, match=r"looks\.json: damaged"):
        looks.read(tmp_path)
