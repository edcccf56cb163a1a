"""Rows of the tables of lanes that stand when a run folder is opened; other lanes are trained again."""

import functools
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ltr.core.plural import number_of
from ltr.store import catalog, tables
from ltr.store.damage import MISSING
from ltr.store.tables import LANE, LaneId

log = logging.getLogger(__name__)

Frames = Mapping[str, pd.DataFrame]
"""Tables by the names in `ltr.store.tables.LANES`."""


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of lanes. Warn of lost ones, which have no rows; DamageError if one is damaged."""
    return {name: _read(folder, name) for name in tables.LANES}


def backed(frames: Frames, saved: Mapping[int, set[int]], folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables without tickets that lack an intact checkpoint, and lanes that a table lacks.

    Warn of lanes that were committed and are not in every table, as in an older copy of one. Tickets that
    were not trained are in the results alone.

    Args:
        frames: tables as they were read.
        saved: replicates whose tickets have an intact checkpoint, by round.
        folder: path of the run folder, for warnings.
    """
    results, is_trained = frames["results"], frames["results"]["emptied_layer"].isna()
    recorded = [LaneId(*row) for row in results[list(LANE)].itertuples(index=False)]
    lost = [lane.arm == "ticket" and lane.replicate not in saved[lane.round] for lane in recorded]
    kept = {**frames, "results": results[is_trained & ~np.array(lost, bool)]}
    lanes = {name: pd.MultiIndex.from_frame(frame[list(LANE)]) for name, frame in kept.items()}
    for name, present in lanes.items():
        lacking = len(lanes["results"].difference(present))
        if lacking and len(present):
            log.warning(
                "%s: lacks %s of the results; %s trains them again",
                tables.file_of(folder, name),
                number_of(lacking, "lane"),
                catalog.command(folder),
            )
    whole = functools.reduce(pd.MultiIndex.intersection, lanes.values())
    kept = {name: kept[name][present.isin(whole)] for name, present in lanes.items()}
    untrained = results[~is_trained]
    if len(untrained):
        kept["results"] = pd.concat([kept["results"], untrained], ignore_index=True)
    return kept


def _read(folder: Path, name: str) -> pd.DataFrame:
    if tables.is_lost(folder, name):
        log.warning("%s", tables.damage(folder, name, MISSING))
        return tables.SCHEMAS[name].empty_table().to_pandas()
    return tables.read(folder, name)
