"""Faults of the machine, not of ltr: a disk that is full or fails, too little memory, other limits."""

import errno
import os
from typing import TYPE_CHECKING

from ltr.addresses import shown
from ltr.errors import ConfigError, LtrError

if TYPE_CHECKING:
    from pathlib import Path

_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Error numbers of a disk, or a limit of the system, that lets the same command succeed at another time."""

_OF_THE_PATH = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}
"""Error numbers of a path that may not be written."""

_OF_MEMORY = (
    "RESOURCE_EXHAUSTED",  # of XLA
    "annot allocate memory",
    "failed to map segment",  # of a library that is imported
    "can't start new thread",
    "Resource temporarily unavailable",  # of a thread of a library
)
"""Texts in the messages of errors that are no MemoryError and mean the same."""


def is_known(error: Exception) -> bool:
    """Return whether an error is one of ltr or of the machine, so that its message says everything."""
    return isinstance(error, LtrError | OSError) or _is_of_memory(error)


def message(error: Exception) -> str:
    """Return what an error says on one line; of an error of the system the file and the reason."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return shown(f"{error.filename}: {error.strerror}")
    text = " ".join(str(error).split())
    if isinstance(error, LtrError | OSError):
        return text
    if _is_of_memory(error):
        reason = str(error).partition("\n")[0]
        return f"not enough memory{reason and f' ({reason})'}"
    return f"{type(error).__name__}: {text}"


def exit_code(error: Exception) -> int:
    """Return the exit code of a command that ends by an error."""
    return error.exit_code if isinstance(error, LtrError) else LtrError.exit_code


def as_system_error(error: Exception, path: "Path") -> OSError | None:
    """Return the error of the system that a library reports for a path; None if it reports another one.

    Libraries in C++, such as TensorStore, raise exceptions of other types, with its reason in their message.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror, str(path))
    numbers = (number for number in (*_OF_THE_DISK, *_OF_THE_PATH) if os.strerror(number) in str(error))
    return next((OSError(number, os.strerror(number), str(path)) for number in numbers), None)


def unwritable(name: str, error: OSError) -> LtrError:
    """Return the error for a knob, an option or a file that cannot be written.

    It is no fault of the configuration if the disk is full or fails.
    """
    kind = LtrError if error.errno in _OF_THE_DISK else ConfigError
    return kind(f"{name}: cannot be written ({error.strerror or error})")


def _is_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(text in str(error) for text in _OF_MEMORY)
