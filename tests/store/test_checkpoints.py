"""A checkpoint comes back as it was saved, and says so when it is not as it was saved."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr import faults
from ltr.errors import LtrError
from ltr.store import archive, checkpoints

TREE = {
    "mask": {"dense": {"kernel": np.eye(3, dtype=bool), "bias": None}},
    "weights": {"dense": {"kernel": np.full((3, 3), 0.1, np.float32), "bias": np.zeros(3, np.float32)}},
    "key": np.array([1, 2**32 - 1], np.uint32),
}
OTHER = {"other": np.arange(3)}
ABOUT = {"seconds": 1.25, "wave": [[2, 0, "ticket", 0]]}


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, not to be altered."""
    path = tmp_path_factory.mktemp("store") / "checkpoint.zip"
    checkpoints.save(path, TREE, ABOUT)
    return path


@pytest.fixture(scope="module")
def unpacked(archived: Path) -> Path:
    """A checkpoint as earlier versions wrote it, not to be altered for longer than a test."""
    archive.unpack(archived, folder := archived.with_name("folder"))
    return folder


@pytest.fixture(params=["archived", "unpacked"], scope="module")
def saved(request: pytest.FixtureRequest) -> Path:
    """A checkpoint of either form, not to be altered for longer than a test."""
    return Path(request.getfixturevalue(request.param))


@pytest.fixture
def copy(archived: Path, tmp_path: Path) -> Path:
    """A copy, to be altered at will."""
    return Path(shutil.copy(archived, tmp_path / "copy.zip"))


@pytest.fixture
def copied_folder(unpacked: Path, tmp_path: Path) -> Path:
    """A copy of the earlier form, to be altered at will."""
    return shutil.copytree(unpacked, tmp_path / "copy")


def files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def assert_same(left: Any, right: Any) -> None:
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_arrays_nones_and_metadata_come_back(saved: Path) -> None:
    assert_same(checkpoints.load(saved), TREE)
    assert checkpoints.metadata(saved) == ABOUT
    assert checkpoints.is_whole(saved)


def test_a_path_that_is_not_in_utf_8_is_a_path(archived: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff") / "checkpoint.zip"
    checkpoints.save(path, TREE, ABOUT)
    assert_same(checkpoints.load(path), TREE)


def test_an_earlier_path_that_is_not_in_utf_8_is_named(unpacked: Path, tmp_path: Path) -> None:
    path = shutil.copytree(unpacked, tmp_path / os.fsdecode(b"\xff"))
    with pytest.raises(LtrError, match=r"/\\udcff: checkpoints need a path in UTF-8"):
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


def test_a_file_too_many_is_noticed(copied_folder: Path) -> None:
    (copied_folder / "more").touch()
    assert not checkpoints.is_whole(copied_folder)


def test_without_its_manifest_it_was_not_saved_to_the_end(copied_folder: Path) -> None:
    (copied_folder / checkpoints.MANIFEST).unlink()
    assert not checkpoints.is_whole(copied_folder)


def test_saving_again_replaces_everything(copy: Path) -> None:
    checkpoints.save(copy, OTHER, {})
    assert checkpoints.is_whole(copy)
    assert_same(checkpoints.load(copy), OTHER)
    assert checkpoints.metadata(copy) == {}


def save_other(path: Path) -> None:
    checkpoints.save(path, OTHER, {})


def kill(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "at",
    [(checkpoints, "_digest"), (archive, "pack"), (archive, "_add"), (archive, "_digest"), (os, "fsync")],
)
def test_an_interrupted_save_leaves_the_old_one(
    at: tuple[Any, str], copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(*at, kill)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(copy, OTHER, {})
    assert list(copy.parent.iterdir()) == [copy]
    assert_same(checkpoints.load(copy), TREE)


@pytest.mark.parametrize(
    ("at", "use", "is_temporary"),
    [
        ((checkpoints, "_write"), save_other, True),
        ((checkpoints, "_digest"), save_other, True),
        ((archive, "_add"), save_other, False),
        ((os, "fsync"), save_other, False),
        ((archive, "unpack"), checkpoints.load, True),
    ],
)
def test_an_error_names_the_folder_that_is_full(
    at: tuple[Any, str],
    use: Callable[[Path], Any],
    is_temporary: bool,
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (scratch := copy.with_name("scratch")).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with monkeypatch.context() as patch:
        patch.setattr(*at, full)
        with pytest.raises(OSError, match="No space left") as caught:
            use(copy)
    named = f"TMPDIR={scratch}" if is_temporary else str(copy)
    assert faults.message(caught.value) == f"{named}: No space left on device"
    assert list(scratch.iterdir()) == []
    assert_same(checkpoints.load(copy), TREE)


def test_what_killed_processes_leave_is_removed(copy: Path, unpacked: Path) -> None:
    """Those of earlier versions too."""
    (copy.parent / f".{copy.name}.7.tmp").touch()
    for name in ("copy.new", "copy.old", "round_00/0-1.new.orbax-checkpoint-tmp"):
        shutil.copytree(unpacked, copy.parent / name)
    checkpoints.settle(copy.parent)
    assert files(copy.parent) == [copy]


def test_a_removal_that_is_interrupted_leaves_no_damaged_folder(
    copied_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill_within(path: Path, **_: object) -> None:
        if path.exists():
            files(path)[0].unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", kill_within)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.remove(copied_folder)
    assert not copied_folder.exists()
    checkpoints.settle(copied_folder.parent)
    assert list(copied_folder.parent.iterdir()) == []


@pytest.mark.parametrize("alter", [lambda path: None, lambda path: files(path)[0].unlink()])
def test_removing_leaves_nothing(copy: Path, copied_folder: Path, alter: Callable[[Path], None]) -> None:
    for path in (copy, copied_folder):
        alter(path)
        checkpoints.remove(path)
        checkpoints.remove(path)
        assert not path.exists()
