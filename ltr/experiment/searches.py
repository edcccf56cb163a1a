"""Searches of a run: the masks that its trainings found, kept in its folder."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ltr.arms import searches
from ltr.arms.context import Subnetwork
from ltr.config.schema import Arm
from ltr.core import masks, rng
from ltr.engine.program import Metrics
from ltr.engine.running_batch import Outcome
from ltr.engine.trainer import InitialState
from ltr.experiment.runtime import Runtime
from ltr.pruning import prune
from ltr.pruning.criteria import PruningInput
from ltr.pruning.registry import REWINDINGS
from ltr.store import chains
from ltr.store.chains import has_result
from ltr.store.folder import RunFolder, round_name, search_name
from ltr.store.tables import LANE, LaneId

log = logging.getLogger("ltr")


@dataclass(frozen=True)
class Searches:
    """Searches of a run.

    Attributes:
        runtime: data and compiled programs of the run.
        folder: open folder of the run.
    """

    runtime: Runtime
    folder: RunFolder

    def subnetwork(self, lane: LaneId) -> Subnetwork:
        """Return the mask that a search found for a lane, and the weights that belong to it."""
        spec, arm = self.runtime.spec, self._searching_arm(lane)
        first = self.folder.groups.load("initial", lane.replicate)
        finder = searches.finder(spec.experiment, lane)
        if finder is None:
            return Subnetwork(masks.ones(first["initial"], spec.model.layer_types), first["initial"])
        if arm.mask != "iterated":
            found = self.folder.searches.load(search_name(finder), lane.replicate)
            is_inverted = spec.experiment.arm[lane.arm].invert
            return Subnetwork(found["inverted" if is_inverted else "mask"], first["origin"])
        groups, name = self.folder.searches, search_name(finder)
        if finder.arm == "ticket":
            groups, name = self.folder.groups, round_name(finder.round)
        before = groups.load(name, lane.replicate)
        key = rng.fold(rng.root(spec.experiment.seed, lane.replicate), "criterion", lane.round)
        inputs = PruningInput(first["initial"], before["trained"], before["mask"], key)
        mask = prune.select(spec.experiment.pruning, spec.model.layer_types, inputs, spec.targets[lane.round])
        rewind = REWINDINGS[spec.experiment.rewind.name].load()
        return Subnetwork(mask, rewind(mask, before["trained"], first["origin"]))

    def finds(self, lane: LaneId) -> bool:
        """Return whether what a lane finds is kept: other lanes may take it."""
        return lane.arm in searches.finders(self.runtime.spec.experiment)

    def save(self, starts: Mapping[LaneId, InitialState], outcomes: Mapping[LaneId, Outcome]) -> None:
        """Save what lanes found; those that diverged found nothing."""
        found: dict[LaneId, dict[int, object]] = {}
        for lane, outcome in outcomes.items():
            if not self.finds(lane) or outcome.is_diverged:
                continue
            tree = {"mask": starts[lane].mask, "trained": outcome.params}
            if outcome.found is not None:
                tree = outcome.found._asdict()
            found.setdefault(lane._replace(replicate=0), {})[lane.replicate] = tree
        for lane, trees in found.items():
            self.folder.save_search(lane, trees)

    def forget_unsaved(self, missing: Collection[LaneId]) -> None:
        """Drop the rows of searches whose masks are not kept although lanes that are to be trained need them.

        They are trained again, and so are the searches before them whose masks they need and lack.
        """
        results = self.folder.frames["results"]
        trained = set(results.loc[has_result(results), list(LANE)].itertuples(index=False, name=None))
        unsaved: set[LaneId] = set()
        waiting = [*missing]
        while waiting:
            finder = searches.finder(self.runtime.spec.experiment, waiting.pop())
            if finder is None or finder in unsaved or finder not in trained or not self.finds(finder):
                continue
            if finder.replicate not in self.folder.searches.members(search_name(finder)):
                unsaved.add(finder)
                waiting.append(finder)
        if unsaved:
            log.warning("%s: is trained again, as the mask that it found is not kept", min(unsaved))
            self.folder.forget(unsaved)

    def mask_replicates(self, lanes: Collection[LaneId]) -> set[int]:
        """Return the replicates whose tickets give masks of lanes, if their chains have not ended."""
        experiment, ended = self.runtime.spec.experiment, self._ended(lanes)
        return {searches.mask_replicate(experiment, lane) for lane in lanes if lane not in ended}

    def lost(self, lanes: Collection[LaneId]) -> dict[LaneId, LaneId]:
        """Return the lanes whose mask was not found, with the lane that was to find it."""
        results = self.folder.frames["results"]
        diverged = set(results.loc[~has_result(results), list(LANE)].itertuples(index=False, name=None))
        finders = {lane: searches.finder(self.runtime.spec.experiment, lane) for lane in lanes}
        lost = {lane: finder for lane, finder in finders.items() if finder in diverged and finder is not None}
        return lost | self._ended(lanes)

    def _ended(self, lanes: Collection[LaneId]) -> dict[LaneId, LaneId]:
        """Return the lanes whose mask is of a chain that ended before, with the ticket that ended it."""
        experiment = self.runtime.spec.experiment
        ends = chains.ends(self.folder.frames["results"], experiment)
        from_chain = {lane: ends.get(searches.mask_replicate(experiment, lane)) for lane in lanes}
        return {
            lane: LaneId(end.round, end.replicate, "ticket", 0)
            for lane, end in from_chain.items()
            if end is not None and lane.round > end.last_round
        }

    def _searching_arm(self, lane: LaneId) -> Arm:
        """Return the arm whose trainings find the mask of a lane."""
        arms = self.runtime.spec.experiment.arm
        arm = arms[lane.arm]
        return arm if arm.found_by is None else arms[arm.found_by]


def why_lost(lost: Mapping[LaneId, LaneId]) -> str:
    """Say why lanes are not trained; `lost`: with each the lane that was to find its mask."""
    lane, finder = min(lost.items())
    reason = f"its mask is found by {finder.arm} of round {finder.round}, which diverged"
    if finder.arm == "ticket":
        reason = (
            f"the chain of replicate {finder.replicate}, whose mask it takes, ended in round {finder.round}"
        )
    return f"{lane}: is not trained, since {reason}" + (f" ({len(lost) - 1} more)" if len(lost) > 1 else "")


def unsearched(density: float) -> Outcome:
    """Return the outcome of a lane that is not trained, since its search diverged."""
    nothing = np.full(1, np.nan, np.float32)
    return Outcome(None, density, Metrics(*([nothing] * len(Metrics._fields))), 0.0)
