"""Checks that each arm is defined and that its parts fit together; importable without JAX."""

from ltr.arms.registry import MASKS, PRUNED, SHUFFLES, WEIGHTS, ScoreEntry
from ltr.config import files
from ltr.config.literals import literal
from ltr.config.parse import KnobError, require_arms
from ltr.config.schema import Arm, Experiment
from ltr.errors import ConfigError
from ltr.methods.registry import METHODS

TICKET = Arm()
"""The arm `ticket`: the pruned mask, and the weights at the rewind step."""


def check(experiment: Experiment) -> None:
    """Raise ConfigError if an arm is not defined, or if its parts do not fit together."""
    require_arms(experiment.arms, experiment.arm)
    for name in experiment.arms:
        pruned, method = experiment.arm[name].pruned, METHODS[experiment.arm[name].method]
        can_decay = PRUNED[pruned].are_zero or method.trains_scores
        if not can_decay and experiment.optimizer.weight_decay:
            raise ConfigError(
                f"arm.{name}.pruned={pruned}: needs optimizer.weight_decay=0; decay would move frozen weights"
            )
    for name, arm in experiment.arm.items():
        try:
            _check_definition(name, arm)
        except KnobError as error:
            in_file = files.in_arm_file(error, arm)
            if in_file is None:
                raise
            if name in experiment.arms:  # a broken file of an unused arm stops no run
                raise in_file from None
    for knob, value in vars(experiment.arm["ticket"]).items():
        if value != getattr(TICKET, knob):
            raise ConfigError(f"arm.ticket.{knob}={literal(value)}: cannot be changed; define another arm")


def _check_definition(name: str, arm: Arm) -> None:
    if arm.invert and not isinstance(MASKS[arm.mask], ScoreEntry):
        scores = (mask for mask, entry in MASKS.items() if isinstance(entry, ScoreEntry))
        raise _wrong(name, "invert", f"arm.{name}.invert=true: needs a mask of {', '.join(scores)}")
    missing = {
        knob: value for knob, value in METHODS[arm.method].needs.items() if getattr(arm, knob) != value
    }
    if missing:
        needs = ", ".join(f"arm.{name}.{knob}={str(value).lower()}" for knob, value in missing.items())
        raise _wrong(name, "method", f"arm.{name}.method={arm.method}: needs {needs}")
    if arm.draws > 1 and not is_random(arm):
        raise _wrong(name, "draws", f"arm.{name}.draws={arm.draws}: must be 1, every draw is the same")


def _wrong(arm: str, knob: str, message: str) -> KnobError:
    return KnobError(["arm", arm, knob], message)


def is_random(arm: Arm) -> bool:
    """Return whether the arm's start is random, so that draws differ."""
    weights = WEIGHTS[arm.weights]
    has_random_weights = weights.is_random and not (weights.has_random_signs_alone and arm.keep_signs)
    return (
        MASKS[arm.mask].differs_by_draw(arm.invert)
        or SHUFFLES[arm.shuffle].is_random
        or has_random_weights
        or arm.noise > 0
        or METHODS[arm.method].trains_scores
    )
