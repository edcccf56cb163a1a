"""Files are replaced whole or not at all."""

import os
import stat
import threading
from pathlib import Path

import pytest

from ltr.core import atomic


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")
    with atomic.replacing(path) as file:
        file.write("né".encode())
        assert path.read_text() == "old"
    assert path.read_bytes() == b"n\xc3\xa9"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    atomic.write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), atomic.replacing(path) as file:
        file.write(b"new" * (1 // 0))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_on_the_disk_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("folder" if is_folder else f"file, named: {(tmp_path / 'a').exists()}")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    atomic.write_text(tmp_path / "a", "text")
    assert done == ["file, named: False", "folder"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    link, path = tmp_path / "link", tmp_path / "a"
    link.symlink_to(path)
    atomic.write_text(link, "text")
    assert (link.is_symlink(), path.read_text()) == (True, "text")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    atomic.write_text(pipe, "text")
    reader.join()
    assert (read, pipe.is_fifo()) == (["text"], True)


def test_what_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic.write_text(tmp_path / "none" / "a", "text")
    with pytest.raises(IsADirectoryError):
        atomic.write_text(tmp_path, "text")
