"""Cost of finding the masks of lanes, counted whole."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pandas as pd

from ltr.arms import searches
from ltr.arms.registry import MASKS, WEIGHTS, ScoreEntry
from ltr.experiment.spec import RunSpec
from ltr.pruning.at_init import EXAMPLES_PER_CLASS
from ltr.pruning.targets import kept
from ltr.store.tables import LANE, LaneId


class SearchCost(NamedTuple):
    """Cost of finding the mask of a lane, without the lane's own training.

    It is that of all trainings that the mask needs, from step 0 on, each counted once: of a ticket, all
    rounds before; of one-shot pruning, the dense network; of `mask=found`, the training of the finder and
    whatever its own mask needs. Weights from a rewind step need the dense training up to there, unless a
    training counted already contains it. A score at initialisation costs the gradients that it computes, of
    as many images as it reads. A mask of which only the numbers of weights are used, as of a layerwise
    shuffle, costs nothing where they are known in advance. Not counted: pruning, and drawing at random.

    Attributes:
        flops: floating-point operations (see `ltr.engine.flops`).
        seconds: device time; that of scores at initialisation is included.
    """

    flops: float
    seconds: float


def search_cost(
    spec: RunSpec, frames: Mapping[str, pd.DataFrame], lane: LaneId, scoring_seconds: float
) -> SearchCost | None:
    """Return the cost of finding the mask of a lane; None if the tickets of another run give it.

    Args:
        spec: the run.
        frames: tables "results" and "timings", with the rows of the lanes that the mask needs.
        lane: the lane.
        scoring_seconds: time that its scores at initialisation took.
    """
    if spec.experiment.ticket is not None:
        return None
    needed = searches.needed(spec.experiment, lane)
    prefix = _prefix(spec, lane, needed)
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


def _prefix(spec: RunSpec, lane: LaneId, needed: Collection[LaneId]) -> int:
    """Return the dense steps to the rewind step that no needed training contains."""
    arm = spec.experiment.arm[lane.arm]
    if lane.round == 0 or not (WEIGHTS[arm.weights].reads_rewound or arm.keep_signs):
        return 0
    own = (other for other in needed if other.round == 0 and other.replicate == lane.replicate)
    contained = max(map(spec.length, own), default=0)
    return max(0, spec.schedule.rewind_step - contained)


def _scoring(spec: RunSpec, lane: LaneId) -> float:
    """Return the operations of the scores at initialisation of a lane."""
    entry = MASKS[spec.experiment.arm[lane.arm].mask]
    if not isinstance(entry, ScoreEntry):
        return 0.0
    images = EXAMPLES_PER_CLASS * spec.classes if entry.reads_batch else 1
    density = kept(spec.targets[lane.round]) / kept(spec.targets[0])
    remaining = sum(density ** (number / entry.rounds) for number in range(entry.rounds))
    return images * entry.gradients * remaining * spec.step_operations / spec.experiment.batch_size
