"""Knobs in which runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any


def differing_names(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the dotted names of the knobs in which runs differ, sorted.

    A knob of an arm is compared among the runs that have the arm: the others have no value of it.

    Args:
        settings: for each run, its knobs that are not at their default (`ltr.store.settings.settings`).
    """
    different = []
    for name in sorted({name for run in settings for name in run}):
        values = [run.get(name) for run in settings if concerns(name, run)]
        if any(value != values[0] for value in values):
            different.append(name)
    return different


def concerns(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether a run has the knob: one of an arm concerns only the runs that have the arm."""
    if not name.startswith("arm."):
        return True
    from ltr.store.settings import default  # imports pydantic

    return name.split(".")[1] in settings.get("arms", default("arms"))
