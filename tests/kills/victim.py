"""A process of `ltr` that kills itself at a boundary: before or after it writes a file or prunes.

Usage: victim.py NUMBER before|after kept|forgotten WORDS...

It is killed at its boundary of that number; at none if NUMBER is 0. `forgotten` drops the state of the data
order when it resumes inside a round, which must not go unnoticed.
"""

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ltr.cli import main
from ltr.core import atomic
from ltr.engine import devices
from ltr.experiment import snapshot
from ltr.experiment.session import Session
from ltr.store import checkpoints, tables
from ltr.store.folder import RunFolder

BOUNDARIES: list[tuple[Any, str]] = [
    (atomic, "write_bytes"),
    (atomic, "write_text"),
    (checkpoints, "save"),
    (checkpoints, "remove"),
    (tables, "write"),
    (RunFolder, "save"),
    (RunFolder, "commit"),
    (Session, "find_ticket"),
]


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


if __name__ == "__main__":
    number, when, memory, *words = sys.argv[1:]
    devices.CACHED_FROM = 0.0  # programs of the process before are not compiled again
    if int(number):
        kill_at(int(number), when)
    if memory == "forgotten":
        forget_data_order()
    sys.exit(main(words))
