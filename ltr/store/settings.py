"""The knobs of a run as readers see them: what was set, what its replicates share, how much was asked for."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ltr.config.parse import generic, knobs
from ltr.config.schema import Arm, Experiment, Extends, OfMachine
from ltr.config.walk import by_name, is_marked
from ltr.store.identity import decisive

SHARED = ("seed", "ticket", "batch_size", "dataset.", "model.")
"""How the knobs begin that, where they are the same, make replicates start from the same weights."""


def paired(experiments: Sequence[Experiment]) -> list[bool]:
    """Of each experiment, whether its replicates start from the same weights as those of the first."""
    return [_shared(one) == _shared(experiments[0]) for one in experiments]


def settings(experiment: Experiment) -> dict[str, Any]:
    """The knobs that are not at their default, by dotted name; of arms, those that were asked for.

    Knobs of the machine, or of how one looks (`ltr.config.schema.OfMachine`), are none.
    """
    schema, asked = Experiment(), only_asked_arms(experiment)
    arms = {name: schema.arm.get(name, Arm()) for name in asked.arm}
    default = {name: value for name, value, _ in by_name(dataclasses.replace(schema, arm=arms))}
    return {
        name: value
        for name, value, hint in by_name(asked)
        if (name not in default or value != default[name]) and not is_marked(hint, OfMachine)
    }


def listed() -> dict[str, Any]:
    """Every knob that `settings` may name, and its default; those of an arm are `arm.NAME....`."""
    schema = dataclasses.replace(Experiment(), arm={"NAME": Arm()})
    of_schema = {name: value for name, value, hint in by_name(schema) if not is_marked(hint, OfMachine)}
    return {knob.name: knob.default for knob in knobs() if knob.entry} | of_schema


@functools.cache
def default(name: str) -> Any:
    """The default of a knob that `settings` may name, as plain data; KeyError if there is no such knob."""
    of_schema = {knob: value for knob, value, _ in by_name(Experiment()) if knob.startswith("arm.")}
    if name in of_schema:
        return of_schema[name]
    return listed()[generic(name)]


def extent(experiment: Experiment) -> dict[str, Any]:
    """How much is asked for: `rounds`, `replicates`, `arms`, and `arm.NAME.draws` of each of them."""
    return {
        name: value for name, value, hint in by_name(only_asked_arms(experiment)) if is_marked(hint, Extends)
    }


def covers(experiment: Experiment, asked: Mapping[str, Any]) -> bool:
    """Whether an experiment asks for all that an `extent` does."""
    mine = extent(experiment)
    return set(asked["arms"]) <= set(mine["arms"]) and all(
        value <= mine[name] for name, value in asked.items() if name != "arms"
    )


def enlarged(before: Experiment, asked: Experiment) -> Experiment:
    """What is asked for, with no fewer rounds, replicates, arms and draws than there were before."""
    arm = {**before.arm, **asked.arm}
    for name in before.arm.keys() & asked.arm.keys():
        arm[name] = dataclasses.replace(arm[name], draws=max(before.arm[name].draws, arm[name].draws))
    return dataclasses.replace(
        asked,
        rounds=max(before.rounds, asked.rounds),
        replicates=max(before.replicates, asked.replicates),
        arms=tuple(dict.fromkeys((*before.arms, *asked.arms))),
        arm=arm,
    )


def only_asked_arms(experiment: Experiment) -> Experiment:
    """Return the experiment without definitions of arms that it does not ask for."""
    arms = {name: experiment.arm.get(name, Arm()) for name in experiment.arms}
    return dataclasses.replace(experiment, arm=arms)


def _shared(experiment: Experiment) -> dict[str, Any]:
    """The knobs that decide what replicates start from: of equal runs, differences are paired."""
    return {name: value for name, value in decisive(experiment).items() if name.startswith(SHARED)}
