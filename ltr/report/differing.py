"""Knobs in which runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any


def differing_names(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the dotted names of the knobs in which runs differ, sorted.

    A knob of an arm is compared among the runs that have the arm.

    Args:
        settings: for each run, its knobs that are not at their default (`ltr.store.settings.settings`).
    """
    return [name for name in sorted(set[str]().union(*settings)) if _differs(name, settings)]


def _differs(name: str, settings: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the runs that have a knob differ in it."""
    runs = [run for run in settings if concerns(name, run)] if name.startswith("arm.") else settings
    return any(run.get(name) != runs[0].get(name) for run in runs)


def differing(settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each run its knobs in which the runs differ, by dotted name; None for a default.

    A knob of an arm is left out for a run without the arm.
    """
    names = differing_names(settings)
    return [{name: run.get(name) for name in names if concerns(name, run)} for run in settings]


def concerns(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether a run has a knob; only runs with an arm have the knobs of the arm."""
    if not name.startswith("arm."):
        return True
    from ltr.store.settings import default  # imports pydantic

    return name.split(".")[1] in settings.get("arms", default("arms"))
