"""Handling of SIGINT, SIGTERM and preemption: the run stops after its current chunk, with a checkpoint."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import Any, Self

from ltr import interrupts
from ltr.core import atomic
from ltr.errors import StoppedError
from ltr.interrupts import SIGNALS


class Stop:
    """Context manager that catches the signals, in the main thread. A second signal stops at once.

    Args:
        file: file by which another process may request a stop (see `request_stop`).
        preempting: signals that stop the run, but not at once if one of them is the first or the second.
        largest: largest number of all processes that train the run, which stop together; 0 for none.

    Attributes:
        caught: number of the first signal that was caught; None before.
    """

    def __init__(
        self,
        file: Path | None = None,
        preempting: Collection[int] = (),
        largest: Callable[[int], int] = int,
    ) -> None:
        self.caught: int | None = None
        self._file, self._largest = file, largest
        self._preempting = preempting
        self._replaced: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # A handler that C code has set is None; it could not be restored.
            replaceable = [
                number for number in {*SIGNALS, *self._preempting} if signal.getsignal(number) is not None
            ]
            self._replaced = {number: signal.signal(number, self._catch) for number in replaceable}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def error(self) -> StoppedError | None:
        """Return the error to stop the run with after a signal; None without one."""
        number = self._largest(self.caught or (requested_stop(self._file) if self._file else None) or 0)
        if not number:
            return None
        name = signal.Signals(number).name
        return StoppedError(number, f"stopped by {name}; the same command goes on from here")

    @property
    def is_requested_elsewhere(self) -> bool:
        """Whether another process requests a stop."""
        return self._file is not None and requested_stop(self._file) is not None

    def _catch(self, number: int, _: FrameType | None) -> None:
        if self.caught is not None:
            if {self.caught, number}.isdisjoint(self._preempting):
                raise interrupts.exception(number)
            return
        self.caught = number
        print("stopping after a checkpoint; once more to stop at once", file=sys.stderr, flush=True)


class StopAll(Stop):
    """Context manager that passes the signals on to all processes of a sweep by a shared file."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._shared = file

    def _catch(self, number: int, frame: FrameType | None) -> None:
        super()._catch(number, frame)
        request_stop(self._shared, number)


def request_stop(file: Path, number: int) -> None:
    """Request every process that reads the file to stop, as by a signal of this number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(file, f"{number}\n")


def requested_stop(file: Path) -> int | None:
    """Return the number of the signal in the file; None if no stop is requested."""
    with contextlib.suppress(OSError, ValueError):
        return signal.Signals(int(file.read_text()))
    return None
