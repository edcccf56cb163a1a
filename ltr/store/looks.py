"""Looks at a run: the lanes and the claims of each occasion on which verdicts were given.

They are stored beside the tables, in `looks.json`, because a later look is corrected for earlier ones.
Looks that could decide nothing are stored too, because the rounds that they saw count.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ltr.core import atomic
from ltr.store import catalog, sealed_text
from ltr.store.damage import DAMAGED, MISSING, DamageError

FILE = "looks.json"


class Look(NamedTuple):
    """Data and claims of a look.

    Attributes:
        replicates: number of replicates used, from the first on.
        draws: number of draws used, from the first on, by arm.
        rounds: rounds that were tested.
        claims: names of the claims that got verdicts.
    """

    replicates: int
    draws: Mapping[str, int]
    rounds: Sequence[int]
    claims: Sequence[str]


def read(folder: Path) -> list[Look]:
    """Return the looks at a run, oldest first; DamageError if the file is damaged, or missing and lost."""
    path = folder / FILE
    if not path.exists():
        if is_lost(folder):
            raise damage(folder, MISSING)
        return []
    try:
        content = sealed_text.from_json(path.read_bytes())
        entries = content["looks"] if isinstance(content, dict) else content  # a list in earlier versions
        return [_look(entry) for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise damage(folder, DAMAGED) from None


def is_lost(folder: Path) -> bool:
    """Return whether looks that are not there were taken before, as `run.json` counts them."""
    return not (folder / FILE).exists() and catalog.looks(folder) > 0


def damage(folder: Path, problem: str) -> DamageError:
    """Return the error for missing or damaged looks."""
    again = f"{catalog.command(folder)} looks at the run as if for the first time, and trains no lane again"
    if problem != MISSING:
        again = f"type ltr doctor {folder} --repair, which moves it aside, and {again}"
    lost = "the looks, for which later verdicts are corrected"
    return DamageError(folder / FILE, problem, lost, f"restore it from a copy, or {again}")


def write(folder: Path, looks: Sequence[Look]) -> None:
    """Replace the looks at a run atomically."""
    atomic.write_bytes(folder / FILE, sealed_text.to_json({"looks": [look._asdict() for look in looks]}))


def _look(entry: Mapping[str, Any]) -> Look:
    return Look(
        int(entry["replicates"]),
        {str(arm): int(count) for arm, count in entry["draws"].items()},
        [int(round_number) for round_number in entry["rounds"]],
        [str(claim) for claim in entry["claims"]],
    )
