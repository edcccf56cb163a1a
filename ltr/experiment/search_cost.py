"""Cost of finding the masks of lanes, counted whole."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pandas as pd

from ltr.arms import searches
from ltr.arms.registry import MASKS, WEIGHTS, ScoreEntry
from ltr.config.schema import Arm
from ltr.experiment.spec import RunSpec
from ltr.methods.registry import METHODS
from ltr.pruning.at_init import EXAMPLES_PER_CLASS
from ltr.pruning.targets import kept
from ltr.store.tables import LANE, LaneId


class SearchCost(NamedTuple):
    """Cost of finding the mask and weights that a lane starts from, without the lane's own training.

    It is that of all trainings that they need, from step 0 on, each counted once: of a ticket, all rounds
    before; of one-shot pruning, the dense network; of `mask=found`, the training of the finder and whatever
    its own start needs. Weights from a rewind step, of the lane or of a training that it needs, need the
    dense training up to there, unless a training counted already contains it. A score at initialisation
    costs the gradients that it computes, of as many images as it reads. A control that uses only the numbers
    of the ticket's weights costs nothing where these are known in advance. Not counted: pruning, and drawing
    at random.

    Attributes:
        flops: floating-point operations (see `ltr.engine.flops`).
        seconds: device time of the trainings, and wall-clock time of scores at initialisation, with the
            compilation of these.
    """

    flops: float
    seconds: float


def search_cost(
    spec: RunSpec, frames: Mapping[str, pd.DataFrame], lane: LaneId, scoring_seconds: float
) -> SearchCost | None:
    """Return the cost of finding the start of a lane; None if it depends on the tickets of another run.

    Args:
        spec: the run.
        frames: tables "results" and "timings", with the rows of the lanes that the mask needs.
        lane: the lane.
        scoring_seconds: time that its scores at initialisation took.
    """
    if spec.experiment.ticket is not None and searches.reads_ticket(spec.experiment, lane):
        return None
    needed = searches.needed(spec.experiment, lane)
    prefix = _prefix(spec, frames["results"], lane.replicate, {lane, *needed})
    pace = (
        _total(frames["timings"], [LaneId(0, lane.replicate, "ticket", 0)], "seconds") / spec.schedule.steps
    )
    return SearchCost(
        _total(frames["results"], needed, "flops") + prefix * spec.step_operations + _scoring(spec, lane),
        _total(frames["timings"], needed, "seconds") + prefix * pace + scoring_seconds,
    )


def _total(frame: pd.DataFrame, lanes: Collection[LaneId], column: str) -> float:
    """Return the sum of a column over the rows of lanes."""
    is_of_lane = pd.MultiIndex.from_frame(frame[list(LANE)]).isin([*lanes])
    return float(frame.loc[is_of_lane, column].sum())


def _prefix(spec: RunSpec, results: pd.DataFrame, replicate: int, lanes: Collection[LaneId]) -> int:
    """Return the dense steps to the rewind step that lanes need and no training of theirs contains."""
    if not any(lane.round and _reads_rewound(spec.experiment.arm[lane.arm]) for lane in lanes):
        return 0
    own = (
        other
        for other in lanes
        if other.round == 0 and other.replicate == replicate and spec.has_common_batches(other)
    )
    contained = max((_steps(spec, results, other) for other in own), default=0)
    return max(0, spec.schedule.rewind_step - contained)


def _reads_rewound(arm: Arm) -> bool:
    """Return whether an arm starts from weights at the rewind step, or takes their signs."""
    return WEIGHTS[arm.weights].reads_rewound or arm.keep_signs


def _steps(spec: RunSpec, results: pd.DataFrame, lane: LaneId) -> int:
    """Return the steps of a dense training, which may have ended before its last."""
    if not METHODS[spec.experiment.arm[lane.arm].method].needs_target:
        return spec.length(lane)
    row = results[pd.MultiIndex.from_frame(results[list(LANE)]) == lane].iloc[0]
    return spec.length(lane) if pd.isna(row["early_bird_step"]) else int(row["early_bird_step"])


def _scoring(spec: RunSpec, lane: LaneId) -> float:
    """Return the operations of the scores at initialisation of a lane."""
    entry = MASKS[spec.experiment.arm[lane.arm].mask]
    if not isinstance(entry, ScoreEntry):
        return 0.0
    images = EXAMPLES_PER_CLASS * spec.classes if entry.reads_batch else 1
    density = kept(spec.targets[lane.round]) / kept(spec.targets[0])
    remaining = sum(density ** (number / entry.rounds) for number in range(entry.rounds))
    return images * entry.gradients * remaining * spec.step_operations / spec.experiment.batch_size
