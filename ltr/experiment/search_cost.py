"""Cost of finding the masks of lanes, counted whole."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

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


class Spent(NamedTuple):
    """What the trainings of a run cost, by lane.

    Attributes:
        flops: floating-point operations.
        seconds: device time.
        ends: steps at which early-bird tickets were found; missing values without any.
    """

    flops: Mapping[LaneId, float]
    seconds: Mapping[LaneId, float]
    ends: Mapping[LaneId, Any]

    @classmethod
    def of(cls, frames: Mapping[str, pd.DataFrame]) -> Self:
        """Read the tables "results" and "timings" once, for the costs of any number of lanes."""
        results, timings = (frames[name].set_index(list(LANE)) for name in ("results", "timings"))
        return cls(
            _by_lane(results["flops"]), _by_lane(timings["seconds"]), _by_lane(results["early_bird_step"])
        )


def _by_lane(column: pd.Series) -> dict[LaneId, Any]:
    return {LaneId(*lane): value for lane, value in column.items()}  # type: ignore[misc]


def search_cost(spec: RunSpec, spent: Spent, lane: LaneId, scoring_seconds: float) -> SearchCost | None:
    """Return the cost of finding the start of a lane; None if it depends on the tickets of another run.

    Args:
        spec: the run.
        spent: of the lanes that the start needs, among others.
        lane: the lane.
        scoring_seconds: time that its scores at initialisation took.
    """
    if spec.experiment.ticket is not None and searches.reads_ticket(spec.experiment, lane):
        return None
    needed = searches.needed(spec.experiment, lane)
    prefix = _prefix(spec, spent, lane.replicate, {lane, *needed})
    dense = LaneId(0, lane.replicate, "ticket", 0)
    pace = spent.seconds.get(dense, 0.0) / spec.schedule.steps
    return SearchCost(
        _total(spent.flops, needed) + prefix * spec.step_operations + _scoring(spec, lane),
        _total(spent.seconds, needed) + prefix * pace + scoring_seconds,
    )


def _total(of_lanes: Mapping[LaneId, float], lanes: Collection[LaneId]) -> float:
    return float(sum(of_lanes.get(lane, 0.0) for lane in sorted(lanes)))


def _prefix(spec: RunSpec, spent: Spent, replicate: int, lanes: Collection[LaneId]) -> int:
    """Return the dense steps to the rewind step that lanes need and no training of theirs contains."""
    if not any(lane.round and _reads_rewound(spec.experiment.arm[lane.arm]) for lane in lanes):
        return 0
    own = (
        other
        for other in lanes
        if other.round == 0 and other.replicate == replicate and spec.has_common_batches(other)
    )
    contained = max((_steps(spec, spent, other) for other in own), default=0)
    return max(0, spec.schedule.rewind_step - contained)


def _reads_rewound(arm: Arm) -> bool:
    """Return whether an arm starts from weights at the rewind step, or takes their signs."""
    return WEIGHTS[arm.weights].reads_rewound or arm.keep_signs


def _steps(spec: RunSpec, spent: Spent, lane: LaneId) -> int:
    """Return the steps of a dense training, which may have ended before its last."""
    ends_early = METHODS[spec.experiment.arm[lane.arm].method].needs_target
    end = spent.ends[lane] if ends_early else None
    return spec.length(lane) if pd.isna(end) else int(end)


def _scoring(spec: RunSpec, lane: LaneId) -> float:
    """Return the operations of the scores at initialisation of a lane."""
    entry = MASKS[spec.experiment.arm[lane.arm].mask]
    if not isinstance(entry, ScoreEntry):
        return 0.0
    images = EXAMPLES_PER_CLASS * spec.classes if entry.reads_batch else 1
    density = kept(spec.targets[lane.round]) / kept(spec.targets[0])
    remaining = sum(density ** (number / entry.rounds) for number in range(entry.rounds))
    return images * entry.gradients * remaining * spec.step_operations / spec.experiment.batch_size
