"""Lanes of a round, and the method of each."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from ltr.arms import searches
from ltr.config.schema import Experiment
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.methods.registry import method as find_method
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


class ProgramOf(NamedTuple):
    """What a compiled program trains by.

    Attributes:
        method: name of a method (see `ltr.methods.registry`).
        batch_size: number of training examples in a step.
    """

    method: str
    batch_size: int


def method(experiment: Experiment, arm: str) -> str:
    """Return the name of an arm's method; the ticket's may be a watched one."""
    return "early_bird" if arm == "ticket" and experiment.early_bird else experiment.arm[arm].method


def batch_size(experiment: Experiment, arm: str) -> int:
    """Return the number of training examples in a step of an arm."""
    return experiment.arm[arm].search_batches * experiment.batch_size


def program(experiment: Experiment, arm: str) -> str:
    """Return the name of the program that trains an arm."""
    return program_name(experiment, method(experiment, arm), batch_size(experiment, arm))


def program_name(experiment: Experiment, method: str, batch_size: int) -> str:
    """Return the name of the program of a method with batches of a size."""
    return method if batch_size == experiment.batch_size else f"{method}, batches of {batch_size}"


def programs(experiment: Experiment) -> dict[str, ProgramOf]:
    """Return the programs of all lanes of an experiment by name, that of the default method included."""
    needed = {ProgramOf(WEIGHTS_ALONE, experiment.batch_size)}
    for arm in experiment.arms:
        by = ProgramOf(method(experiment, arm), batch_size(experiment, arm))
        needed |= {by, by._replace(method=WEIGHTS_ALONE)} if find_method(by.method).needs_target else {by}
    return {program_name(experiment, *of): of for of in sorted(needed)}


def furthest_target(experiment: Experiment) -> int:
    """Return how many rounds later the mask is at most whose number of weights a training needs to know."""
    needing = [arm for arm in experiment.arms if find_method(method(experiment, arm)).needs_target]
    return max((experiment.arm[arm].prune_every for arm in needing), default=0)


def widest(experiment: Experiment) -> int:
    """Return the largest number of lanes of a round that share a program, so that they can train at once."""
    return max(
        max(Counter(program(experiment, lane.arm) for lane in lanes(experiment, round_number)).values())
        for round_number in range(experiment.rounds + 1)
        if experiment.trains(round_number)
    )
