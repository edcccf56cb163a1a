"""The benchmark: all baselines measured in turn, repeatedly, and their medians.

Taking turns makes a slow phase of the machine affect all baselines alike.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ltr.benchmark.ltr_baseline import LtrBaseline
from ltr.benchmark.torch_baseline import TorchBaseline
from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.data import dataset
from ltr.engine import flops, speed
from ltr.engine.packing import NO_LAYER
from ltr.experiment.placement import arithmetic, packed_layers
from ltr.experiment.spec import RunSpec


class Row(NamedTuple):
    """Training steps per second at a density, all cores together; None if not measured.

    Attributes:
        density: density of every layer.
        dense: ltr with masked dense products.
        packed: ltr with the layers packed that the knob `sparse` selects, by default those that are faster.
        torch: masked training in plain PyTorch with the data in memory, one process of one thread per core.
        ceiling: bound from the matrix products of all weights alone, in XLA.
    """

    density: float
    dense: float
    packed: float
    torch: float | None
    ceiling: float


def compare(
    experiment: Experiment,
    densities: Sequence[float],
    repeats: int,
    seconds: float,
    break_even_file: Path,
    on_status: Callable[[str], None],
) -> list[Row]:
    """Measure training speeds and return a row for each density.

    Args:
        experiment: network and training; it is trained on noise in the shape of its data set.
        densities: 0 to 1.
        repeats: number of turns.
        seconds: duration of a measurement.
        break_even_file: file of this machine's break-even densities.
        on_status: callback with a line on the current measurement.
    """
    spec = RunSpec.from_experiment(experiment)
    zeros = dataset.describe(experiment.dataset).zeros
    chosen = arithmetic(spec, zeros)
    packed_names = packed_layers(spec, break_even_file, on_status, arithmetic=chosen, zeros=zeros)
    dense, packed = LtrBaseline(spec, NO_LAYER, chosen), LtrBaseline(spec, packed_names, chosen)
    ceiling = speed.flops_meter(dense.placement)
    whole = masks.ones(spec.shapes, spec.model.layer_types)
    operations = experiment.batch_size * flops.step(spec.model, whole, whole)
    turns: list[list[Row]] = []
    with TorchBaseline(experiment) as torch_baseline:
        for turn in range(repeats):
            rows = []
            for density in densities:
                on_status(f"turn {turn + 1}/{repeats}, {100 * density:g} % of the weights")
                row = Row(
                    density,
                    dense.steps_per_second(density, seconds),
                    packed.steps_per_second(density, seconds),
                    torch_baseline.steps_per_second(density, seconds),
                    ceiling() / operations,
                )
                rows.append(row)
            turns.append(rows)
    return [medians(rows) for rows in zip(*turns, strict=True)]


def medians(rows: Sequence[Row]) -> Row:
    """Return the median speeds of rows of the same density."""
    torch = [row.torch for row in rows if row.torch is not None]
    return Row(
        rows[0].density,
        statistics.median(row.dense for row in rows),
        statistics.median(row.packed for row in rows),
        statistics.median(torch) if torch else None,
        statistics.median(row.ceiling for row in rows),
    )
