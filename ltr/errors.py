"""What can go wrong, each with the exit code that it leaves with and one clear line to print."""

from signal import SIGINT


class LtrError(Exception):
    """The run failed."""

    exit_code = 1


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
        self.exit_code = 128 + signal

    def as_signal(self) -> BaseException:
        """Return what the signal means to a Python program: KeyboardInterrupt, or the end of the process."""
        if self.exit_code == 128 + SIGINT:
            return KeyboardInterrupt(str(self))
        return SystemExit(self.exit_code)
