"""A checkpoint comes back as it was saved, and says so when it is not as it was saved."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.errors import LtrError
from ltr.store import checkpoints

TREE = {
    "mask": {"dense": {"kernel": np.eye(3, dtype=bool), "bias": None}},
    "weights": {"dense": {"kernel": np.full((3, 3), 0.1, np.float32), "bias": np.zeros(3, np.float32)}},
    "key": np.array([1, 2**32 - 1], np.uint32),
}
OTHER = {"other": np.arange(3)}
ABOUT = {"seconds": 1.25, "wave": [[2, 0, "ticket", 0]]}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, not to be altered for longer than a test."""
    path = tmp_path_factory.mktemp("store") / "checkpoint"
    checkpoints.save(path, TREE, ABOUT)
    return path


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A copy, to be altered at will."""
    return shutil.copytree(saved, tmp_path / "copy")


def files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file())


def assert_same(left: Any, right: Any) -> None:
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_arrays_nones_and_metadata_come_back(saved: Path) -> None:
    assert_same(checkpoints.load(saved), TREE)
    assert checkpoints.metadata(saved) == ABOUT
    assert checkpoints.is_whole(saved)


def test_a_path_that_is_not_in_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff") / "checkpoint"
    with pytest.raises(LtrError, match=r"/\\udcff/checkpoint\.new: checkpoints need a path in UTF-8"):
        checkpoints.save(path, TREE, ABOUT)
    with pytest.raises(LtrError, match="UTF-8"):
        checkpoints.load(path)


@given(data=st.data())
def test_a_flipped_bit_in_any_file_is_noticed(saved: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from([file for file in files(saved) if file.stat().st_size]))
    content = file.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    altered = bytearray(content)
    altered[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(altered)
    try:
        assert not checkpoints.is_whole(saved)
    finally:
        file.write_bytes(content)
    assert checkpoints.is_whole(saved)


def test_a_missing_file_is_noticed(saved: Path, tmp_path: Path) -> None:
    for file in files(saved):
        hidden = shutil.move(file, tmp_path / "hidden")
        assert not checkpoints.is_whole(saved), file.name
        shutil.move(hidden, file)


def test_a_byte_too_many_is_noticed(saved: Path) -> None:
    for file in files(saved):
        content = file.read_bytes()
        file.write_bytes(content + b"0")
        assert not checkpoints.is_whole(saved), file.name
        file.write_bytes(content)


def test_a_file_too_many_is_noticed(copy: Path) -> None:
    (copy / "more").touch()
    assert not checkpoints.is_whole(copy)


def test_without_its_manifest_it_was_not_saved_to_the_end(copy: Path) -> None:
    (copy / checkpoints.MANIFEST).unlink()
    assert not checkpoints.is_whole(copy)


def test_saving_again_replaces_everything(copy: Path) -> None:
    checkpoints.save(copy, OTHER, {})
    assert checkpoints.is_whole(copy)
    assert_same(checkpoints.load(copy), OTHER)
    assert checkpoints.metadata(copy) == {}


def interrupt(monkeypatch: pytest.MonkeyPatch, path: Path, at: str) -> None:
    """A save that ends where it would call the function `at` of the module."""

    def kill(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, at, kill)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(path, OTHER, {})


@pytest.mark.parametrize("at", ["_digest", "remove"])
def test_an_interrupted_save_leaves_the_old_one(at: str, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, copy, at)
    checkpoints.settle(copy.parent)
    assert checkpoints.is_whole(copy)
    assert_same(checkpoints.load(copy), TREE)
    assert list(copy.parent.iterdir()) == [copy]


def test_an_interrupted_first_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, tmp_path / "first", "_digest")
    assert not (tmp_path / "first").exists()
    checkpoints.settle(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_save_interrupted_at_the_very_end_is_finished(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, copy, "remove")
    checkpoints.remove(copy)
    checkpoints.settle(copy.parent)
    assert checkpoints.is_whole(copy)
    assert_same(checkpoints.load(copy), OTHER)


def test_a_half_removed_checkpoint_gives_way_to_the_new_one(copy: Path) -> None:
    checkpoints.save(copy.with_name(copy.name + checkpoints.NEW), OTHER, {})
    files(copy)[0].unlink()
    checkpoints.settle(copy.parent)
    assert_same(checkpoints.load(copy), OTHER)
    assert list(copy.parent.iterdir()) == [copy]


def test_a_removal_that_is_interrupted_leaves_no_damaged_checkpoint(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(path: Path, **_: object) -> None:
        if path.exists():
            files(path)[0].unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.remove(copy)
    assert not copy.exists()
    checkpoints.settle(copy.parent)
    assert list(copy.parent.iterdir()) == []


@pytest.mark.parametrize("alter", [lambda path: None, lambda path: files(path)[0].unlink()])
def test_removing_leaves_nothing(copy: Path, alter: Callable[[Path], None]) -> None:
    alter(copy)
    checkpoints.remove(copy)
    checkpoints.remove(copy)
    assert not copy.exists()
