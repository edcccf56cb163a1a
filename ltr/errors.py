"""Errors of ltr, each with an exit code and a message of one line."""

import errno
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Error numbers of a disk, or a limit of the system, that lets the same command succeed at another time."""

_OF_THE_PATH = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}
"""Error numbers of a path that may not be written."""


class LtrError(Exception):
    """Failure that ltr reports; the base of all its errors.

    Errors can be pickled, whatever the constructor of a subclass takes, because launchers send them between
    processes.
    """

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.args, vars(self))


class ConfigError(LtrError):
    """A knob or a command is wrong."""

    exit_code = 2


class DataNotFoundError(LtrError):
    """A data set is not on this machine and cannot be fetched."""

    exit_code = 3


class StoppedError(LtrError):
    """A signal stopped the run after a checkpoint; the run can be resumed."""

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal
        self.exit_code = 128 + signal


def message(error: Exception) -> str:
    """Return what an error says on one line: the file and the reason of one of the system."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    kind = "" if isinstance(error, LtrError | OSError) else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split())


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


def _unpickled(kind: type[LtrError], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> LtrError:
    """Return an error with these `args` and attributes, without calling its constructor."""
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error
