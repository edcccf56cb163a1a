"""Sessions: the operations of the training loop on a runtime and a run folder."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol

import jax
import numpy as np
from jaxtyping import Int32, PyTree, UInt32

from ltr.arms import lanes, searches
from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.registry import MASKS, ScoreEntry
from ltr.arms.start import start
from ltr.config.schema import Experiment
from ltr.core import masks, rng
from ltr.core.types import Mask, Params, PRNGKey
from ltr.engine import flops, processes
from ltr.engine.packing import Layers, is_sparse
from ltr.engine.running_batch import Outcome
from ltr.engine.trainer import InitialState, Progress, Snapshot
from ltr.errors import LtrError
from ltr.experiment import records, snapshot
from ltr.experiment.joint import Training, Trainings
from ltr.experiment.records import Emptied
from ltr.experiment.runtime import Runtime
from ltr.experiment.search_cost import SearchCost, Spent, search_cost
from ltr.experiment.searches import Searches, unsearched, why_lost
from ltr.experiment.spec import RunSpec
from ltr.methods.method import MethodInput
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.methods.registry import method as find_method
from ltr.pruning import prune, selection
from ltr.pruning.at_init import ScoringInput
from ltr.pruning.criteria import PruningInput
from ltr.pruning.registry import REWINDINGS, SCOPES
from ltr.pruning.targets import kept, met_by
from ltr.report import lost
from ltr.store.folder import RunFolder, round_name
from ltr.store.tables import LaneId

log = logging.getLogger("ltr")

PREFIX = "prefix"
"""Name, in place of an arm, of the trainings to the rewind step."""


class Observer(Protocol):
    """Callbacks of a training run."""

    def on_stage(self, stage: str, lanes: int, step_cost: float) -> None:
        """Handle the beginning of a round, or of another stage, with its number of missing lanes.

        `step_cost`: duration of its steps relative to a step of the dense network. An exception stops the
        run, which loses nothing.
        """

    def on_resume(self, steps: int) -> None:
        """Handle a checkpoint inside the stage that holds `steps` of its steps, summed over lanes."""

    def on_chunk(self, progress: Progress) -> LtrError | None:
        """Handle the end of a chunk, about a second long; a returned error stops the run after saving."""

    def on_round_end(self, round_number: int) -> None:
        """Handle the commit of a round."""


@dataclass(frozen=True)
class Session:
    """Run that is being trained.

    Attributes:
        runtime: data and compiled programs of the run.
        folder: open folder of the run.
        scoring_seconds: time that scores at initialisation took, by the lane that starts from them.
        on_packed: called with the layers that may train packed before lanes are that sparse.
    """

    runtime: Runtime
    folder: RunFolder
    on_packed: Callable[[Layers], None] = lambda _: None
    scoring_seconds: dict[LaneId, float] = field(default_factory=dict)

    @property
    def spec(self) -> RunSpec:
        """Specification of the run."""
        return self.runtime.spec

    @property
    def experiment(self) -> Experiment:
        """Configuration of the run."""
        return self.spec.experiment

    @property
    def searches(self) -> Searches:
        """Searches of the run."""
        return Searches(self.runtime, self.folder)

    def missing_lanes(self, round_number: int) -> list[LaneId]:
        """Return the lanes of a round that the run's tables lack."""
        return lanes.missing(self.experiment, round_number, self.folder.frames["results"])

    def forget_lost_masks(self) -> None:
        """Drop the rows of searches whose masks are lost although missing lanes need them."""
        found = self.folder.frames["results"]
        missing = lanes.missing_of_rounds(self.experiment, range(self.experiment.rounds + 1), found)
        self.searches.forget_unsaved([lane for of_round in missing.values() for lane in of_round])

    def draw_initial_weights(self, observer: Observer) -> Trainings:
        """Draw each replicate's initial weights, and train them to the rewind step, once for all rounds.

        This training uses the data order of round 0, so its result equals the dense network at that step.
        """
        runtime, until = self.runtime, self.spec.schedule.rewind_step
        replicates = self.folder.undrawn(self.experiment)
        if not replicates:
            return
        initial = {r: runtime.init(rng.fold(self._root_key(r), "init")) for r in replicates}
        if runtime.tickets:
            initial = {r: runtime.tickets.initial(r, drawn) for r, drawn in initial.items()}
        rewind_params = initial
        if until:
            observer.on_stage("training to the rewind step", len(replicates), self.step_cost(0))
            dense = masks.ones(initial[replicates[0]], self.spec.model.layer_types)
            starts = {
                LaneId(0, r, PREFIX, 0): InitialState(
                    initial[r], dense, self._data_key(LaneId(0, r, "ticket", 0))
                )
                for r in replicates
            }
            outcomes = yield self.training(starts, np.array([0, until], np.int32), observer)
            rewind_params = {lane.replicate: outcome.params for lane, outcome in outcomes.items()}
        saved = {r: {"initial": initial[r], "origin": rewind_params[r]} for r in replicates}
        self.folder.save("initial", saved)

    def find_tickets(self, round_number: int, round_lanes: Collection[LaneId]) -> dict[int, Subnetwork]:
        """Return the tickets of a round that lanes need, by replicate.

        Those in which pruning emptied a layer are recorded instead, and end the chains of their replicates.
        """
        replicates = {lane.replicate for lane in round_lanes} | self.searches.mask_replicates(round_lanes)
        tickets = {replicate: self.find_ticket(round_number, replicate) for replicate in sorted(replicates)}
        emptied = {replicate: selection.emptied(ticket.mask) for replicate, ticket in tickets.items()}
        ended = [
            Emptied(LaneId(round_number, replicate, "ticket", 0), masks.density(ticket.mask), layer)
            for replicate, ticket in tickets.items()
            if (layer := emptied[replicate])
        ]
        if ended:
            self.folder.commit(new := records.untrained(ended))
            log.warning("%s", lost.warning_of_emptied(new["results"]))
        return {replicate: ticket for replicate, ticket in tickets.items() if not emptied[replicate]}

    def find_ticket(self, round_number: int, replicate: int) -> Subnetwork:
        """Return the ticket of a round: the previous round pruned and rewound; all weights in round 0.

        A layer may be empty in it.
        """
        if replicate in self.folder.groups.members(round_name(round_number)):
            saved = self.folder.groups.load(round_name(round_number), replicate)
            return Subnetwork(saved["mask"], saved["start"])
        first = self.folder.groups.load("initial", replicate)
        dense = masks.ones(first["initial"], self.spec.model.layer_types)
        if round_number == 0:
            return Subnetwork(dense, first["initial"])
        if self.runtime.tickets:
            mask = self.runtime.tickets.mask(round_number, replicate, dense)
            return Subnetwork(mask, masks.apply(mask, first["origin"]))
        config, pruning_input = self.experiment, self._pruning_input(round_number, replicate)
        mask = prune.select(
            config.pruning, self.spec.model.layer_types, pruning_input, self.spec.targets[round_number]
        )
        rewind = REWINDINGS[config.rewind.name].load()
        return Subnetwork(mask, rewind(mask, pruning_input.trained, first["origin"]))

    def stages(self, round_lanes: Iterable[LaneId]) -> Iterator[list[LaneId]]:
        """Yield the lanes of a round that can train together, after those that find their masks.

        Lanes whose mask was not found are not trained, and are recorded as diverged at their first step.
        """
        for stage in searches.stages(self.experiment, round_lanes):
            lost_searches = self.searches.lost(stage)
            if lost_searches:
                self._record_unsearched(lost_searches)
            if trained := [lane for lane in stage if lane not in lost_searches]:
                yield trained

    def initial_state(self, lane: LaneId, tickets: Mapping[int, Subnetwork]) -> InitialState:
        """Return the initial state of a lane; `tickets`: tickets of the round, by replicate."""
        key = rng.fold(self._root_key(lane.replicate), lane.arm, lane.round, lane.draw)
        arm, began = self.experiment.arm[lane.arm], time.monotonic()
        subnetwork = start(arm, self._arm_context(lane, tickets), key)
        if isinstance(MASKS[arm.mask], ScoreEntry):
            self.scoring_seconds[lane] = time.monotonic() - began
        return self._begun(lane, *subnetwork, key)

    def _begun(self, lane: LaneId, mask: Mask, weights: Params, key: PRNGKey) -> InitialState:
        """Return the initial state of a subnetwork, by the method of its arm."""
        later_targets = self.spec.targets[lane.round + self.experiment.arm[lane.arm].prune_every :]
        method = lanes.method(self.experiment, lane.arm)
        if find_method(method).needs_target and not later_targets:
            method = WEIGHTS_ALONE
        next_target = later_targets[0] if later_targets else None
        method_input = MethodInput(mask, weights, rng.fold(key, "method"), next_target, self.spec.span(lane))
        program = lanes.program_name(self.experiment, method, lanes.batch_size(self.experiment, lane.arm))
        params, method_state = self.runtime.trainer.methods[program].begin(method_input)
        return InitialState(params, mask, self._data_key(lane), method_state, program)

    def compile_ahead(self, round_number: int) -> None:
        """Compile the program of a round in the background, if it is known how many weights its layers keep.

        It is not if the criterion compares layers, or another run gives the masks. The layers that train
        packed are chosen before, while nothing else runs.
        """
        compares_layers = SCOPES[self.experiment.pruning.scope].compares_layers
        is_last = round_number > self.experiment.rounds
        if is_last or compares_layers or self.runtime.tickets or not self.missing_lanes(round_number):
            return
        if is_sparse(self._densities[round_number]):
            self._choose_packed()
        self.runtime.trainer.compile_ahead(partial(self.expected_ticket, round_number))

    def expected_ticket(self, round_number: int) -> InitialState:
        """Return a ticket of a round whose layers keep as many weights as they will, each of them zero."""
        params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), self.spec.shapes)
        mask = masks.tree_map(
            lambda kept, count: kept if kept is None else np.arange(kept.size).reshape(kept.shape) < count,
            masks.ones(params, self.spec.model.layer_types),
            self.spec.targets[round_number],
        )
        return self._begun(LaneId(round_number, 0, "ticket", 0), mask, params, self._root_key(0))

    def training(
        self,
        starts: Mapping[LaneId, InitialState],
        evaluate_at: Int32[np.ndarray, "evaluations"],
        observer: Observer,
    ) -> Training:
        """Return the training of lanes, resumed from a checkpoint inside the round if there is one."""
        if any(is_sparse(jax.tree.map(np.mean, start.mask)) for start in starts.values()):
            self._choose_packed()
        resume, saved = None, self.folder.load_under_way()
        if saved is not None and snapshot.is_readable(saved[1]):
            resume = snapshot.unpack(*saved, starts, self.runtime.trainer.new_lane)
            observer.on_resume(snapshot.steps(resume, starts, evaluate_at))
        trainer, on_chunk = self.runtime.trainer, self._checkpointing(observer)
        return Training(trainer, starts, evaluate_at, on_chunk, self._is_saved, resume)

    def commit(
        self, round_number: int, starts: Mapping[LaneId, InitialState], outcomes: Mapping[LaneId, Outcome]
    ) -> None:
        """Save a round's tickets, then its rows, which mark it as done."""
        if not outcomes:
            return
        tickets = {
            lane.replicate: {
                "mask": starts[lane].mask,
                "start": starts[lane].params,
                "trained": outcome.params,
            }
            for lane, outcome in outcomes.items()
            if lane.arm == "ticket"
        }
        if tickets:
            self.folder.save(round_name(round_number), tickets)
        self.searches.save(starts, outcomes)
        evaluated_at = self.spec.evaluate_at(next(iter(outcomes)))
        operations = {
            lane: self._operations(starts[lane], outcome, evaluated_at) for lane, outcome in outcomes.items()
        }
        costs = self._search_costs(outcomes)
        self.folder.commit(new := records.rows(outcomes, evaluated_at, operations, costs))
        if message := lost.warning(new["results"], int(evaluated_at[0])):
            log.warning("%s", message)

    def step_cost(self, round_number: int) -> float:
        """Return the duration of a round's training steps relative to a step of the dense network."""
        return self.runtime.costs.time(self._densities[round_number], self.runtime.trainer.packed)

    def remaining_steps(self) -> float:
        """Return the remaining training, summed over lanes, in steps of the dense network."""
        schedule = self.spec.schedule
        prefix = len(self.folder.undrawn(self.experiment)) * schedule.rewind_step * self.step_cost(0)
        missing = lanes.missing_of_rounds(
            self.experiment, range(self.experiment.rounds + 1), self.folder.frames["results"]
        )
        return prefix + sum(
            sum(map(self.spec.length, missing_lanes)) * self.step_cost(round_number)
            for round_number, missing_lanes in missing.items()
            if missing_lanes
        )

    @cached_property
    def _densities(self) -> list[PyTree[float]]:
        """Density of each layer in each round."""
        kernels = masks.where(self.spec.model.layer_types, self.spec.shapes)
        return [flops.planned(target, kernels) for target in self.spec.targets]

    def _choose_packed(self) -> None:
        """Choose the layers that may train packed, if they are not yet, and report them."""
        self.runtime.trainer.choose_packed()
        self.on_packed(self.runtime.trainer.packed)

    def _root_key(self, replicate: int) -> PRNGKey:
        return rng.root(self.experiment.seed, replicate)

    def _data_key(self, lane: LaneId) -> UInt32[np.ndarray, "2"]:
        """Return the key data of a lane's data order.

        The lanes of a replicate share that of a round, to be paired. Those whose search has seen it share
        another. With `order=draw` the lanes of a draw share it in all replicates, to be crossed with initial
        weights.
        """
        if self.experiment.arm[lane.arm].order == "draw":
            key = rng.fold(self._root_key(0), "crossed order", lane.round, lane.draw)
        else:
            finder = searches.finder(self.experiment, lane)
            is_seen = finder is not None and finder.round == lane.round
            purpose = "data order after a search" if is_seen else "data order"
            key = rng.fold(self._root_key(lane.replicate), purpose, lane.round)
        return np.asarray(jax.random.key_data(key))

    def _pruning_input(self, round_number: int, replicate: int) -> PruningInput:
        """Return the input of the pruning into a round: the weights and mask of the previous round."""
        first, before = (
            self.folder.groups.load(name, replicate) for name in ("initial", round_name(round_number - 1))
        )
        key = rng.fold(self._root_key(replicate), "criterion", round_number)
        return PruningInput(first["initial"], before["trained"], before["mask"], key)

    def _arm_context(self, lane: LaneId, tickets: Mapping[int, Subnetwork]) -> ArmContext:
        """Return the weights, masks and functions that the arm of a lane may use."""
        ticket = tickets[lane.replicate]
        config, layer_types = self.experiment, self.runtime.prunable
        first = self.folder.groups.load("initial", lane.replicate)

        def dense() -> PruningInput:
            return self._pruning_input(1, lane.replicate)

        def one_shot() -> Mask:
            return prune.select(config.pruning, layer_types, dense(), met_by(config.pruning, ticket.mask))

        def network(key: PRNGKey) -> ScoringInput:
            model = self.spec.model._replace(layer_types=layer_types)
            keep = masks.count(masks.where(layer_types, ticket.mask))
            return ScoringInput(model, first["initial"], *self.runtime.sample_batch(key), key, keep)

        return ArmContext(
            layer_types,
            masks.where(layer_types, self.spec.model.kernels),
            ticket,
            first["initial"],
            first["origin"],
            dense=lambda: dense().trained,
            mask_of=lambda replicate: tickets[replicate].mask,
            trained=lambda: self._pruning_input(lane.round, lane.replicate).trained,
            one_shot=one_shot,
            searched=partial(self.searches.subnetwork, lane),
            rewind=REWINDINGS[config.rewind.name].load(),
            init=self.runtime.init,
            network=network,
        )

    def _is_saved(self, lane: LaneId) -> bool:
        """Return whether what a lane ends with is saved: of tickets, at the rewind step, and of searches."""
        return lane.arm in ("ticket", PREFIX) or self.searches.finds(lane)

    def _search_costs(self, of: Iterable[LaneId]) -> dict[LaneId, SearchCost | None]:
        spent, scoring = Spent.of(self.folder.frames), self.scoring_seconds
        return {lane: search_cost(self.spec, spent, lane, scoring.get(lane, 0.0)) for lane in of}

    def _record_unsearched(self, lost_searches: Mapping[LaneId, LaneId]) -> None:
        """Record lanes that are not trained, since the lanes that were to find their masks have no result."""
        log.warning("%s", why_lost(lost_searches))
        lane = min(lost_searches)
        density = kept(self.spec.targets[lane.round]) / kept(self.spec.targets[0])
        outcomes = {lane: unsearched(density) for lane in lost_searches}
        costs = self._search_costs(lost_searches)
        self.folder.commit(
            records.rows(outcomes, self.spec.evaluate_at(lane), dict.fromkeys(outcomes, 0), costs)
        )

    def _operations(
        self, start: InitialState, outcome: Outcome, evaluated_at: Int32[np.ndarray, "evaluations"]
    ) -> int:
        """Return the floating-point operations of a lane's training, to its end or until it diverged."""
        method, batch_size = lanes.programs(self.experiment)[start.program]
        if outcome.operations is not None:
            return batch_size * outcome.operations
        first, last = (int(step) for step in evaluated_at[[0, len(outcome.metrics.val_loss) - 1]])
        if (ends_at := self.runtime.trainer.methods[start.program].ends_at) in outcome.notes:
            last = outcome.notes[ends_at] or last
        per_image = flops.training(self.spec.method_context, method, start.mask, start.params, first, last)
        return batch_size * per_image

    def _checkpointing(self, observer: Observer) -> Callable[[Progress], None]:
        """Return a callback that saves a checkpoint every `checkpoint_every` seconds and before a stop."""
        last_saved = time.monotonic()

        def on_chunk(progress: Progress) -> None:
            nonlocal last_saved
            error = observer.on_chunk(progress)
            is_due = processes.agreed(
                lambda: time.monotonic() - last_saved > self.experiment.checkpoint_every
            )
            if error is not None or is_due:
                self._save_under_way(progress.snapshot())
                last_saved = time.monotonic()
            if error is not None:
                raise error

        return on_chunk

    def _save_under_way(self, reached: Snapshot) -> None:
        """Save a checkpoint inside the round, unless lanes of other runs alone have begun."""
        if reached.outcomes or reached.batch:
            self.folder.save_under_way(*snapshot.pack(reached))
