"""Atomic writes: a file is replaced completely or not at all, even if the process or machine stops."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ltr import interrupts


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file that replaces `path` when the block ends without an error.

    What was written to it can be read from it. A reader of `path` sees the old file or the new one. The new
    one is flushed to disk before it replaces the old one. Links are followed. A path that is not a regular
    file, such as a pipe, is written to directly. OSError if the path cannot be written.
    """
    path = path.resolve()
    with named(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        new = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with interrupts.undone():
            try:
                with new.open("w+b") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        sync_folder(path.parent)


@contextlib.contextmanager
def named(path: Path | str) -> Iterator[None]:
    """Name a path in the errors of the system in this block; those of writing and flushing name none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def named_temporary() -> contextlib.AbstractContextManager[None]:
    """Name the folder for temporary files in errors; what is in it is gone before anybody reads them."""
    return named(f"TMPDIR={tempfile.gettempdir()}")


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by this content, atomically."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Replace a file by this text in UTF-8, atomically."""
    write_bytes(path, text.encode())


def sync_folder(folder: Path) -> None:
    """Flush the file names of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
