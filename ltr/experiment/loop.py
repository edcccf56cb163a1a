"""The experiment of Frankle & Carbin (2019): train, prune, rewind, repeat, beside the controls."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from ltr import arms, pruning
from ltr.arms import ArmContext, Ticket, missing
from ltr.core import masks, rng
from ltr.engine import flops
from ltr.engine.trainer import InitialState, Outcome, Progress
from ltr.errors import LtrError
from ltr.experiment import records, snapshot
from ltr.experiment.session import Setup
from ltr.methods import WATCHED, WEIGHTS_ALONE, MethodInput
from ltr.pruning.at_init import Network
from ltr.pruning.criteria import PruningInput
from ltr.pruning.rewinding import REWINDINGS
from ltr.pruning.targets import met_by
from ltr.store.folder import RunFolder, round_name
from ltr.store.tables import LaneId

PREFIX = "prefix"
"""The name of the trainings to the rewind step, where another lane has its arm's."""


class Watch(Protocol):
    """Who looks on while a run trains."""

    def begins(self, stage: str, lanes: int, effort: float) -> None:
        """A round, or another stage, begins that still lacks so many lanes.

        `effort`: how long its steps take, in those of the dense network.
        """

    def resumes(self, steps: int) -> None:
        """A checkpoint inside the stage has so many of its steps, of all lanes together."""

    def visits(self, progress: Progress) -> LtrError | None:
        """About once a second; an error ends the run, after a checkpoint."""

    def ends(self, round_number: int) -> None:
        """A round is committed."""


def run(setup: Setup, folder: RunFolder, watch: Watch) -> None:
    """Iterative magnitude pruning with rewinding (their strategy 1), each round beside its controls.

    Trains the lanes that the run's tables lack; a round is committed before the next begins.
    """
    experiment = setup.experiment
    draw_rewind_params(setup, folder, watch)
    for round_number in range(experiment.rounds + 1):
        to_do = missing(experiment, round_number, folder.finished)
        if not to_do:
            continue
        watch.begins(f"round {round_number}/{experiment.rounds}", len(to_do), effort(setup, round_number))
        replicates = {lane.replicate for lane in to_do}
        tickets = {replicate: find_ticket(setup, folder, round_number, replicate) for replicate in replicates}
        starts = {lane: start(setup, folder, lane, tickets[lane.replicate]) for lane in to_do}
        outcomes = train(setup, folder, starts, setup.schedule.evaluate_at(round_number), watch)
        commit(setup, folder, round_number, starts, outcomes)
        watch.ends(round_number)


def find_ticket(setup: Setup, folder: RunFolder, round_number: int, replicate: int) -> Ticket:
    """The ticket of a round: the round before, pruned and rewound; in round 0 the dense network."""
    if replicate in folder.groups.members(round_name(round_number)):
        saved = folder.groups.load(round_name(round_number), replicate)
        return Ticket(saved["mask"], saved["start"])
    first = folder.groups.load("initial", replicate)
    dense = masks.ones(first["initial"], setup.model.layer_types)
    if round_number == 0:
        return Ticket(dense, first["initial"])
    if setup.tickets:
        mask = setup.tickets.mask(round_number, replicate, dense)
        return Ticket(mask, masks.apply(mask, first["origin"]))
    config, of = setup.experiment, evidence(setup, folder, round_number, replicate)
    mask = pruning.prune(config.pruning, setup.model.layer_types, of, setup.targets[round_number])
    return Ticket(mask, REWINDINGS[config.rewind.name].weights(mask, of.trained, first["origin"]))


def evidence(setup: Setup, folder: RunFolder, round_number: int, replicate: int) -> PruningInput:
    """What decides the pruning into a round: the round before."""
    first, before = (
        folder.groups.load(name, replicate) for name in ("initial", round_name(round_number - 1))
    )
    key = rng.fold(rng.root(setup.experiment.seed, replicate), "criterion", round_number)
    return PruningInput(first["initial"], before["trained"], before["mask"], key)


def start(setup: Setup, folder: RunFolder, lane: LaneId, ticket: Ticket) -> InitialState:
    """What a lane starts from. In a round, the lanes of a replicate see the data in the same order."""
    experiment, following = setup.experiment, setup.targets[lane.round + 1 :]
    key = rng.fold(rng.root(experiment.seed, lane.replicate), lane.arm, lane.round, lane.draw)
    mask, weights = arms.start(experiment.arm[lane.arm], source(setup, folder, lane.replicate, ticket), key)
    method = arms.method(experiment, lane.arm)
    if method in WATCHED and not following:
        method = WEIGHTS_ALONE
    beginning = MethodInput(mask, weights, rng.fold(key, "method"), following[0] if following else None)
    params, method_state = setup.trainer.methods[method].begin(beginning)
    return InitialState(
        params, mask, _lane_key(experiment.seed, lane.replicate, lane.round), method_state, method
    )


def source(setup: Setup, folder: RunFolder, replicate: int, ticket: Ticket) -> ArmContext:
    """What the arms of a round may draw on."""
    config, layer_types = setup.experiment, setup.prunable
    first = folder.groups.load("initial", replicate)

    def dense() -> PruningInput:
        return evidence(setup, folder, 1, replicate)

    def one_shot() -> Any:
        return pruning.select(config.pruning, layer_types, dense(), met_by(config.pruning, ticket.mask))

    def network(key: jax.Array) -> Network:
        model, keep = (
            setup.model._replace(layer_types=layer_types),
            masks.count(masks.where(layer_types, ticket.mask)),
        )
        return Network(model, first["initial"], *setup.batch(key), key, keep)

    return ArmContext(
        layer_types,
        ticket,
        first["initial"],
        first["origin"],
        dense=lambda: dense().trained,
        one_shot=one_shot,
        rewind=REWINDINGS[config.rewind.name].weights,
        init=setup.init,
        network=network,
    )


