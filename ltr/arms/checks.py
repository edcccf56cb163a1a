"""Checks that each arm is defined and that its parts fit together; importable without JAX."""

from ltr.arms.registry import MASKS, PRUNED, SHUFFLES, WEIGHTS, ScoreEntry
from ltr.arms.searches import finders
from ltr.config import files
from ltr.config.literals import literal
from ltr.config.parse import KnobError, require_arms
from ltr.config.schema import WHOLE, Arm, Experiment
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
    _check_searches(experiment)
    for knob, value in vars(experiment.arm["ticket"]).items():
        if value != getattr(TICKET, knob):
            raise ConfigError(f"arm.ticket.{knob}={literal(value)}: cannot be changed; define another arm")


def _check_definition(name: str, arm: Arm) -> None:
    if arm.invert and not isinstance(MASKS[arm.mask], ScoreEntry) and arm.mask != "found":
        scores = (mask for mask, entry in MASKS.items() if isinstance(entry, ScoreEntry))
        raise _wrong(name, "invert", f"arm.{name}.invert=true: needs a mask of found, {', '.join(scores)}")
    if (arm.mask == "found") != (arm.found_by is not None):
        own = literal(arm.found_by)
        raise _wrong(name, "found_by", f"arm.{name}.found_by={own}: names an arm if mask=found, else none")
    if arm.mask == "iterated":
        _check_iterated(name, arm)
    elif arm.prune_every > 1:
        raise _wrong(name, "prune_every", f"arm.{name}.prune_every={arm.prune_every}: needs mask=iterated")
    elif METHODS[arm.method].needs_target:
        raise _wrong(name, "method", f"arm.{name}.method={arm.method}: needs arm.{name}.mask=iterated")
    missing = {
        knob: value for knob, value in METHODS[arm.method].needs.items() if getattr(arm, knob) != value
    }
    if missing:
        needs = ", ".join(f"arm.{name}.{knob}={str(value).lower()}" for knob, value in missing.items())
        raise _wrong(name, "method", f"arm.{name}.method={arm.method}: needs {needs}")
    if WEIGHTS[arm.weights].reads_trained and arm.mask != "ticket":
        raise _wrong(name, "weights", f"arm.{name}.weights={arm.weights}: needs arm.{name}.mask=ticket")
    if arm.draws > 1 and not is_random(arm) and arm.mask != "found":
        raise _wrong(name, "draws", f"arm.{name}.draws={arm.draws}: must be 1, every draw is the same")


def _check_iterated(name: str, arm: Arm) -> None:
    """Raise ConfigError if an arm that is pruned from its own trainings starts from anything else."""
    free = ("mask", "method", "prune_every", "search_steps")
    for knob, value in vars(arm).items():
        if knob not in free and value != getattr(TICKET, knob):
            raise _wrong(name, knob, f"arm.{name}.{knob}={literal(value)}: cannot be set with mask=iterated")
    if METHODS[arm.method].trains_scores or METHODS[arm.method].finds_mask:
        raise _wrong(name, "method", f"arm.{name}.method={arm.method}: finds masks without mask=iterated")


def _check_searches(experiment: Experiment) -> None:
    """Raise ConfigError if the arm that is to find a mask is not trained, or finds none."""
    for name in experiment.arms:
        arm = experiment.arm[name]
        if arm.mask == "iterated" and experiment.ticket is not None:
            raise ConfigError(
                f"ticket={experiment.ticket}: gives all masks, so {name} cannot search for its own"
            )
        if WEIGHTS[arm.weights].reads_trained and experiment.ticket is not None:
            raise ConfigError(
                f"ticket={experiment.ticket}: gives all masks, without the weights they were pruned from, "
                f"as arm.{name}.weights={arm.weights} needs"
            )
        if arm.found_by is None:
            if arm.search_steps != WHOLE and name not in finders(experiment):
                raise ConfigError(
                    f"arm.{name}.search_steps={arm.search_steps}: no arm of arms takes its mask by found_by"
                )
            continue
        knob = f"arm.{name}.found_by={arm.found_by}"
        if arm.found_by not in experiment.arms:
            arms = ",".join([*experiment.arms, arm.found_by])
            raise ConfigError(f"{knob}: must be trained too, as in 'arms=[{arms}]'")
        by = experiment.arm[arm.found_by]
        if by.mask != "iterated" and not METHODS[by.method].finds_mask:
            raise ConfigError(f"{knob}: finds no mask; its method must do so, or its mask be iterated")
        if by.mask == "found":
            raise ConfigError(f"{knob}: takes its own mask from {by.found_by}; choose {by.found_by}")
        if arm.draws > by.draws and not is_random(arm):
            raise ConfigError(
                f"arm.{name}.draws={arm.draws}: must be at most arm.{arm.found_by}.draws={by.draws}, whose "
                "masks they take"
            )
        if arm.invert and not METHODS[by.method].has_scores:
            raise ConfigError(f"arm.{name}.invert=true: {arm.found_by} finds its mask without scores")


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
