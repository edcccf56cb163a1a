"""A process of `ltr` that kills itself at a boundary: before or after it writes a file or prunes."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ltr.cli import main
from ltr.core import atomic
from ltr.engine import devices
from ltr.experiment import snapshot
from ltr.experiment.session import Session
from ltr.store import checkpoints
from ltr.store.folder import RunFolder

BOUNDARIES: list[tuple[Any, str]] = [
    (atomic, "write_bytes"),
    (checkpoints, "save"),
    (checkpoints, "remove"),
    (RunFolder, "save"),
    (RunFolder, "commit"),
    (Session, "find_ticket"),
]
"""Functions that are boundaries; a text and a table are written by `write_bytes` too."""


class Fate(NamedTuple):
    """What happens to a process.

    Attributes:
        boundary: number of the boundary at which it is killed; at none if it is 0.
        when: "before" or "after" the boundary.
        forgets: whether it drops the state of the data order when it resumes inside a round, which must not
            go unnoticed.
    """

    boundary: int = 0
    when: str = "before"
    forgets: bool = False


UNDISTURBED = Fate()


def live(words: Sequence[str], fate: Fate, errors: Path) -> NoReturn:
    """Be `ltr` with these words until the end, which is the end of this process; append errors to a file."""
    for stream, path in ((1, os.devnull), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    devices.CACHED_FROM = 0.0  # programs of the process before are not compiled again
    if fate.boundary:
        kill_at(fate.boundary, fate.when)
    if fate.forgets:
        forget_data_order()
    sys.argv = ["ltr", *words]
    sys.exit(main())


def kill_at(number: int, when: str) -> None:
    """Count calls of all boundaries, and kill this process before or after that of a number."""
    passed = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal passed
            passed += 1
            is_last = passed == number
            if is_last and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **named)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for owner, name in BOUNDARIES:
        setattr(owner, name, counted(getattr(owner, name)))


def forget_data_order() -> None:
    """Resume lanes with another order of their data."""
    unpack = snapshot.unpack

    def forgetting(*arguments: Any) -> Any:
        found = unpack(*arguments)
        if found.batch is None:
            return found
        lanes = [lane._replace(key=np.zeros_like(lane.key)) for lane in found.batch.lanes]
        return found._replace(batch=found.batch._replace(lanes=lanes))

    snapshot.unpack = forgetting
