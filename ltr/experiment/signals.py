"""SIGINT and SIGTERM as a polite request: the run stops at its next chunk, after a checkpoint."""

import contextlib
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Self

from ltr.core import atomic
from ltr.errors import StoppedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Catches the signals while it is entered, in the main thread; a second one is not waited for.

    Args:
        file: where another process may ask to stop, with `ask` (see `StopAll`).
    """

    def __init__(self, file: Path | None = None) -> None:
        self._caught: int | None = None
        self._file = file

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            mine = [number for number in SIGNALS if signal.getsignal(number) is not None]  # None: of C code
            self._before = {number: signal.signal(number, self._catch) for number in mine}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in getattr(self, "_before", {}).items():
            signal.signal(number, handler)

    def error(self) -> StoppedError | None:
        """The error to end the run with, once a signal came."""
        number = self._caught or (asked(self._file) if self._file else None)
        if number is None:
            return None
        name = signal.Signals(number).name
        return StoppedError(number, f"stopped by {name}; the same command goes on from here")

    def _catch(self, number: int, _: FrameType | None) -> None:
        if self._caught is not None:
            raise KeyboardInterrupt
        self._caught = number
        print("stopping after a checkpoint; once more to stop at once", file=sys.stderr, flush=True)


class StopAll(Stop):
    """Catches the signals for the processes of a sweep, wherever they run: each looks into the file."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._shared = file

    def _catch(self, number: int, frame: FrameType | None) -> None:
        super()._catch(number, frame)
        ask(self._shared, number)


def ask(file: Path, number: int) -> None:
    """Ask every process that looks into the file to stop, as by a signal of this number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(file, f"{number}\n")


def asked(file: Path) -> int | None:
    """The number of the signal that the file asks to stop by; None if it asks for nothing."""
    with contextlib.suppress(OSError, ValueError):
        return signal.Signals(int(file.read_text()))
    return None
