"""Lanes of a round, and the method of each."""

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from ltr.arms import searches
from ltr.config.schema import Experiment
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.store import chains
from ltr.store.tables import LANE, LaneId


def lanes(experiment: Experiment, round_number: int) -> list[LaneId]:
    """Return the lanes of a round, tickets first; the dense round 0 has tickets only."""
    if not experiment.trains(round_number):
        return []
    names = [name for name in experiment.arms if searches.trains(experiment, name, round_number)]
    return [
        LaneId(round_number, replicate, arm, draw)
        for arm in sorted(names, key=lambda name: name != "ticket")
        for replicate in range(experiment.replicates)
        for draw in range(experiment.draws(arm))
    ]


def missing(experiment: Experiment, round_number: int, results: pd.DataFrame) -> list[LaneId]:
    """Return the lanes of a round that a results table lacks, without those of chains that ended before."""
    return missing_of_rounds(experiment, [round_number], results)[round_number]


def missing_of_rounds(
    experiment: Experiment, rounds: Iterable[int], results: pd.DataFrame
) -> dict[int, list[LaneId]]:
    """Return the missing lanes of each round; the table, which grows with the rounds, is read once."""
    ends = chains.ends(results, experiment)
    finished = set(results[list(LANE)].itertuples(index=False, name=None))
    return {
        round_number: [
            lane
            for lane in lanes(experiment, round_number)
            if lane not in finished
            and (lane.replicate not in ends or round_number <= ends[lane.replicate].last_round)
        ]
        for round_number in rounds
    }


def method(experiment: Experiment, arm: str) -> str:
    """Return the name of an arm's method (see `ltr.methods.registry`); the ticket's may be a watched one."""
    return "early_bird" if arm == "ticket" and experiment.early_bird else experiment.arm[arm].method


def methods(experiment: Experiment) -> set[str]:
    """Return the methods of all lanes of an experiment, the default method included."""
    return {WEIGHTS_ALONE, *(method(experiment, arm) for arm in experiment.arms)}


def widest(experiment: Experiment) -> int:
    """Return the largest number of lanes of a round that share a method, so that they can train at once."""
    return max(
        max(Counter(method(experiment, lane.arm) for lane in lanes(experiment, round_number)).values())
        for round_number in range(experiment.rounds + 1)
        if experiment.trains(round_number)
    )
