"""Where the results, messages and progress of a run go: a command line, or a program in Python."""

import logging
import sys
from collections.abc import Callable
from typing import NamedTuple

from ltr.report import console
from ltr.report.progress import Display, NoDisplay, display, in_notebook
from ltr.report.status_line import show_status


class Output(NamedTuple):
    """Channels of a run.

    Attributes:
        results: takes tables and conclusions, as text.
        message: takes a line on what is done.
        status: takes what goes on now, which the next text replaces (see `ltr.report.status_line`).
        progress: returns a display of how far the run is.
        warnings: returns a handler of what ltr logs.
    """

    results: Callable[[str], None]
    message: Callable[[str], None]
    status: Callable[[str], None]
    progress: Callable[[], Display]
    warnings: Callable[[], logging.Handler]


def command_line() -> Output:
    """Return the output of a command: results on standard output, everything else on standard error."""
    return Output(console.write, _message, show_status, lambda: display(sys.stderr), _stderr_handler)


def in_python(progress: bool | None) -> Output:
    """Return the output of a call from Python, whose results are what it returns.

    Args:
        progress: whether to show messages and progress; None for where somebody sees them: in a notebook
            and on a terminal.
    """
    if progress is None:
        progress = in_notebook() or sys.stderr.isatty()
    if not progress:
        return Output(_discard, _discard, _discard, NoDisplay, RootHandler)
    return Output(_discard, _message, show_status, lambda: display(sys.stderr), RootHandler)


class RootHandler(logging.Handler):
    """Hands on what the program that calls ltr would have got of its log, had ltr not asked for more."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("ltr").getEffectiveLevel())

    def emit(self, record: logging.LogRecord) -> None:
        """Give a record to the root logger's handlers, or to Python's last resort."""
        logging.getLogger().callHandlers(record)


def _stderr_handler() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("ltr: %(message)s"))
    return handler


def _message(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _discard(text: str) -> None:
    """Take a text and do nothing."""
