"""Limits of data files: what may be opened, and how much memory they may ask for."""

import os
import stat
from pathlib import Path

from rich.filesize import decimal


def require_openable(path: Path) -> None:
    """Raise ValueError for what is neither a file nor a folder, such as a pipe, which might never end."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError("must be a file or a folder, not a pipe, a socket or a device")


def regular_files(folder: Path, pattern: str) -> list[Path]:
    """Return the regular files in a folder that match a pattern, sorted."""
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def require_memory(size: int) -> None:
    """Raise ValueError if data of `size` bytes do not fit in the memory of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise ValueError(f"takes {decimal(size)} of memory; this machine has {decimal(memory)}")
