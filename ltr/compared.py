"""Runs side by side: what differs between them, and an arm at nearly the same densities."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from ltr.analysis import comparison
from ltr.errors import ConfigError
from ltr.loaded import LoadedRun
from ltr.report.comparison import differing, shared_replicates
from ltr.store.settings import paired, settings


class Comparison(NamedTuple):
    """Runs, compared with the first of them.

    Attributes:
        runs: of each its folder as `run`, whether its replicates are `paired` with the first run's, and the
            knobs in which they differ, None where one has its default.
        rows: what `ltr.analysis.comparison.compare` gives.
        shared: says which replicates are left out, if any are.
    """

    runs: list[dict[str, Any]]
    rows: pd.DataFrame
    shared: str


def compared(runs: Sequence[LoadedRun], arm: str) -> Comparison:
    """Compare an arm of runs; ConfigError if there are fewer than two, or one lacks the arm."""
    if len(runs) < 2:
        named = f"{runs[0].folder}: is one run" if runs else "no run"
        raise ConfigError(f"{named}; name two or more to compare (ltr show shows one)")
    experiments, results = [run.experiment for run in runs], [run.results for run in runs]
    for run, table in zip(runs, results, strict=True):
        if arm not in set(table["arm"]):
            known = ", ".join(sorted(set(table["arm"]))) or "none yet"
            raise ConfigError(f"arm {arm}: {run.folder} has {known}")
    are_paired = paired(experiments)
    knobs = differing([settings(one) for one in experiments])
    tables = results, comparison.in_common(results, arm, are_paired)
    counts = ([table["replicate"].nunique() for table in which] for which in tables)
    return Comparison(
        [
            {"run": str(run.folder), "paired": is_paired, **of_run}
            for run, is_paired, of_run in zip(runs, are_paired, knobs, strict=True)
        ],
        comparison.compare(results, arm, are_paired),
        shared_replicates(*counts),
    )
