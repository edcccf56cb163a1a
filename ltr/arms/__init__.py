"""Arms: what a lane of a round starts from. `ticket` is the finding, the others are its controls.

An arm is a configuration (`configs/arm/`): which connections it keeps, what their weights are, and
what becomes of the others, each by name in a registry of this package.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection
from typing import Any

import jax
import numpy as np

from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.mask_sources import MASKS, SHUFFLES, own, shuffled
from ltr.arms.weights import PRUNED, WEIGHTS, with_noise, with_signs
from ltr.config import files
from ltr.config.parse import KnobError, require_arms
from ltr.config.schema import Arm, Experiment
from ltr.core import rng
from ltr.errors import ConfigError
from ltr.methods import METHODS, SCORES, WEIGHTS_ALONE
from ltr.pruning import at_init
from ltr.pruning.at_init import AT_INIT, INVERTIBLE
from ltr.store.tables import LaneId
from ltr.suggestions import nearest

TICKET = Arm()
"""The arm `ticket`: the pruned mask, and the weights at the rewind step."""


def start(arm: Arm, context: ArmContext, key: jax.Array) -> Subnetwork:
    """What a lane of the arm starts from; `key` is its own."""
    if arm == TICKET:
        return context.ticket
    generator = np.random.default_rng(np.asarray(jax.random.key_data(rng.fold(key, "shuffle"))))
    found = own(arm, context, rng.fold(key, "mask"))
    if arm.shuffle != "none":
        found = Subnetwork(
            shuffled(arm.shuffle, found.mask, context.layer_types, generator), context.rewind_params
        )
    weights = WEIGHTS[arm.weights](context, found, rng.fold(key, "weights"))
    if arm.keep_signs:
        weights = with_signs(weights, found)
    if arm.noise:
        weights = with_noise(weights, context, found.mask, arm.noise, rng.fold(key, "noise"))
    return Subnetwork(found.mask, PRUNED[arm.pruned](context, found.mask, weights))


def is_drawn(arm: Arm) -> bool:
    """Whether chance has a part in it, so that another draw is another start."""
    settled = arm.weights in ("own", "initial") or (arm.weights == "constant" and arm.keep_signs)
    shaken = arm.shuffle != "none" or not settled or arm.noise > 0
    return at_init.is_drawn(arm.mask, arm.invert) or shaken or arm.method in SCORES


def lanes(experiment: Experiment, round_number: int) -> list[LaneId]:
    """The trainings of a round, tickets first; the dense round 0 has tickets alone."""
    if not experiment.trains(round_number):
        return []
    names = experiment.arms if round_number else ("ticket",)
    return [
        LaneId(round_number, replicate, arm, draw)
        for arm in sorted(names, key=lambda name: name != "ticket")
        for replicate in range(experiment.replicates)
        for draw in range(experiment.draws(arm))
    ]


def missing(experiment: Experiment, round_number: int, finished: Collection[LaneId]) -> list[LaneId]:
    """The trainings of a round that are still to be done."""
    return [lane for lane in lanes(experiment, round_number) if lane not in finished]


def method(experiment: Experiment, arm: str) -> str:
    """How an arm trains (see `ltr.methods`); the ticket may be watched, while there is a next one."""
    return "early_bird" if arm == "ticket" and experiment.early_bird else experiment.arm[arm].method


def methods(experiment: Experiment) -> set[str]:
    """How the lanes of an experiment train, unwatched ones included."""
    return {WEIGHTS_ALONE, *(method(experiment, arm) for arm in experiment.arms)}


def widest(experiment: Experiment) -> int:
    """The most lanes of a round that train by one method, and so can train at once."""
    return max(
        max(Counter(method(experiment, lane.arm) for lane in lanes(experiment, round_number)).values())
        for round_number in (0, experiment.rounds)
    )


def check(experiment: Experiment) -> None:
    """ConfigError for an arm that is not defined, or cannot be what its definition says."""
    require_arms(experiment.arms, experiment.arm)
    for name in experiment.arms:
        pruned = experiment.arm[name].pruned
        moving = experiment.arm[name].method not in SCORES
        if pruned != "zero" and moving and experiment.optimizer.weight_decay:
            raise ConfigError(
                f"arm.{name}.pruned={pruned}: needs optimizer.weight_decay=0, which would move what is frozen"
            )
    for name, arm in experiment.arm.items():
        try:
            _check_definition(name, arm)
        except KnobError as error:
            in_file = files.in_arm_file(error, getattr(arm, error.path[-1]))
            if in_file is None:
                raise
            if name in experiment.arms:  # the file of an arm stops no run without it
                raise in_file from None
    if experiment.arm.get("ticket") != TICKET:
        raise ConfigError("arm.ticket: cannot be changed; define another arm")


def _check_definition(name: str, arm: Arm) -> None:
    _check_names(name, arm)
    if arm.invert and arm.mask not in INVERTIBLE:
        raise _wrong(name, "invert", f"arm.{name}.invert=true: needs a mask of {', '.join(INVERTIBLE)}")
    untouched = Arm(mask=arm.mask, invert=arm.invert, weights="initial", pruned="frozen")
    if arm.method in SCORES and dataclasses.replace(untouched, method=arm.method, draws=arm.draws) != arm:
        raise _wrong(
            name,
            "method",
            f"arm.{name}.method={arm.method}: chooses among the initial weights; needs "
            f"arm.{name}.weights=initial, arm.{name}.pruned=frozen, and no shuffle, signs or noise",
        )
    if arm.method == "rigl" and arm.pruned != "zero":
        raise _wrong(name, "method", f"arm.{name}.method=rigl: needs arm.{name}.pruned=zero")
    if arm.draws > 1 and not is_drawn(arm):
        raise _wrong(name, "draws", f"arm.{name}.draws={arm.draws}: must be 1, every draw is the same")


def _check_names(name: str, arm: Arm) -> None:
    registries: dict[str, Collection[Any]] = {
        "mask": {**MASKS, **AT_INIT},
        "shuffle": {"none", *SHUFFLES},
        "weights": WEIGHTS,
        "pruned": PRUNED,
        "method": METHODS,
    }
    for knob, known in registries.items():
        said = getattr(arm, knob)
        if said not in known:
            raise _wrong(name, knob, f"arm.{name}.{knob}={said}: unknown; {nearest(said, known)}")


def _wrong(arm: str, knob: str, message: str) -> KnobError:
    return KnobError(["arm", arm, knob], message)


__all__ = [
    "ArmContext",
    "Subnetwork",
    "check",
    "is_drawn",
    "lanes",
    "method",
    "methods",
    "missing",
    "start",
    "widest",
]
