"""What can go wrong, each with the exit code that it leaves with and one clear line to print."""

from collections.abc import Mapping
from typing import Any


class LtrError(Exception):
    """The run failed.

    Errors pickle, whatever arguments the constructor of a subclass takes: launchers send them from
    process to process.
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
    """A signal asked the run to stop; it left a checkpoint and can be resumed."""

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal
        self.exit_code = 128 + signal


def _unpickled(kind: type[LtrError], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> LtrError:
    """The error with these `args` and attributes, made without its constructor."""
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error
