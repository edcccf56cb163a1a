"""Lock of a run folder: one process at a time writes it.

The lock is `flock`, which the system releases when the process ends. File systems without it need
`LTR_LOCK=soft` in the environment: then a file in the folder is the lock.
"""

import contextlib
import errno
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ltr import interrupts
from ltr.addresses import address_of
from ltr.errors import ConfigError, LockedError, LtrError

if TYPE_CHECKING:
    from filelock import BaseFileLock

VARIABLE = "LTR_LOCK"

FILES = {"flock": ".lock", "soft": ".lock.soft"}
"""Names of the lock files, by kind of lock."""

TIMEOUT = 0.5
"""Seconds to wait for a lock; a reader that tests whether it is free holds it for less."""

_WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""Error numbers of `flock` on a file system that has no locks."""


class NoLocksError(Exception):
    """The file system has no locks of this kind."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Raises:
        ConfigError: the file system has no locks, or `LTR_LOCK` is wrong.
        LtrError: another process holds the lock; LockedError if it is sure to release it.
        OSError: the folder cannot be written.
    """
    from filelock import Timeout

    kind = os.environ.get(VARIABLE, "flock")
    if kind not in FILES:
        raise ConfigError(f"{VARIABLE}={kind}: must be one of {', '.join(FILES)}")
    try:
        lock = _acquired(folder, kind, TIMEOUT)
    except Timeout:
        text = f"{folder} is being written by another process"
        if kind == "soft":  # a killed process does not release it
            raise LtrError(
                f"{text}; if none is, a killed one left {folder / FILES[kind]}: remove it"
            ) from None
        raise LockedError(text) from None
    except NoLocksError:
        raise ConfigError(
            f"{folder}: its file system has no locks (flock); set {VARIABLE}=soft in the environment of "
            "every command that uses the folder"
        ) from None
    with interrupts.undone():
        try:
            yield
        finally:
            lock.release()


def is_locked(folder: Path) -> bool:
    """Return whether a process holds the lock of a folder; True if that cannot be determined."""
    if address_of(folder) is not None:
        from ltr.buckets import copies

        return copies.is_being_written(folder)
    from filelock import Timeout

    for kind, name in FILES.items():
        if (folder / name).exists():
            try:
                _acquired(folder, kind, 0).release()
            except NoLocksError:  # nor does another process hold one
                continue
            except (Timeout, OSError):
                return True
    return False


def _acquired(folder: Path, kind: str, timeout: float) -> "BaseFileLock":
    """Return a lock that this process holds; filelock's Timeout if another holds it."""
    from filelock import FileLock, SoftFileLock

    lock = (SoftFileLock if kind == "soft" else FileLock)(folder / FILES[kind], timeout=timeout)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of filelock, which would use another kind of lock
            lock.acquire()
    except (NotImplementedError, UserWarning):  # flock is missing, say older filelocks and newer ones
        raise NoLocksError from None
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            raise NoLocksError from None
        raise
    return lock
