"""Missing and damaged parts of a run folder: one error, the same from every command that reads them."""

import itertools
from pathlib import Path
from typing import NamedTuple

from ltr.errors import LtrError

WHOLE, UNCHECKED, MISSING, DAMAGED = "whole", "unchecked", "missing", "damaged"


class DamageError(LtrError):
    """A part of a run folder is missing or damaged.

    Attributes:
        path: the file or checkpoint.
        problem: `MISSING`, `DAMAGED`, or what else is wrong with it.
        lost: what it held.
        remedy: what makes it again, and what is trained again for that.
    """

    def __init__(self, path: Path, problem: str, lost: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; lost: {lost}; {remedy}")
        self.path, self.problem, self.lost, self.remedy = path, problem, lost, remedy


class Part(NamedTuple):
    """Part of a run folder: a file or a checkpoint.

    Attributes:
        path: its path.
        error: error of reading it; None if there is none.
        has_checksum: whether it was compared with a checksum; files of earlier versions have none.
    """

    path: Path
    error: DamageError | None = None
    has_checksum: bool = True

    @property
    def state(self) -> str:
        """`WHOLE`, `UNCHECKED`, or the problem of the error."""
        if self.error:
            return self.error.problem
        return WHOLE if self.has_checksum else UNCHECKED


def set_aside(path: Path) -> Path:
    """Rename a damaged file or checkpoint so that nothing reads it, and return its new path."""
    endings = itertools.chain([""], map(".{}".format, itertools.count(2)))
    names = (path.with_name(f"{path.name}.damaged{ending}") for ending in endings)
    return path.rename(next(name for name in names if not name.exists()))
