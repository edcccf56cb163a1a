"""Opening of a run folder: it is created, locked and logged to for as long as a process writes it.

A run in a bucket is written in a working copy, and each change is pushed to the bucket.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from ltr.buckets.bucket import BucketError
from ltr.config.schema import Experiment
from ltr.errors import ConfigError, LtrError
from ltr.faults import unwritable
from ltr.store import catalog
from ltr.store.fetching import writing
from ltr.store.folder import RunFolder
from ltr.store.identity import run_folder
from ltr.store.lock import locked


@contextlib.contextmanager
def open_run(experiment: Experiment) -> Iterator[RunFolder]:
    """Open the run folder of an experiment, created if missing, and lock it while open.

    Raises:
        ConfigError: the folder may not be written, or a link in it leads out of it.
        LtrError: another process writes this run, a table is damaged, or the disk is full or fails.
    """
    path = run_folder(experiment)
    is_new = not path.exists()
    with contextlib.ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(path))
        except OSError as error:
            raise unwritable(f"output_root={experiment.output_root}", error) from None
        try:
            push = stack.enter_context(writing(path, catalog.CHECKPOINTS))
        except BucketError as error:
            raise type(error)(f"output_root={experiment.output_root}", error.problem) from None
        _require_no_links_out(path)
        stack.enter_context(_kept_open(path))
        stack.enter_context(_logged(path / "log.txt"))
        folder = None
        try:
            yield (folder := RunFolder(path, push))
        except (LtrError, OSError):
            never_began = is_new and not (path / catalog.INFO).exists()
            if never_began and (folder is None or folder.is_present):
                shutil.rmtree(path, ignore_errors=True)
            raise


def _require_no_links_out(folder: Path) -> None:
    """Raise ConfigError if a file that would be written is a link out of the folder, which may be anybody's.

    Checkpoints may be on another disk: only folders of the names of checkpoints are replaced there.
    """
    for file in sorted([*folder.iterdir(), *folder.glob("figures/*")]):
        if file.name != catalog.CHECKPOINTS and not file.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(f"{file}: leads out of {folder}; replace the link by what it leads to")


@contextlib.contextmanager
def _kept_open(folder: Path) -> Iterator[None]:
    """Keep a folder open, so that no other one gets its number if it is removed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield
    finally:
        os.close(descriptor)


_logged_run: ContextVar[Path | None] = ContextVar("_logged_run", default=None)
"""Log of the run that this context trains; None in a context of no run, or of several."""


@contextlib.contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Copy ltr's log messages to a file, except those of other runs."""
    _logged_run.set(file)
    handler = LogFile(file, delay=True)
    handler.addFilter(lambda record: _logged_run.get() in (None, file))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("ltr")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        _logged_run.set(None)
        with contextlib.suppress(OSError):
            handler.close()


class LogFile(logging.FileHandler):
    """File of log messages, which lacks those that cannot be written."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message if it can be written."""
        with contextlib.suppress(OSError):  # of opening the file
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Drop a message that cannot be written."""
