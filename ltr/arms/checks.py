"""Checks that each arm is defined and that its parts fit together; importable without JAX."""

from ltr.arms.registry import MASKS, PRUNED, SHUFFLES, WEIGHTS, ScoreEntry
from ltr.arms.searches import finders
from ltr.config import files
from ltr.config.literals import literal
from ltr.config.parse import KnobError, require_arms
from ltr.config.schema import Arm, Experiment
from ltr.errors import ConfigError
from ltr.methods.registry import METHODS

TICKET = Arm()
"""The arm `ticket`: the pruned mask, and the weights at the rewind step."""


def check(experiment: Experiment) -> None:
    """Raise ConfigError if an arm is not defined, if parts do not fit together, or if no control trains."""
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
    rounds = experiment.control_rounds
    if rounds and (list(rounds) != sorted(set(rounds)) or rounds[0] > max(1, experiment.rounds)):
        raise ConfigError(
            f"control_rounds={literal([*rounds])}: must rise, and begin at most at rounds={experiment.rounds}"
        )
    _check_mask_replicates(experiment)
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
    if arm.mask_replicate is not None and not MASKS[arm.mask].is_ticket:
        raise _wrong(
            name,
            "mask_replicate",
            f"arm.{name}.mask_replicate={arm.mask_replicate}: needs arm.{name}.mask=ticket",
        )
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
    free = ("mask", "method", "prune_every", "search_steps", "search_batches")
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
        for knob in ("search_steps", "search_batches"):
            if (value := getattr(arm, knob)) != getattr(TICKET, knob) and name not in finders(experiment):
                raise ConfigError(f"arm.{name}.{knob}={value}: no arm of arms takes its mask by found_by")
        if WEIGHTS[arm.weights].reads_trained and experiment.ticket is not None:
            raise ConfigError(
                f"ticket={experiment.ticket}: gives all masks, without the weights they were pruned from, "
                f"as arm.{name}.weights={arm.weights} needs"
            )
        if arm.found_by is None:
            continue
        knob = f"arm.{name}.found_by={arm.found_by}"
        if arm.found_by not in experiment.arms:
            arms = ",".join([*experiment.arms, arm.found_by])
            raise ConfigError(f"{knob}: must be trained too, as in 'arms=[{arms}]'")
        by = experiment.arm[arm.found_by]
        if by.mask == "found":
            raise ConfigError(f"{knob}: takes its mask from {by.found_by}; needs an arm that searches itself")
        if by.mask != "iterated" and not METHODS[by.method].finds_mask:
            raise ConfigError(f"{knob}: finds no mask; its method must do so, or its mask be iterated")
        if arm.draws > by.draws and not is_random(arm):
            raise ConfigError(
                f"arm.{name}.draws={arm.draws}: must be at most arm.{arm.found_by}.draws={by.draws}, whose "
                "masks they take"
            )
        if arm.invert and not METHODS[by.method].has_scores:
            raise ConfigError(f"arm.{name}.invert=true: {arm.found_by} finds its mask without scores")


def _check_mask_replicates(experiment: Experiment) -> None:
    """Raise ConfigError if an arm takes the mask of a replicate that is not trained."""
    for name in experiment.arms:
        given = experiment.arm[name].mask_replicate
        if given is not None and given >= experiment.replicates:
            raise ConfigError(
                f"arm.{name}.mask_replicate={given}: must be below replicates={experiment.replicates}"
            )


def _wrong(arm: str, knob: str, message: str) -> KnobError:
    return KnobError(["arm", arm, knob], message)


def is_random(arm: Arm) -> bool:
    """Return whether the arm's start or data order is random, so that draws differ."""
    weights = WEIGHTS[arm.weights]
    has_random_weights = weights.is_random and not (weights.has_random_signs_alone and arm.keep_signs)
    return (
        MASKS[arm.mask].differs_by_draw(arm.invert)
        or SHUFFLES[arm.shuffle].is_random
        or has_random_weights
        or arm.noise > 0
        or arm.order == "draw"
        or METHODS[arm.method].trains_scores
    )
