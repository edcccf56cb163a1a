"""Errors of ltr, each with an exit code and a message of one line."""

from collections.abc import Mapping
from typing import Any

from ltr.addresses import shown


class LtrError(Exception):
    """Failure that ltr reports; the base of all its errors.

    Errors can be pickled, whatever the constructor of a subclass takes, because launchers send them between
    processes.
    """

    exit_code = 1

    def __str__(self) -> str:
        return shown(Exception.__str__(self))  # not as KeyError, which some of them are, writes it

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.args, vars(self))


class ConfigError(LtrError):
    """A knob or a command is wrong."""

    exit_code = 2


class DataNotFoundError(LtrError):
    """A data set is not on this machine and cannot be fetched."""

    exit_code = 3


class LockedError(LtrError):
    """Another process writes a folder; it releases the lock when it ends, even if it is killed."""


class StoppedError(LtrError):
    """A signal stopped the run after a checkpoint; the run can be resumed."""

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal
        self.exit_code = 128 + signal


def reason(error: BaseException) -> str:
    """Return the first line of any error; its type if it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _unpickled(kind: type[LtrError], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> LtrError:
    """Return an error with these `args` and attributes, without calling its constructor."""
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error
