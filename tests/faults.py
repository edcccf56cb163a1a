"""Faults of a disk: operations on files below a folder that fail, the n-th alone or all from it on."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Disk:
    """Operations that write below a folder, in order, and which of them fail.

    Attributes:
        operations: each as its kind and the path, as in `("mkdir", "initial")`.
        fails_at: index of the operation that fails; None for none.
        is_for_good: whether all later ones fail too.
        error: number of the error.
    """

    def __init__(self, root: Path, fails_at: int | None, is_for_good: bool, error: int) -> None:
        self.operations: list[tuple[str, str]] = []
        self.fails_at, self.is_for_good, self.error = fails_at, is_for_good, error
        self._root = str(root)

    def note(self, kind: str, path: Any) -> None:
        """Note an operation; OSError, without a name as of writing, if it fails."""
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(self._root):
            return
        number = len(self.operations)
        self.operations.append((kind, os.fspath(path)))
        if self.fails_at is not None and (
            number == self.fails_at or (self.is_for_good and number > self.fails_at)
        ):
            raise OSError(self.error, os.strerror(self.error))


_disk: Disk | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _disk is None:
        return
    if event == "open" and arguments[2] & _WRITES:
        _disk.note("open", arguments[0])
    elif event in ("os.mkdir", "os.rename"):
        _disk.note(event.removeprefix("os."), arguments[event == "os.rename"])


sys.addaudithook(_audit)


class _File(io.FileIO):
    """File whose writes are noted."""

    def write(self, content: Any) -> int:
        if _disk is not None:
            _disk.note("write", self.name)
        return super().write(content)


def _open(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    buffered = {"wb": io.BufferedWriter, "w+b": io.BufferedRandom}.get(mode)
    return buffered(_File(file, mode)) if buffered else open(file, mode, *arguments, **options)  # noqa: PTH123


@contextlib.contextmanager
def disk(
    root: Path, fails_at: int | None = None, is_for_good: bool = False, error: int = 0
) -> Iterator[Disk]:
    """Note what this process does below a folder, whichever library does it in Python, and let it fail."""
    global _disk
    fsync = os.fsync

    def synced(descriptor: int) -> None:
        if _disk is not None:
            _disk.note("fsync", Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", _open)
        patch.setattr(os, "fsync", synced)
        _disk = Disk(root, fails_at, is_for_good, error)
        try:
            yield _disk
        finally:
            _disk = None
