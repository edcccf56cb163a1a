"""SIGINT and SIGTERM as a polite request: the run stops at its next chunk, after a checkpoint."""

import signal
import sys
import threading
from types import FrameType
from typing import Self

from ltr.errors import StoppedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Catches the signals while it is entered, in the main thread; a second one is not waited for."""

    def __init__(self) -> None:
        self._caught: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._catch) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in getattr(self, "_before", {}).items():
            signal.signal(number, handler)

    def error(self) -> StoppedError | None:
        """The error to end the run with, once a signal came."""
        if self._caught is None:
            return None
        name = signal.Signals(self._caught).name
        return StoppedError(self._caught, f"stopped by {name}; the same command goes on from here")

    def _catch(self, number: int, _: FrameType | None) -> None:
        if self._caught is not None:
            raise KeyboardInterrupt
        self._caught = number
        print("stopping after a checkpoint; once more to stop at once", file=sys.stderr, flush=True)
