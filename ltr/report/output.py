"""Output channels of a run: for the command line, and for a Python program."""

import logging
import sys
from collections.abc import Callable
from typing import NamedTuple

from ltr.core.printable import printable
from ltr.report import console
from ltr.report.progress import Display, NoDisplay, display, in_notebook
from ltr.report.status_line import show_status


class Output(NamedTuple):
    """Output channels of a run.

    Attributes:
        results: prints tables and conclusions; None to make none.
        begin: prints the line that a run begins with.
        message: prints any other line.
        status: shows a status, which the next one replaces (see `ltr.report.status_line`).
        progress: returns a display of the run's progress.
        warnings: returns a handler for ltr's log.
    """

    results: Callable[[str], None] | None
    begin: Callable[[str], None]
    message: Callable[[str], None]
    status: Callable[[str], None]
    progress: Callable[[], Display]
    warnings: Callable[[], logging.Handler]


def command_line() -> Output:
    """Return the output of a command: results on standard output, everything else on standard error."""
    return Output(
        console.write, console.note, console.note, show_status, lambda: display(sys.stderr), _stderr_handler
    )


def in_python(progress: bool | None) -> Output:
    """Return the output of a call from Python, which returns its results and does not print them.

    Args:
        progress: whether to show messages and progress; None means in a notebook and on a terminal only.
    """
    if progress is None:
        progress = in_notebook() or sys.stderr.isatty()
    if not progress:
        return Output(None, _discard, _discard, _discard, NoDisplay, RootHandler)
    return Output(None, console.note, console.note, show_status, lambda: display(sys.stderr), RootHandler)


def nowhere() -> Output:
    """Return the output of a process whose results another one prints."""
    return Output(None, _discard, _discard, _discard, NoDisplay, logging.NullHandler)


class RootHandler(logging.Handler):
    """Handler that passes ltr's log to the calling program, at the level that was set before ltr ran."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("ltr").getEffectiveLevel())

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record to the root logger's handlers, or to Python's handler of last resort."""
        logging.getLogger().callHandlers(record)


class _Printable(logging.Formatter):
    """Formatter that escapes control characters, as names may be anybody's."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the message of a record, without a traceback."""
        return printable(super().formatMessage(record))


def _stderr_handler() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Printable("ltr: %(message)s"))
    return handler


def _discard(text: str) -> None:
    """Ignore a text."""
