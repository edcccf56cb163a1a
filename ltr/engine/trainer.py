"""Training of any number of lanes, in batches that fit on the devices.

The compiled program trains a chunk of about a second at a time. Between two chunks the host collects the
metrics and calls the observer, which may stop the training. Where a chunk ends changes no number.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int32, UInt32

from ltr.core.optimizers import Optimizer
from ltr.core.types import Mask, Params
from ltr.engine import devices, processes
from ltr.engine.ahead import CompiledAhead
from ltr.engine.devices import Placement
from ltr.engine.examples import Examples
from ltr.engine.packing import NO_LAYER, Layers, Packing, is_sparse
from ltr.engine.program import NO_CHUNK, Program
from ltr.engine.running_batch import Compiled, LaneBatch, Outcome, RunningBatch
from ltr.methods.method import Lane, Method
from ltr.methods.registry import WEIGHTS_ALONE

CHUNK_SECONDS = 1.0
"""Target duration of a chunk."""

MAX_GROWTH = 8.0
"""Largest growth factor of the chunk length: the first chunk includes compilation, so its pace is too low."""


class InitialState(NamedTuple):
    """Initial state of a lane (see `ltr.methods.method.Lane`), and the name of its program; NumPy arrays."""

    params: Params
    mask: Mask
    key: UInt32[np.ndarray, "2"]
    method_state: Any = ()
    program: str = WEIGHTS_ALONE


class ProgramKey(NamedTuple):
    """Program of a lane, which all lanes of a batch share, and the layers that could be packed."""

    program: str
    packed: tuple[str, ...]


class Snapshot(NamedTuple):
    """State that a later process resumes from: outcomes of finished lanes, and the batch in training."""

    outcomes: dict[Any, Outcome]
    batch: LaneBatch | None


class Progress(NamedTuple):
    """State of the training after a chunk.

    Attributes:
        names: lanes in training.
        steps: steps of the chunk, summed over the lanes.
        accuracy: mean validation accuracy of their latest evaluation, a fraction; NaN if all have diverged.
        snapshot: function that copies the state of the training from the devices.
    """

    names: Sequence[Any]
    steps: int
    accuracy: float
    snapshot: Callable[[], Snapshot]


class Trainer:
    """Compiled programs and the data set, on the devices of a placement.

    Args:
        programs: programs by name.
        optimizer: initialises the optimizer state of lanes whose method has no direction of its own.
        data: the data set.
        placement: devices, and lanes on each.
        packed: layers that may train packed.
        steps: training steps in three rounds (see `ltr.engine.capacity`).
        choose: chooses the layers that may train packed in place of `packed`; called once, before the first
            lane that is sparse enough.

    Attributes:
        placement: devices, and lanes on each.
        packed: layers that may train packed, by methods that can (see `ltr.engine.packing`), as far as they
            are chosen.
        data: the data set, copied to every device.
    """

    def __init__(
        self,
        programs: Mapping[str, Program],
        optimizer: Optimizer,
        data: Examples,
        placement: Placement,
        packed: Layers = NO_LAYER,
        steps: float = math.inf,
        choose: Callable[[], Layers] | None = None,
    ) -> None:
        self.placement, self.packed, self._choose = placement, packed, choose
        self._steps = steps
        self._compiled = {
            name: CompiledAhead(devices.parallel(program.run, placement, donate=(0,)))
            for name, program in programs.items()
        }
        self._programs = {
            name: program._replace(method=program.method._replace(network=jax.jit(program.method.network)))
            for name, program in programs.items()
        }
        self.data = devices.replicate(data, placement)
        self._directions = {
            name: program.method.direction or optimizer.direction for name, program in programs.items()
        }
        self._init_opt_state = {name: jax.jit(each.init) for name, each in self._directions.items()}
        self._background = ThreadPoolExecutor(max_workers=1)

    @property
    def methods(self) -> dict[str, Method]:
        """Methods of the programs, by the names of these."""
        return {name: program.method for name, program in self._programs.items()}

    def choose_packed(self) -> None:
        """Choose the layers that may train packed, if they are not yet. It may measure for some seconds."""
        if self._choose is not None:
            self.packed, self._choose = self._choose(), None

    def train(
        self,
        starts: Mapping[Any, InitialState],
        evaluate_at: Int32[np.ndarray, "evaluations"],
        on_chunk: Callable[[Progress], None],
        resume: Snapshot | None = None,
        keeps_params: Callable[[Any], bool] = lambda name: True,
    ) -> dict[Any, Outcome]:
        """Train every lane from the first to the last step of `evaluate_at`.

        Args:
            starts: initial states by lane name (any hashable).
            evaluate_at: steps, ascending, at which lanes are evaluated. Training starts at the first
                and ends at the last.
            on_chunk: callback, called about once a second. An exception in it ends the training.
            resume: snapshot of an earlier call; lanes that are not in `starts` are ignored.
            keeps_params: name of a lane -> whether its final weights, and the mask that it found, are
                needed; else its outcome has None.

        Returns:
            Outcome of every lane. One that diverged ends at the evaluation that found it so; the others train
            to their end.
        """
        if any(is_sparse(jax.tree.map(np.mean, start.mask)) for start in starts.values()):
            self.choose_packed()
        finished = resume.outcomes if resume else {}
        outcomes = {name: outcome for name, outcome in finished.items() if name in starts}
        batch = resume.batch if resume and resume.batch and self._fits(resume.batch, starts) else None
        program_keys = {name: self._program_key(start) for name, start in starts.items()}
        steps = 1
        while pending := [name for name in starts if name not in outcomes]:
            if batch is None:
                batch = self._first_batch(starts, _compatible(pending, program_keys), int(evaluate_at[0]))
            program = starts[batch.names[0]].program
            compiled = Compiled(
                self._programs[program],
                self._compiled[program],
                self._packing(program),
                self.data,
                self.placement,
            )
            running, batch = RunningBatch(compiled, batch, evaluate_at), None
            while not running.is_over:
                began = time.monotonic()
                taken = running.advance(steps)
                pace = CHUNK_SECONDS / (time.monotonic() - began)
                steps = processes.agreed(partial(_next_steps, steps, pace))
                on_chunk(
                    Progress(running.names, taken, running.accuracy, partial(_snapshot, outcomes, running))
                )
            outcomes |= {
                name: outcome if keeps_params(name) else outcome._replace(params=None, found=None)
                for name, outcome in running.outcomes().items()
            }
            del running  # or its lanes would be in memory beside those of the next batch
        return outcomes

    def compile_ahead(self, make_start: Callable[[], InitialState]) -> None:
        """Compile the program of lanes like the one that is made in the background, if they train packed.

        Dense lanes share a program with those before them. After an error it compiles when it is needed.
        """
        self._background.submit(self._compile, make_start)

    def _compile(self, make_start: Callable[[], InitialState]) -> None:
        start = make_start()
        if not self._program_key(start).packed:
            return
        packing, lane = self._packing(start.program), self.new_lane(start)
        (pack_specs,) = packing.pack_specs([lane])
        self._compiled[start.program].version(
            devices.scattered_shapes(packing.pack(lane, pack_specs), self.placement),
            self.data,
            devices.replicate(NO_CHUNK, self.placement),
        )

    def new_lane(self, start: InitialState) -> Lane:
        """Return a lane before its first step."""
        opt_state = jax.tree.map(np.asarray, self._init_opt_state[start.program](start.params))
        zero = np.zeros((), np.float32)
        lane = Lane(start.params, opt_state, start.mask, start.key, zero, start.method_state)
        _, weights = self._programs[start.program].method.network(lane)
        return lane._replace(best_params=jax.tree.map(np.asarray, weights))

    def _fits(self, batch: LaneBatch, starts: Mapping[Any, InitialState]) -> bool:
        return set(batch.names) <= set(starts) and len(batch.names) <= self.placement.capacity

    def _first_batch(
        self, starts: Mapping[Any, InitialState], pending: Sequence[Any], first_step: int
    ) -> LaneBatch:
        """Return the lanes of the next batch, before their first step."""
        names = tuple(pending[: self.placement.capacity])
        return LaneBatch(names, [self.new_lane(starts[name]) for name in names], first_step, [], 0.0)

    def _packing(self, program: str) -> Packing:
        packs = self._programs[program].method.packs
        return Packing(self.packed if packs else NO_LAYER, self._directions[program], self._steps)

    def _program_key(self, start: InitialState) -> ProgramKey:
        return ProgramKey(start.program, self._packing(start.program).packed(start.mask, start.params))


def _compatible(pending: Sequence[Any], program_keys: Mapping[Any, ProgramKey]) -> list[Any]:
    """Return the lanes that can train with the first: those with its program key come before others.

    Others fill up the batch. It then packs only the layers that all of its lanes pack, which is still faster
    than another batch.
    """
    first = program_keys[pending[0]]
    same_program = [name for name in pending if program_keys[name].program == first.program]
    return sorted(same_program, key=lambda name: program_keys[name] != first)


def _next_steps(steps: int, pace: float) -> int:
    """Return the length of the next chunk, after one of `steps` steps at `pace` target durations."""
    return max(1, round(steps * min(pace, MAX_GROWTH)))


def _snapshot(outcomes: Mapping[Any, Outcome], running: RunningBatch) -> Snapshot:
    return Snapshot(dict(outcomes), running.batch())
