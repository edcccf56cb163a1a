"""Conversion of outcomes to rows of the tables."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.early_stopping import early_stop
from ltr.core import masks
from ltr.core.types import Mask, Params
from ltr.engine.running_batch import Outcome
from ltr.errors import LtrError
from ltr.experiment.search_cost import SearchCost
from ltr.methods.registry import METHODS, WATCHED
from ltr.models.paths import PathFinder
from ltr.store.tables import LANE, NULLABLE, RESULTS, LaneId

OF_PATHS = {"reached_outputs": "int32", "dead_units": "int32"}
"""Columns about the paths through a network, with their types."""


class Emptied(NamedTuple):
    """Ticket that is not trained, since pruning emptied a layer of it."""

    lane: LaneId
    density: float
    layer: str


def rows(
    outcomes: Mapping[LaneId, Outcome],
    evaluated_at: np.ndarray,
    operations: Mapping[LaneId, int],
    costs: Mapping[LaneId, SearchCost | None],
) -> dict[str, pd.DataFrame]:
    """Return the rows of trained lanes, by table: "metrics", "results", "timings".

    Args:
        outcomes: outcome of each lane.
        evaluated_at: evaluated steps.
        operations: floating-point operations of each lane's training.
        costs: cost of finding each lane's mask; None if it is unknown.
    """
    metrics = pd.concat(
        [
            pd.DataFrame(
                {
                    **lane._asdict(),
                    "density": outcome.density,
                    "step": evaluated_at[: len(outcome.metrics.val_loss)],
                    **outcome.metrics._asdict(),
                }
            )
            for lane, outcome in outcomes.items()
        ]
    )
    results = early_stop(metrics)
    lanes = [LaneId(*lane) for lane in results[list(LANE)].itertuples(index=False)]
    spent = {lane: cost or SearchCost(np.nan, np.nan) for lane, cost in costs.items()}
    results = results.assign(
        flops=[operations[lane] for lane in lanes], search_flops=[spent[lane].flops for lane in lanes]
    )
    timings = pd.DataFrame(
        [(*lane, outcome.seconds, spent[lane].seconds) for lane, outcome in outcomes.items()],
        columns=[*LANE, "seconds", "search_seconds"],
    )
    return {
        "metrics": metrics,
        "results": results.merge(_notes(outcomes), on=list(LANE)),
        "timings": timings,
    }


def untrained(tickets: Sequence[Emptied]) -> dict[str, pd.DataFrame]:
    """Return the rows of tickets that are not trained, which the table "results" alone has."""
    lanes = pd.DataFrame([ticket.lane for ticket in tickets], columns=LANE)
    return {
        "results": lanes.assign(
            density=[ticket.density for ticket in tickets],
            emptied_layer=[ticket.layer for ticket in tickets],
            censored=False,
            steps=0,
            flops=0.0,
        )
    }


def of_paths(find: PathFinder, mask: Mask, params: Params) -> dict[str, int | None]:
    """Return the columns about the paths through a network, those through frozen weights included."""
    present = masks.tree_map(lambda kept, leaf: None if kept is None else kept | (leaf != 0), mask, params)
    paths = find(present)
    return dict(zip(OF_PATHS, (paths.outputs, paths.all_dead_units), strict=True))


def _notes(outcomes: Mapping[LaneId, Outcome]) -> pd.DataFrame:
    """Return a column for each note, with missing values for lanes that lack it.

    Raises:
        LtrError: no method declares a note.
    """
    of_methods = (note for entry in (*METHODS.values(), *WATCHED.values()) for note in entry.notes)
    declared = OF_PATHS | {note.name: note.type for note in of_methods}
    noted = {name for outcome in outcomes.values() for name in outcome.notes}
    if undeclared := noted - set(declared):
        raise LtrError(f"{min(undeclared)}: noted by a method, but no entry of a method declares this column")
    columns = [name for name in declared if name in noted or name in RESULTS.names]
    rows = [
        {**lane._asdict(), **dict.fromkeys(columns), **outcome.notes} for lane, outcome in outcomes.items()
    ]
    return pd.DataFrame(rows).astype({name: NULLABLE[declared[name]] for name in columns})
