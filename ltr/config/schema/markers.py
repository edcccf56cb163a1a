"""Markers: what the type of a knob says beside its values, and what all dataclasses of knobs share."""

import os
from typing import Any

from pydantic import ConfigDict

from ltr.registry import Registry, load

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Pydantic settings of every dataclass of knobs: unknown fields, NaN and infinity are refused."""


class NotInRunId:
    """Marker of a knob that is not part of the run id."""


class Extends(NotInRunId):
    """Marker of a knob for the amount of training: a larger value extends the same run."""


class OfMachine(NotInRunId):
    """Marker of a knob of the machine or of the analysis, which cannot change a training's result.

    Comparisons of runs, lists of settings and commands to repeat a run leave it out.
    """


class OfLane:
    """Marker of a knob that no compiled program depends on, so runs that differ in it can train together.

    Its value decides what lanes start from, which of them there are and what becomes of them, or is an
    argument of the program.
    """


class AsTyped:
    """Marker of a text knob whose value on the command line is literal, whatever characters it holds."""


class FilePath(AsTyped):
    """Marker of a literal knob that names a file or folder; a leading `~` is the home folder."""


class NameIn:
    """Marker of a knob that names a registry entry. The registry is imported on first use.

    Args:
        reference: "module:object" of the registry; its module imports neither JAX nor NumPy.
    """

    def __init__(self, reference: str) -> None:
        self._reference = reference

    @property
    def registry(self) -> Registry[Any]:
        return load(self._reference)


class OptionsOf:
    """Marker of a mapping of options for the entry that another knob of the group names.

    Args:
        knob: field of the same dataclass that names the entry.
    """

    def __init__(self, knob: str) -> None:
        self.knob = knob


class Auto:
    """Marker of a knob that may also be `auto`; `ltr.config.parse.parse` replaces it by other knobs."""


def home(path: Any) -> Any:
    """Return a path with its leading `~` replaced by the home folder; other values are returned as given."""
    return os.path.expanduser(path) if isinstance(path, str) else path  # noqa: PTH111
