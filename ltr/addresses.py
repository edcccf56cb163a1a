"""Addresses of buckets, such as `s3://bucket/runs`, and the working copies of what they hold.

A bucket has neither folders nor renames nor locks. So everything reads and writes files of a working copy,
which `ltr.buckets` brings together with the bucket. The path of a working copy ends with its address, so one
follows from the other, and texts name the address.
"""

import contextlib
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path

SCHEMES = ("gs", "s3")

ALLOWED = "a folder, or an address gs://BUCKET/NAME or s3://BUCKET/NAME"

_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)})://[a-z0-9][a-z0-9._-]+(/[^/\s]+)*/?")

_LOCK = ".lock"
"""File in the folder of all working copies of a process, which is locked until the process ends."""


def is_address(text: str) -> bool:
    """Return whether a text begins as an address does, rightly spelled or not."""
    return "://" in text


def is_allowed(text: str) -> bool:
    """Return whether a text is the path of a folder, or an address of a bucket that is rightly spelled."""
    return not is_address(text) or (
        _ADDRESS.fullmatch(text) is not None and {".", ".."}.isdisjoint(text.split("/"))
    )


def local(place: str) -> Path:
    """Return the path of a place: that of a folder itself, that of the working copy of an address."""
    return _copies() / place if is_address(place) else Path(place)


def address_of(path: Path) -> str | None:
    """Return the address of a path in a working copy; None of any other path."""
    if not any(f"{scheme}:" in path.parts for scheme in SCHEMES) or not path.is_relative_to(_copies()):
        return None
    scheme, *names = path.relative_to(_copies()).parts
    return f"{scheme}//{'/'.join(names)}"


def kept_here(root: Path) -> Path:
    """Return the folder of what stays on this machine: an output root, `outputs` instead of a bucket."""
    return root if address_of(root) is None else Path("outputs")


def shown(text: str) -> str:
    """Return a text in which addresses stand for paths of working copies."""
    if "ltr-bucket-" not in text:
        return text
    for scheme in SCHEMES:
        text = text.replace(f"{_copies()}/{scheme}:/", f"{scheme}://")
    return text


@functools.cache
def _copies() -> Path:
    """Return the folder of all working copies of this process, which is removed when it ends.

    A killed process cannot remove its own, so the next process of this machine does.
    """
    import atexit
    import platform
    import shutil
    import tempfile
    from uuid import uuid4

    temporary, beginning = Path(tempfile.gettempdir()).resolve(), f"ltr-bucket-{platform.node()}-"
    _remove_left(temporary.glob(f"{beginning}*"))
    new = Path(tempfile.mkdtemp(prefix="ltr-", dir=temporary))
    with contextlib.suppress(OSError):  # of a file system without locks, where none is removed
        _lock(new)
    folder = new.rename(temporary / f"{beginning}{uuid4().hex}")  # locked from its first moment on
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_left(folders: Iterable[Path]) -> None:
    """Remove the folders whose processes have ended, which released their locks."""
    import shutil

    for folder in folders:
        with contextlib.suppress(OSError):
            descriptor = _lock(folder, os.O_RDWR)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


def _lock(folder: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """Lock a folder until the returned descriptor is closed; OSError if another process holds its lock."""
    import fcntl

    descriptor = os.open(folder / _LOCK, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
