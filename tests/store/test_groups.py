"""One pytree a replicate, saved together; what is damaged is dropped."""

import logging
from pathlib import Path

import numpy as np
import pytest

from ltr.store import checkpoints
from ltr.store.groups import Groups


def tree(number: int) -> dict[str, np.ndarray | None]:
    return {"kernel": np.full((2, 3), number, np.float32), "bias": None}


def trees(*replicates: int) -> dict[int, dict[str, np.ndarray | None]]:
    return {number: tree(number) for number in replicates}


def kernels(groups: Groups, name: str) -> dict[int, float]:
    """The number that each replicate's kernel was filled with."""
    return {number: groups.load(name, number)["kernel"].mean() for number in groups.members(name)}


def damage(checkpoint: Path) -> None:
    file = max(checkpoint.rglob("d/*"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_every_replicate_gets_its_own_back(tmp_path: Path) -> None:
    Groups(tmp_path).save("initial", trees(0, 1, 2))
    again = Groups(tmp_path)
    assert kernels(again, "initial") == {0: 0, 1: 1, 2: 2}
    assert again.load("initial", 0)["bias"] is None


def test_more_replicates_are_a_second_group(tmp_path: Path) -> None:
    Groups(tmp_path).save("initial", trees(0, 1))
    Groups(tmp_path).save("initial", trees(2, 3))
    assert sorted(path.name for path in (tmp_path / "initial").iterdir()) == ["0-1", "2-3"]
    assert kernels(Groups(tmp_path), "initial") == {0: 0, 1: 1, 2: 2, 3: 3}


def test_replicates_need_not_be_in_one_piece(tmp_path: Path) -> None:
    Groups(tmp_path).save("initial", trees(1))
    Groups(tmp_path).save("initial", trees(0, 2, 3))
    assert kernels(Groups(tmp_path), "initial") == {0: 0, 1: 1, 2: 2, 3: 3}


def test_names_are_kept_apart(tmp_path: Path) -> None:
    groups = Groups(tmp_path)
    for number in range(4):
        groups.save(f"round_{number:02}", {0: tree(number)})
    assert [groups.load(f"round_{number:02}", 0)["kernel"][0, 0] for number in range(4)] == [0, 1, 2, 3]
    assert groups.members("round_04") == set()


def test_what_was_never_saved_is_not_there(tmp_path: Path) -> None:
    groups = Groups(tmp_path)
    groups.save("initial", trees(0))
    with pytest.raises(KeyError):
        groups.load("initial", 1)


def test_a_damaged_group_is_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Groups(tmp_path).save("round_01", trees(0, 1))
    Groups(tmp_path).save("round_01", trees(2))
    damage(tmp_path / "round_01" / "0-1")
    with caplog.at_level(logging.WARNING, "ltr"):
        groups = Groups(tmp_path)
        groups.drop_damaged()
    (record,) = caplog.records
    assert record.getMessage().startswith(f"checkpoint {tmp_path / 'round_01' / '0-1'} is damaged")
    assert groups.members("round_01") == {2}
    assert not (tmp_path / "round_01" / "0-1").exists()


def test_an_interrupted_save_is_dropped_silently(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Groups(tmp_path).save("round_01", trees(0, 1))
    (tmp_path / "round_01" / "0-1" / checkpoints.MANIFEST).unlink()
    (tmp_path / "round_01" / "2-2.orbax-checkpoint-tmp-7").mkdir()
    groups = Groups(tmp_path)
    groups.drop_damaged()
    assert caplog.records == []
    assert list((tmp_path / "round_01").iterdir()) == []
    assert groups.members("round_01") == set()


def test_a_save_under_way_is_not_read(tmp_path: Path) -> None:
    Groups(tmp_path).save("round_01", trees(0, 1))
    for unfinished in ("2-3.new", "2-3.new.orbax-checkpoint-tmp"):
        (tmp_path / "round_01" / unfinished / "d").mkdir(parents=True)
    reader = Groups(tmp_path)
    reader.require_whole()
    assert kernels(reader, "round_01") == {0: 0, 1: 1}
