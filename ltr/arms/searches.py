"""Searches: the trainings that find the mask of a lane; importable without JAX.

A mask is found by one training, or by several that follow from one another. `ticket` is pruned from the
ticket of the round before. An arm of `mask=iterated` is pruned likewise from its own trainings, which may be
shorter or fewer. An arm of `mask=found` takes the mask that another arm finds, by its training or by such
prunings.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ltr.arms.registry import MASKS, PRUNED, SHUFFLES
from ltr.config.schema import WHOLE, Arm, Experiment
from ltr.methods.registry import METHODS, WEIGHTS_ALONE, MaskUse
from ltr.pruning.registry import SCOPES

if TYPE_CHECKING:
    from ltr.store.tables import LaneId


def finders(experiment: Experiment) -> set[str]:
    """Return the arms whose trainings find masks for other lanes, without the ticket."""
    arms = {name: experiment.arm[name] for name in experiment.arms}
    iterated = {name for name, arm in arms.items() if arm.mask == "iterated"}
    return iterated | {arm.found_by for arm in arms.values() if arm.mask == "found" and arm.found_by}


def trains(experiment: Experiment, name: str, round_number: int) -> bool:
    """Return whether lanes of an arm are trained in a round that the experiment trains."""
    arm = experiment.arm.get(name, Arm())
    if name == "ticket":
        return True
    if arm.mask == "iterated":
        return round_number % arm.prune_every == 0 and (round_number > 0 or not _shares_dense(arm))
    return round_number > 0 and round_number in (experiment.control_rounds or (round_number,))


def finder(experiment: Experiment, lane: "LaneId") -> "LaneId | None":
    """Return the lane whose training directly finds the mask of a lane; None if no training does.

    A mask that is pruned in one shot is found by the dense network.
    """
    arm = experiment.arm[lane.arm]
    if arm.mask == "found":
        by = experiment.arm[str(arm.found_by)]
        if by.mask == "iterated":
            return _pruned_from(str(arm.found_by), by, lane)
        return lane._replace(arm=str(arm.found_by), draw=lane.draw % by.draws)
    if arm.mask == "iterated":
        return _pruned_from(lane.arm, arm, lane)
    if arm.mask == "one_shot":
        return lane._replace(round=0, arm="ticket", draw=0)
    if MASKS[arm.mask].is_ticket and lane.round and _reads_mask(experiment, arm):
        return lane._replace(
            round=lane.round - 1, replicate=mask_replicate(experiment, lane), arm="ticket", draw=0
        )
    return None


def mask_replicate(experiment: Experiment, lane: "LaneId") -> int:
    """Return the replicate that the mask of a lane comes from."""
    given = experiment.arm[lane.arm].mask_replicate
    return lane.replicate if given is None else given


def needed(experiment: Experiment, lane: "LaneId") -> set["LaneId"]:
    """Return all lanes whose trainings the start of a lane needs, each once, without the lane itself."""
    lanes: set[LaneId] = set()
    found: LaneId | None = lane
    while found is not None:
        if found.round and PRUNED[experiment.arm[found.arm].pruned].reads_dense:
            lanes.add(found._replace(round=0, arm="ticket", draw=0))
        found = finder(experiment, found)
        lanes |= {found} if found else set()
    return lanes


def reads_ticket(experiment: Experiment, lane: "LaneId") -> bool:
    """Return whether the mask of a lane depends on that of the ticket of its round, directly or not."""
    chain: LaneId | None = lane
    while chain is not None:
        arm = experiment.arm[chain.arm]
        if chain.round and MASKS[arm.mask].is_ticket and _reads_mask(experiment, arm):
            return True
        chain = finder(experiment, chain)
    return False


def stages(experiment: Experiment, lanes: Iterable["LaneId"]) -> list[list["LaneId"]]:
    """Return the lanes of a round in the order in which they can train: those that find masks first.

    The lanes of a stage take equally many steps, so that they can train together.
    """

    def stage(lane: "LaneId") -> tuple[int, bool, str, int]:
        found, depth = finder(experiment, lane), 0
        while found is not None and found.round == lane.round:
            found, depth = finder(experiment, found), depth + 1
        arm = experiment.arm[lane.arm]
        batches = arm.search_batches if arm.search_steps.unit == "ep" else 1
        return depth, arm.search_steps == WHOLE, str(arm.search_steps), batches

    by_stage: dict[tuple[int, bool, str, int], list[LaneId]] = {}
    for lane in lanes:
        by_stage.setdefault(stage(lane), []).append(lane)
    return [by_stage[key] for key in sorted(by_stage)]


def _pruned_from(name: str, arm: Arm, lane: "LaneId") -> "LaneId | None":
    """Return the lane of an iterated arm whose weights give the mask of a round; None in round 0."""
    if lane.round == 0:
        return None
    before = (lane.round - 1) // arm.prune_every * arm.prune_every
    if before == 0 and _shares_dense(arm):
        name = "ticket"
    return lane._replace(round=before, arm=name, draw=0)


def _shares_dense(arm: Arm) -> bool:
    """Return whether the dense training of an iterated arm is that of the ticket."""
    is_whole = arm.search_steps == WHOLE and arm.search_batches == 1
    return is_whole and arm.method == WEIGHTS_ALONE


def _reads_mask(experiment: Experiment, arm: Arm) -> bool:
    """Return whether an arm needs more of the ticket's mask than is known before the ticket is found.

    That is its target: the number of weights in all layers together. With a scope that does not compare
    layers, it is also the number in each layer.
    """
    use = min(SHUFFLES[arm.shuffle].keeps, METHODS[arm.method].reads, key=[*MaskUse].index)
    compares_layers = SCOPES[experiment.pruning.scope].compares_layers
    return use == MaskUse.MASK or (use == MaskUse.LAYER_COUNTS and compares_layers)
