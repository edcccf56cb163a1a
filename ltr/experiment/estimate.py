"""Estimate of a run's time, from its operations and the measured speed of its network on this machine."""

import math
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from ltr.arms.lanes import lanes, program, programs
from ltr.core import masks
from ltr.data import dataset
from ltr.engine import flops, speed
from ltr.engine.capacity import capacity
from ltr.engine.packing import Layers
from ltr.engine.speed import noisy_images
from ltr.experiment.placement import place, share_size
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import Arithmetic

EARLY_STOP = 1
"""Evaluations of the test set with the weights of the early stop, beside those with the present ones."""

PROGRAM = 2
"""Time to compile a program, in compilations of a step: it also evaluates, and shuffles."""

_REPEATS = 5
"""Number of measurements of the machine's speed; their median counts."""


def seconds(
    spec: RunSpec, packed: Layers, arithmetic: Arithmetic, speeds_file: Path, on_status: Callable[[str], None]
) -> float:
    """Estimate the wall-clock seconds of a run from its beginning; reads no data.

    The machine is taken to be as busy as it is now. Not counted: starting, pruning, and writing the run.

    Args:
        spec: the run.
        packed: layers that train packed.
        arithmetic: layers that ltr's kernels compute while they are dense.
        speeds_file: file of the speeds of networks measured on this machine.
        on_status: called with a message while the network's speed is measured.
    """
    experiment, times = spec.experiment, spec.schedule
    facts, kernels = dataset.describe(experiment.dataset), masks.where(spec.model.layer_types, spec.shapes)
    steps = flops.costs(spec.method_context, experiment.batch_size, facts.shape)
    dense = steps.operations
    example = flops.example_operations(spec.model, facts.shape)
    placement = place(spec)

    def places(lanes: int) -> int:
        """Return the lanes with the padding of the last batch."""
        return -(-lanes // placement.capacity) * placement.capacity

    def training(length: float, evaluations: int) -> float:
        tests = (evaluations if experiment.test_curves else 1) + EARLY_STOP
        return dense * length + example * (
            evaluations * experiment.dataset.validation + tests * facts.test_examples
        )

    def trainings(round_number: int) -> float:
        alike = Counter(
            (
                program(experiment, lane.arm),
                experiment.arm[lane.arm].search_steps,
                experiment.arm[lane.arm].search_batches,
            )
            for lane in lanes(experiment, round_number)
        )
        share = steps.time(flops.planned(spec.targets[round_number], kernels), packed)
        return share * sum(
            places(count)
            * training(batches * times.length(round_number, part), len(times.evaluate_at(round_number, part)))
            for (_, part, batches), count in alike.items()
        )

    prefix = places(experiment.replicates) * training(times.rewind_step, 2) if times.rewind_step else 0.0
    operations = prefix + sum(trainings(round_number) for round_number in range(experiment.rounds + 1))
    meter = speed.flops_meter(placement._replace(splits_batches=False))
    images = noisy_images(np.random.default_rng(0), (share_size(spec), *facts.shape), facts.zeros)
    found = speed.measured(
        spec.training_context(arithmetic, placement.shares),
        images,
        dense,
        placement,
        meter,
        speeds_file,
        on_status,
    )
    compilation = PROGRAM * found.compilation * _programs(spec, packed)
    rate = statistics.median(meter() for _ in range(_REPEATS))
    return (operations / found.efficiency + compilation) / rate


def _programs(spec: RunSpec, packed: Layers) -> int:
    """Count the programs of a run: one per method, and one more per further capacity of packed layers."""
    kernels = masks.where(spec.model.layer_types, spec.shapes)

    def capacities(round_number: int) -> tuple[int | None, ...]:
        def of_layer(name: str, kernel: jax.ShapeDtypeStruct, density: float) -> int | None:
            is_packed = density <= packed.get(name, 0)
            count = math.ceil(density * kernel.size)
            return capacity(count, kernel.size, spec.steps_in_three_rounds) if is_packed else None

        densities = flops.planned(spec.targets[round_number], kernels)
        names = masks.layer_names(kernels)
        leaves = zip(*map(jax.tree.leaves, (names, kernels, densities)), strict=True)
        return tuple(of_layer(*leaf) for leaf in leaves)

    trained = [number for number in range(spec.experiment.rounds + 1) if spec.experiment.trains(number)]
    return len(programs(spec.experiment)) - 1 + len({capacities(number) for number in trained})
