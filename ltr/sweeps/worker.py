"""Worker: process that trains a part of a packed sweep; another process shows what it prints.

A worker is forked from a server that has imported ltr once, and not from a process that uses JAX.
"""

import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Self

from ltr.experiment.signals import request_stop
from ltr.report.output import command_line
from ltr.report.progress import NoDisplay, Pace
from ltr.sweeps import packed
from ltr.sweeps.journal import Journal
from ltr.sweeps.packed import Part


def import_ahead() -> None:
    """Start the server of workers, which imports ltr meanwhile."""
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
    forkserver.ensure_running()


class Printed(NamedTuple):
    """Message: text that a worker prints."""

    text: str


class Advanced(NamedTuple):
    """Message: progress of the runs that a worker trains side by side.

    Attributes:
        pack: how many such groups of runs it has begun.
        label: short label.
        done, total: work in any unit.
    """

    pack: int
    label: str
    done: float
    total: float


class Worker(NamedTuple):
    """Worker that was started.

    Attributes:
        process: its process.
        link: connection that its messages come from; it ends with the process.
    """

    process: Any
    link: Connection

    @classmethod
    def start(cls, part: Part, cores: Collection[int]) -> Self:
        """Start a worker that trains a part on these cores."""
        context = multiprocessing.get_context("forkserver")
        link, its_link = context.Pipe(duplex=False)
        arguments = part, [*cores], dict(os.environ), its_link
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        its_link.close()
        return cls(process, link)

    @property
    def failure(self) -> str:
        """Why the process ended, once it has; empty if its part is done."""
        self.process.join()
        code = self.process.exitcode
        if not code:
            return ""
        return f"a process ended by {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()


def _work(part: Part, cores: Collection[int], environment: Mapping[str, str], link: Connection) -> None:
    """Train a part; signals come from the process that started this one, by the journal's file."""
    os.setsid()
    os.sched_setaffinity(0, cores)
    os.environ.clear()  # that of the server may be older
    os.environ.update(environment)
    sys.stdout = sys.stderr = _Stream(link)
    sent = _Sent(link, part.journal)
    packed.train(part, command_line()._replace(results=None, begin=lambda _: None, progress=sent.next))
    sys.stderr.flush()


class _Stream(io.StringIO):
    """Stream that sends its text when it is flushed, as long as somebody reads it."""

    def __init__(self, link: Connection) -> None:
        super().__init__()
        self._link = link

    def flush(self) -> None:
        if text := self.getvalue():
            with suppress(OSError):
                self._link.send(Printed(text))
            self.seek(0)
            self.truncate()


class _Sent(NoDisplay):
    """Display that sends the progress, and requests a stop when nobody reads it any more."""

    def __init__(self, link: Connection, journal: Journal) -> None:
        self._link, self._journal, self._pack = link, journal, 0

    def next(self) -> Self:
        """Return the display of the next runs side by side."""
        self._pack += 1
        return self

    def update(self, label: str, pace: Pace) -> None:
        """Send the label and the pace."""
        try:
            self._link.send(Advanced(self._pack, label, pace.done, pace.total))
        except OSError:
            request_stop(self._journal.stop_file, signal.SIGTERM)
