"""One pytree a replicate, saved together; what is damaged is named."""

from pathlib import Path

import numpy as np
import pytest

from ltr.store import archive, checkpoints
from ltr.store.damage import DamageError
from ltr.store.groups import Groups


def tree(number: int) -> dict[str, np.ndarray | None]:
    return {"kernel": np.full((2, 3), number, np.float32), "bias": None}


def trees(*replicates: int) -> dict[int, dict[str, np.ndarray | None]]:
    return {number: tree(number) for number in replicates}


def kernels(groups: Groups, name: str) -> dict[int, float]:
    """The number that each replicate's kernel was filled with."""
    return {number: groups.load(name, number)["kernel"].mean() for number in groups.members(name)}


def damage(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)


def test_every_replicate_gets_its_own_back(tmp_path: Path) -> None:
    Groups(tmp_path).save("initial", trees(0, 1, 2))
    again = Groups(tmp_path)
    assert kernels(again, "initial") == {0: 0, 1: 1, 2: 2}
    assert again.load("initial", 0)["bias"] is None


def test_more_replicates_are_a_second_group(tmp_path: Path) -> None:
    Groups(tmp_path).save("initial", trees(0, 1))
    Groups(tmp_path).save("initial", trees(2, 3))
    assert sorted(path.name for path in (tmp_path / "initial").iterdir()) == ["0-1.zip", "2-3.zip"]
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
    with pytest.raises(DamageError, match=r"initial: missing; lost: the initial weights of replicate 1; "):
        groups.load("initial", 1)


def test_a_damaged_group_is_named_and_never_loaded(tmp_path: Path) -> None:
    Groups(tmp_path).save("round_01", trees(0, 1))
    Groups(tmp_path).save("round_01", trees(2))
    path = tmp_path / "round_01" / "0-1.zip"
    damage(path)
    groups = Groups(tmp_path)
    (error,) = groups.damaged()
    assert (error.path, error.problem) == (path, "damaged")
    assert error.lost == "the tickets of round_01 of replicates 0-1"
    for read in (lambda: groups.load("round_01", 1), lambda: groups.require_whole({})):
        with pytest.raises(DamageError) as caught:
            read()
        assert str(caught.value) == str(error)
    assert groups.load("round_01", 2)["kernel"].mean() == 2


def test_a_group_of_an_earlier_version_is_a_folder(tmp_path: Path) -> None:
    Groups(tmp_path).save("round_01", trees(0, 1))
    packed = tmp_path / "round_01" / "0-1.zip"
    archive.unpack(packed, folder := packed.with_suffix(""))
    packed.unlink()
    Groups(tmp_path).save("round_01", trees(2))
    assert kernels(Groups(tmp_path), "round_01") == {0: 0, 1: 1, 2: 2}
    (folder / checkpoints.MANIFEST).unlink()
    assert [error.path for error in Groups(tmp_path).damaged()] == [folder]


def test_what_is_wanted_and_not_there_is_named(tmp_path: Path) -> None:
    groups = Groups(tmp_path)
    groups.save("round_01", trees(1))
    assert groups.missing({"round_01": {1}, "round_02": set()}) == []
    (error,) = groups.missing({"round_01": {0, 1, 2, 3}})
    assert str(error).startswith(
        f"{tmp_path / 'round_01'}: missing; lost: the tickets of round_01 of replicates 0, 2-3; "
    )
    with pytest.raises(DamageError, match="round_02: missing"):
        groups.require_whole({"round_02": {0}})


def test_a_save_under_way_is_not_read(tmp_path: Path) -> None:
    Groups(tmp_path).save("round_01", trees(0, 1))
    (tmp_path / "round_01" / ".2-3.zip.1.tmp").touch()
    (tmp_path / "round_01" / "2-3.new").mkdir()  # of an earlier version
    reader = Groups(tmp_path)
    reader.require_whole({})
    assert kernels(reader, "round_01") == {0: 0, 1: 1}
