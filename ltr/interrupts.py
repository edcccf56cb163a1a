"""Signals that end a process of the command line: with their exit code, at once, and without a traceback.

An exception that a handler raises could surface anywhere: inside an import, where it would print a traceback
or be taken for a missing package, or where nothing lets it pass. So the process ends in the handler, except
in a block that has something to undo. Training has handlers of its own, see `ltr.experiment.signals`.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_undoing = 0
"""Number of blocks of `undone` that are open."""

_caught: int | None = None
"""Signal that was raised as an exception; None before."""


def end_by_signals() -> None:
    """End this process by the first signal that comes from now on."""
    for number in SIGNALS:
        signal.signal(number, _end)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Raise a signal as an exception in this block, which undoes what it began; then the process ends.

    This has no effect in a process that does not end by signals.
    """
    global _undoing
    _undoing += 1
    try:
        yield
    finally:
        _undoing -= 1
        if _caught is not None and not _undoing:
            os._exit(128 + _caught)


def exception(number: int, message: str = "") -> BaseException:
    """Return the exception that a signal raises: KeyboardInterrupt, or SystemExit with its exit code."""
    return KeyboardInterrupt(message) if number == signal.SIGINT else SystemExit(128 + number)


def _end(number: int, _: FrameType | None) -> None:
    global _caught
    if not _undoing or _caught is not None:
        os._exit(128 + number)
    _caught = number
    raise exception(number)
