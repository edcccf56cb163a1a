"""`ltr.compare`: the knobs in which runs differ, and the accuracy of an arm at nearly equal densities."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ltr.analysis import comparison, search_race
from ltr.api.loaded import LoadedRun, load
from ltr.errors import ConfigError
from ltr.report.comparison import shared_replicates
from ltr.report.differing import differing
from ltr.store.catalog import require_different
from ltr.store.settings import paired, settings


class Comparison(NamedTuple):
    """Several runs, compared with the first.

    Attributes:
        runs: for each run its folder as `run`, whether its replicates are `paired` with those of the first
            run, and its knobs in which the runs differ (None: the default).
        rows: result of `ltr.analysis.comparison.compare`, or of `ltr.analysis.search_race.search_race`.
        shared: phrase about replicates that are not compared; empty if all are.
    """

    runs: list[dict[str, Any]]
    rows: pd.DataFrame
    shared: str


def compared(runs: Sequence[LoadedRun], arm: str) -> Comparison:
    """Compare an arm of several runs; ConfigError for fewer than two runs, or a run without the arm."""
    if len(runs) < 2:
        named = f"{runs[0].folder}: is one run" if runs else "no run"
        raise ConfigError(f"{named}; name two or more to compare (ltr show shows one)")
    experiments, results = [run.experiment for run in runs], [run.results for run in runs]
    for run, table in zip(runs, results, strict=True):
        if arm not in set(table["arm"]):
            known = ", ".join(sorted(set(table["arm"]))) or "none yet"
            raise ConfigError(f"arm {arm}: {run.folder} has {known}")
    are_paired = paired(experiments)
    tables = results, comparison.in_common(results, arm, are_paired)
    counts = ([table["replicate"].nunique() for table in group] for group in tables)
    return Comparison(
        _described(runs, are_paired),
        comparison.compare(results, arm, are_paired),
        shared_replicates(*counts),
    )


def raced(runs: Sequence[LoadedRun]) -> Comparison:
    """Race the searches of some runs against the ticket of the first; ConfigError for fewer than two."""
    experiments = [run.experiment for run in runs]
    methods = [arm for experiment in experiments for arm in search_race.contestants(experiment)]
    if len(methods) + len(runs) - 1 < search_race.FEWEST:
        raise ConfigError(
            f"{runs[0].folder}: has no two searches beside the ticket, so there is no race; see the arms of "
            "experiment=search_race"
        )
    are_paired = paired(experiments)
    tables = [search_race.Searched(run.experiment, run.results, run.timings) for run in runs]
    return Comparison(_described(runs, are_paired), search_race.search_race(tables, are_paired), "")


def _described(runs: Sequence[LoadedRun], are_paired: Sequence[bool]) -> list[dict[str, Any]]:
    """Return `Comparison.runs`."""
    knobs = differing([settings(run.experiment) for run in runs])
    return [
        {"run": str(run.folder), "paired": is_paired, **differences}
        for run, is_paired, differences in zip(runs, are_paired, knobs, strict=True)
    ]


def compare(
    runs: Sequence[LoadedRun | str | Path], arm: str = "ticket", output_root: str | Path = "outputs"
) -> pd.DataFrame:
    """Compare an arm of several runs with the same arm of the first run, as `ltr compare` does.

    Example:
        ```python
        ltr.compare([ltr.run(seed=0), ltr.run(seed=0, prune_rate=0.4)])
        ```

    Args:
        runs: two or more runs, each loaded or given by its folder, its id or the beginning of either.
        arm: name of the arm to compare.
        output_root: folder of the run folders.

    Returns:
        A row per run and round, with the columns of `ltr compare --csv` (see
        `ltr.analysis.comparison.compare`). `attrs["runs"]` holds, for each run, its folder, whether it is
        paired with the first run, and its knobs in which the runs differ (None: the default).

    Raises:
        ConfigError: fewer than two runs, the same run twice, no such run, or a run without the arm.
        LtrError: a run is damaged.
    """
    if isinstance(runs, LoadedRun | str | Path):
        runs = [runs]
    loaded = [run if isinstance(run, LoadedRun) else load(run, output_root) for run in runs]
    require_different([str(run) for run in runs], [run.folder for run in loaded])
    comparison = compared(loaded, arm)
    comparison.rows.attrs["runs"] = comparison.runs
    return comparison.rows
