"""Summaries of a run's results table: by round and arm, by replicate, and in one line."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ltr.analysis.cells import Cells
from ltr.config.schema import Experiment
from ltr.store.chains import ends

MEASURES = {
    "accuracy": "accuracy_at_early_stop",
    "final_accuracy": "final_accuracy",
    "early_stop_step": "early_stop_step",
}
"""Measures of a summary, each with the column of the results table that it averages."""


def select(table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Select the rows of a table that an experiment requests; the table may have more.

    Args:
        table: any table with the columns of a lane.
        experiment: the arms, and the numbers of rounds, replicates and draws.
    """
    draws = table["arm"].map({arm: experiment.draws(arm) for arm in experiment.arms}).astype(np.float64)
    requested = (
        (table["round"] <= experiment.rounds)
        & (table["replicate"] < experiment.replicates)
        & (table["draw"] < draws)
    )
    return table[requested].reset_index(drop=True)


def by_round(results: pd.DataFrame) -> pd.DataFrame:
    """Average every round and arm over draws and then over replicates.

    Returns:
        One row for each (`round`, `arm`): mean `density`; `n` replicates with a result; for each of
        `MEASURES` its mean over these and `<measure>_ci95`, the half-width of its 95 % confidence interval
        (NaN for one replicate); the number of trained `lanes`, of `censored` lanes (if any is censored, the
        mean early stop is only a lower bound), of `diverged` lanes, which the means leave out, and of
        `disconnected` lanes, whose inputs no path joins to an output; the means of `early_bird_step` and
        `dead_units` over the lanes that have one. Accuracies are fractions.
    """
    replicates = by_replicate(results)
    lanes, averages = (Cells(table, ["round", "arm"]) for table in (results, replicates))
    columns: dict[str, npt.NDArray[Any]] = {
        "density": averages.means(replicates["density"]),
        "n": averages.counts(replicates["accuracy"].notna()),
    }
    for measure in MEASURES:
        columns[measure] = averages.means(replicates[measure])
        columns[f"{measure}_ci95"] = averages.half_widths(replicates[measure])
    columns |= {
        "censored": lanes.counts(results["censored"]),
        "early_bird_step": lanes.means(results["early_bird_step"]),
        "dead_units": lanes.means(results["dead_units"]),
        "lanes": lanes.counts(results["emptied_layer"].isna()),
        "diverged": lanes.counts(results["diverged_step"].notna()),
        "disconnected": lanes.counts(results["reached_outputs"] == 0),
    }
    return pd.DataFrame(lanes.keys | columns)


def by_replicate(results: pd.DataFrame) -> pd.DataFrame:
    """Average every round, arm and replicate over draws: mean `density`, and `MEASURES` by name.

    Draws that diverged are left out; the measures are NaN if all did.
    """
    cells = Cells(results, ["round", "arm", "replicate"])
    columns = {"density": "density"} | MEASURES
    return pd.DataFrame(cells.keys | {name: cells.means(results[column]) for name, column in columns.items()})


def density(rows: pd.DataFrame) -> float:
    """Density of a round: that of its ticket, or the mean of all rows if there is no ticket."""
    tickets = rows[rows["arm"] == "ticket"]
    return float((tickets if len(tickets) else rows)["density"].mean())


def summary(results: pd.DataFrame, experiment: Experiment) -> dict[str, int | float | None]:
    """Summarise a run in one line, for lists of runs; None for what has not been trained.

    Returns:
        `rounds_done`, the last trained round; the numbers of `replicates` and trained `lanes`, of `diverged`
        lanes, and of replicates whose chain `ended` before the last round; `density` and `ticket_accuracy`
        of the last ticket; `dense_accuracy`. Accuracies are mean test accuracies at early stop, as
        fractions.
    """
    trained = results[results["emptied_layer"].isna()]
    tickets = by_round(trained[trained["arm"] == "ticket"]).query("n > 0")
    dense = tickets[tickets["round"] == 0]
    last = tickets.iloc[-1:]
    return {
        "rounds_done": int(max(trained["round"], default=0)),
        "replicates": int(results["replicate"].nunique()),
        "lanes": len(trained),
        "diverged": int(trained["diverged_step"].notna().sum()),
        "ended": sum(end.last_round < experiment.rounds for end in ends(results, experiment).values()),
        "density": _only(last["density"]),
        "dense_accuracy": _only(dense["accuracy"]),
        "ticket_accuracy": _only(last["accuracy"]),
    }


def _only(values: pd.Series) -> float | None:
    return None if values.empty else float(values.iloc[0])


def replicate_seconds(timings: pd.DataFrame) -> float:
    """Return the typical device time of a replicate in seconds: for each arm, lanes x median of a lane.

    A mean would follow the busiest moments: other processes slow trainings down, and nothing speeds them up.

    Args:
        timings: table of the seconds of every lane.
    """
    by_arm = timings.groupby("arm")["seconds"]
    return float((by_arm.median() * by_arm.size()).sum() / timings["replicate"].nunique())
