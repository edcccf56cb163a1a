"""Archives: a folder as one uncompressed zip file that ends with the SHA-256 of all its other bytes.

The checksum is the comment of the archive, so every zip tool reads it.
"""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import BinaryIO

from ltr.core import atomic

ENDING = ".zip"

_DIGITS = 64
"""Length of a SHA-256 in hexadecimal digits."""

_BLOCK = 2**20
"""Bytes that are read at a time."""


def pack(folder: Path, path: Path) -> None:
    """Write the files below a folder to an archive, atomically; OSError if it cannot be written.

    Equal files make equal archives: names are sorted, and no times are kept.
    """
    with atomic.named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as stream:
        with zipfile.ZipFile(stream, "w") as archive:
            for file in sorted(file for file in folder.rglob("*") if file.is_file()):
                _add(archive, file, file.relative_to(folder).as_posix())
            archive.comment = b"0" * _DIGITS
        digest = _digest(stream)
        stream.seek(-_DIGITS, os.SEEK_END)
        stream.write(digest)


def unpack(path: Path, folder: Path) -> None:
    """Extract the files of an archive to a folder."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)


def read(path: Path, name: str) -> bytes:
    """Return the content of one file of an archive."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def is_whole(path: Path) -> bool:
    """Return whether every byte of an archive is as it was written."""
    try:
        with path.open("rb") as stream:
            digest = _digest(stream)
            return stream.read() == digest
    except OSError:
        return False


def _add(archive: zipfile.ZipFile, file: Path, name: str) -> None:
    """Add a file to an archive under a name."""
    member = zipfile.ZipInfo(name)  # of 1 January 1980, the first day of zip files
    member.file_size = file.stat().st_size
    with file.open("rb") as source, archive.open(member, "w") as target:
        while block := source.read(_BLOCK):
            target.write(block)


def _digest(stream: BinaryIO) -> bytes:
    """Return the checksum of a file but for its last digits, where the checksum is kept and reading ends."""
    left = stream.seek(0, os.SEEK_END) - _DIGITS
    stream.seek(0)
    digest = hashlib.sha256()
    while left > 0 and (block := stream.read(min(left, _BLOCK))):
        digest.update(block)
        left -= len(block)
    return digest.hexdigest().encode()