def train(
    setup: Setup,
    folder: RunFolder,
    starts: Mapping[LaneId, InitialState],
    evaluate_at: np.ndarray,
    watch: Watch,
) -> dict[LaneId, Outcome]:
    """Train lanes, from where a checkpoint left them if there is one."""
    resume, saved = None, folder.load_under_way()
    if saved is not None and snapshot.is_readable(saved[1]):
        resume = snapshot.unpack(*saved, starts, setup.trainer.fresh)
        watch.resumes(snapshot.steps(resume, starts, evaluate_at))
    on_chunk = _checkpointing(setup.experiment.checkpoint_every, folder, watch)
    return setup.trainer.train(starts, evaluate_at, on_chunk, resume)


def commit(
    setup: Setup,
    folder: RunFolder,
    round_number: int,
    starts: Mapping[LaneId, InitialState],
    outcomes: Mapping[LaneId, Outcome],
) -> None:
    """Save the round's tickets, then its rows, which make it done."""
    tickets = {
        lane.replicate: {"mask": starts[lane].mask, "start": starts[lane].params, "trained": outcome.params}
        for lane, outcome in outcomes.items()
        if lane.arm == "ticket"
    }
    if tickets:
        folder.groups.save(round_name(round_number), tickets)
    at = setup.schedule.evaluate_at(round_number)
    folder.commit(
        records.rows(outcomes, at, {lane: operations(setup, starts[lane], at) for lane in outcomes})
    )


def operations(setup: Setup, start: InitialState, evaluate_at: np.ndarray) -> int:
    """Floating-point operations of the training of a lane."""
    first, last = int(evaluate_at[0]), int(evaluate_at[-1])
    of_image = flops.training(setup.method_context, start.method, start.mask, start.params, first, last)
    return setup.experiment.batch_size * of_image


def draw_rewind_params(setup: Setup, folder: RunFolder, watch: Watch) -> None:
    """Draw each replicate's initial weights, and train them to the rewind step, once for all rounds.

    This prefix sees the data in the order of round 0, so it ends where the dense training is then.
    """
    seed, until = setup.experiment.seed, setup.schedule.rewind_step
    replicates = undrawn(setup, folder)
    initial = {r: setup.init(rng.fold(rng.root(seed, r), "init")) for r in replicates}
    if setup.tickets:
        initial = {r: setup.tickets.initial(r, drawn) for r, drawn in initial.items()}
    rewind_params = initial
    if replicates and until:
        watch.begins("to the rewind step", len(replicates), effort(setup, 0))
        dense = masks.ones(initial[replicates[0]], setup.model.layer_types)
        starts = {
            LaneId(0, r, PREFIX, 0): InitialState(initial[r], dense, _lane_key(seed, r, round=0))
            for r in replicates
        }
        outcomes = train(setup, folder, starts, np.array([0, until], np.int32), watch)
        rewind_params = {lane.replicate: outcome.params for lane, outcome in outcomes.items()}
    if replicates:
        folder.groups.save(
            "initial", {r: {"initial": initial[r], "origin": rewind_params[r]} for r in replicates}
        )


def undrawn(setup: Setup, folder: RunFolder) -> list[int]:
    """The replicates whose initial weights are still to be drawn."""
    return sorted(set(range(setup.experiment.replicates)) - folder.groups.members("initial"))


def effort(setup: Setup, round_number: int) -> float:
    """How long the steps of a round take, in those of the dense network."""
    kernels = masks.where(setup.model.layer_types, setup.shapes)
    return setup.costs.time(flops.planned(setup.targets[round_number], kernels), setup.trainer.packed)


def effort_to_do(setup: Setup, folder: RunFolder) -> float:
    """What `run` has to train, of all lanes together, in steps of the dense network."""
    finished, rounds = folder.finished, range(setup.experiment.rounds + 1)
    steps = (len(missing(setup.experiment, n, finished)) * setup.schedule.length(n) for n in rounds)
    trainings = sum(count * effort(setup, n) for n, count in zip(rounds, steps, strict=True))
    return trainings + len(undrawn(setup, folder)) * setup.schedule.rewind_step * effort(setup, 0)


def _lane_key(seed: int, replicate: int, round_number: int) -> np.ndarray:
    """Key data of what is random in training: one for a replicate's lanes of a round, so that they pair."""
    return np.asarray(jax.random.key_data(rng.fold(rng.root(seed, replicate), "data order", round_number)))


def _checkpointing(seconds: float, folder: RunFolder, watch: Watch) -> Callable[[Progress], None]:
    saved = time.monotonic()

    def on_chunk(progress: Progress) -> None:
        nonlocal saved
        end = watch.visits(progress)
        if end is not None or time.monotonic() - saved > seconds:
            folder.save_under_way(*snapshot.pack(progress.snapshot(), kept=("ticket", PREFIX)))
            saved = time.monotonic()
        if end is not None:
            raise end

    return on_chunk
