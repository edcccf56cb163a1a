"""Settings of a run: knobs that are not at their default, pairing of runs, and the requested extent."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ltr.config.parse import generic, knobs
from ltr.config.schema import Arm, Experiment, Extends, OfMachine
from ltr.config.walk import by_name, is_marked
from ltr.store.identity import decisive

SHARED = ("seed", "ticket", "batch_size", "dataset.", "model.")
"""Prefixes of the knobs that decide the initial weights of a replicate."""


def paired(experiments: Sequence[Experiment]) -> list[bool]:
    """Return for each experiment whether its replicates start from the same weights as the first one's."""
    return [_shared(experiment) == _shared(experiments[0]) for experiment in experiments]


def settings(experiment: Experiment) -> dict[str, Any]:
    """Return the knobs that are not at their default, by dotted name, for requested arms only.

    Knobs of the machine or of the analysis (`ltr.config.schema.OfMachine`) are left out.
    """
    schema, requested = Experiment(), with_requested_arms(experiment)
    arms = {name: schema.arm.get(name, Arm()) for name in requested.arm}
    default = {name: value for name, value, _ in by_name(dataclasses.replace(schema, arm=arms))}
    return {
        name: value
        for name, value, hint in by_name(requested)
        if (name not in default or value != default[name]) and not is_marked(hint, OfMachine)
    }


def listed() -> dict[str, Any]:
    """Return every knob that `settings` may name, with its default; knobs of an arm are `arm.NAME....`."""
    schema = dataclasses.replace(Experiment(), arm={"NAME": Arm()})
    of_schema = {name: value for name, value, hint in by_name(schema) if not is_marked(hint, OfMachine)}
    return {knob.name: knob.default for knob in knobs() if knob.entry} | of_schema


@functools.cache
def default(name: str) -> Any:
    """Return the default of a knob that `settings` may name, as plain data; KeyError if it is unknown."""
    of_schema = {knob: value for knob, value, _ in by_name(Experiment()) if knob.startswith("arm.")}
    if name in of_schema:
        return of_schema[name]
    return listed()[generic(name)]


def extent(experiment: Experiment) -> dict[str, Any]:
    """Return the requested extent: `rounds`, `replicates`, `arms`, and `arm.NAME.draws` of each arm."""
    return {
        name: value
        for name, value, hint in by_name(with_requested_arms(experiment))
        if is_marked(hint, Extends)
    }


def covers(experiment: Experiment, requested: Mapping[str, Any]) -> bool:
    """Return whether an experiment requests at least an `extent`."""
    own = extent(experiment)
    return set(requested["arms"]) <= set(own["arms"]) and all(
        value <= own[name] for name, value in requested.items() if name != "arms"
    )


def enlarged(before: Experiment, requested: Experiment) -> Experiment:
    """Return the requested experiment with at least the rounds, replicates, arms and draws of `before`."""
    arm = {**before.arm, **requested.arm}
    for name in before.arm.keys() & requested.arm.keys():
        arm[name] = dataclasses.replace(arm[name], draws=max(before.arm[name].draws, arm[name].draws))
    return dataclasses.replace(
        requested,
        rounds=max(before.rounds, requested.rounds),
        replicates=max(before.replicates, requested.replicates),
        arms=tuple(dict.fromkeys((*before.arms, *requested.arms))),
        arm=arm,
    )


def with_requested_arms(experiment: Experiment) -> Experiment:
    """Return the experiment with definitions of its requested arms only."""
    arms = {name: experiment.arm.get(name, Arm()) for name in experiment.arms}
    return dataclasses.replace(experiment, arm=arms)


def _shared(experiment: Experiment) -> dict[str, Any]:
    """Return the knobs that decide the initial weights; runs with the same values are paired."""
    return {name: value for name, value in decisive(experiment).items() if name.startswith(SHARED)}
