"""Memory that a run needs.

Nothing here reads data or compiles. All figures but `PROCESS` follow from the shapes of the run.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltr.arms.lanes import lanes, programs
from ltr.core import masks
from ltr.core.shares import WHOLE, Shares
from ltr.data import dataset
from ltr.data.augmentation import augmentation
from ltr.engine import examples
from ltr.engine.devices import Placement
from ltr.engine.examples import Examples
from ltr.engine.memory import Footprint, footprint, size
from ltr.engine.program import NO_CHUNK, Chunk, Program, program
from ltr.kernels import winograd
from ltr.methods.method import Lane, MethodInput
from ltr.methods.registry import method
from ltr.models.arithmetic import Arithmetic

if TYPE_CHECKING:
    from ltr.experiment.spec import RunSpec

PROCESS = 480 * 2**20
"""Bytes of a process without data, lanes and the programs that it compiles: Python, JAX, other libraries.

Measured as the peak resident memory of a run of the digits whose programs are cached (Linux on x86-64, JAX
0.10; see docs/reliability.md).
"""


COMPILATION = 150_000
"""Bytes that a process needs to compile a program, for each operation of the program.

Halfway between what the training of ResNet-20 needs if it compiles and if it is in the cache.
"""


@dataclass(frozen=True)
class Memory:
    """Memory that a run needs, in bytes.

    Attributes:
        process: process without data and lanes.
        data: data set, with all splits.
        networks: checkpoints, and the networks of a round: those that its lanes start from, and trained ones.
        state: state of a lane in training: weights, moments, mask, best weights, and what its method keeps.
        temporaries: intermediate values of a lane's training step or evaluation, whichever has more, and the
            memory that the kernels keep.
    """

    process: int
    data: int
    networks: int
    state: int
    temporaries: int

    def of_device(self, placement: Placement) -> int:
        """Return the memory of an accelerator."""
        return self.data + placement.lanes_per_device * (self.state + self.temporaries)

    def of_host(self, placement: Placement) -> int:
        """Return the memory of the process: CPU devices, and two copies of the lanes in training, included.

        A checkpoint inside a round copies the lanes to the host, and the library that writes it copies them
        once more.
        """
        is_cpu = placement.devices[0].platform == "cpu"
        on_devices = (
            len(placement.local.devices) * placement.lanes_per_device * (self.state + self.temporaries)
        )
        copies = 2 * placement.capacity * self.state
        return self.process + self.data + self.networks + copies + (on_devices if is_cpu else 0)


class Training(NamedTuple):
    """Memory of the training of a lane by one method.

    Attributes:
        state: bytes of the lane.
        footprint: memory of the method's program.
    """

    state: int
    footprint: Footprint


def memory(spec: "RunSpec", arithmetic: Arithmetic, shares: Shares = WHOLE) -> Memory:
    """Estimate the memory of a run.

    Args:
        spec: the run.
        arithmetic: layers that ltr's kernels compute while they are dense.
        shares: shares of a batch, of which a device takes one.
    """
    data, of_methods = _examples(spec), trainings(spec, arithmetic, shares)
    return Memory(
        process=PROCESS + COMPILATION * max(training.footprint.operations for training in of_methods),
        data=size(data) + size(data.held_out),  # the arrays that are read hold the held-out examples too
        networks=_networks(spec),
        state=max(training.state for training in of_methods),
        temporaries=max(training.footprint.temporaries for training in of_methods)
        + scratch(spec, arithmetic),
    )


def trainings(spec: "RunSpec", arithmetic: Arithmetic, shares: Shares = WHOLE) -> list[Training]:
    """Return the memory of a training by each program of a run, which takes a tracing of each."""
    return [
        Training(size(lane), footprint(program.run, lane, data, chunk, shares=shares))
        for program, lane, data, chunk in inputs(spec, arithmetic, shares).values()
    ]


def inputs(
    spec: "RunSpec", arithmetic: Arithmetic, shares: Shares = WHOLE
) -> dict[str, tuple[Program, Lane, Examples, Chunk]]:
    """Return the programs of a run by name, and the shapes and types of its arguments."""
    data, chunk = _examples(spec), _shapes(NO_CHUNK)
    programs = _programs(spec, arithmetic, shares)
    return {name: (program, _lane(spec, program), data, chunk) for name, program in programs.items()}


def _examples(spec: "RunSpec") -> Examples:
    """Return the shapes and types of the data set."""
    config = spec.experiment.dataset
    facts = dataset.describe(config)
    return examples.shapes(
        dataset.training_examples(config), config.validation, facts.test_examples, facts.shape
    )


def _programs(spec: "RunSpec", arithmetic: Arithmetic, shares: Shares) -> dict[str, Program]:
    """Return the programs of a run by name."""
    experiment, context = spec.experiment, spec.training_context(arithmetic, shares)
    augment = augmentation(experiment.dataset)
    return {
        name: program(
            context.model,
            method(of.method).load()(spec.in_batches_of(of.batch_size, context)),
            of.batch_size,
            augment,
            experiment.test_curves,
            shares,
        )
        for name, of in programs(experiment).items()
    }


def _lane(spec: "RunSpec", of: Program) -> Lane:
    """Return the shapes and types of a lane of a program."""
    weights = jax.tree.map(lambda leaf: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape), spec.shapes)
    mask = masks.tree_map(
        lambda name, leaf: None if name is None else np.broadcast_to(np.True_, leaf.shape),
        spec.model.layer_types,
        weights,
    )
    target = spec.targets[1] if len(spec.targets) > 1 else None
    inputs = MethodInput(mask, weights, jax.random.key(0), target, spec.schedule.span(1))
    params, method_state = of.method.begin(inputs)
    direction = of.method.direction or spec.method_context.optimizer.direction
    opt_state = jax.eval_shape(direction.init, params)
    zero = np.zeros((), np.float32)
    lane = Lane(params, opt_state, mask, np.zeros(2, np.uint32), zero, method_state)
    _, best = jax.eval_shape(of.method.network, lane)
    return _shapes(lane._replace(best_params=best))


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), jnp.result_type(leaf)), tree)


def _networks(spec: "RunSpec") -> int:
    """Return the bytes of networks on the host, at the end of a round.

    Of each replicate these are the initial weights, those at the rewind step, the dense network, and the
    ticket before, with its start and mask; of each lane its start and mask; of each ticket its result.
    """
    experiment, weights = spec.experiment, size(spec.shapes)
    mask = sum(leaf.size for leaf in jax.tree.leaves(masks.where(spec.model.layer_types, spec.shapes)))
    of_replicate = (1 + bool(spec.schedule.rewind_step)) * weights + (weights + mask) + (2 * weights + mask)
    of_round = max(len(lanes(experiment, number)) for number in range(experiment.rounds + 1))
    return experiment.replicates * (of_replicate + weights) + of_round * (weights + mask)


def scratch(spec: "RunSpec", arithmetic: Arithmetic) -> int:
    """Return the bytes that Winograd's filtering keeps for a lane: the most of each tile size."""
    shapes = masks.where(spec.model.layer_types, spec.shapes)
    kernels = dict(zip(*map(jax.tree.leaves, (masks.layer_names(shapes), shapes)), strict=True))
    most: dict[int, int] = {}
    for name, tile in arithmetic.tiles.items():
        *_, channels, features = kernels[name].shape
        most[tile] = max(most.get(tile, 0), winograd.scratch(channels, features, tile))
    return sum(most.values())
