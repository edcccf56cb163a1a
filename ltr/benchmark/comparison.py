"""The contest: everybody in turn, again and again, and the medians.

A slow minute of the machine strikes all of them alike.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ltr.benchmark.ltr_baseline import LtrBaseline
from ltr.benchmark.torch_baseline import TorchBaseline
from ltr.config.schema import Experiment
from ltr.engine import flops
from ltr.engine.packing import NO_LAYER
from ltr.experiment import estimate
from ltr.experiment.placement import packed_layers
from ltr.experiment.spec import RunSpec


class Row(NamedTuple):
    """Training steps per second at a density, all cores together; None where not measured.

    Attributes:
        density: of every layer.
        dense: ltr, by masked dense products.
        packed: ltr as it is asked to (`sparse`): packed where that is faster.
        torch: masked training in plain PyTorch, the data in memory, a process of one thread a core.
        ceiling: what the machine would do of the products alone, with all weights, in XLA.
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
    """A row for each density.

    Args:
        experiment: what is trained and how; on noise in the shape of its data set.
        densities: 0 to 1.
        repeats: turns.
        seconds: length of a measurement.
        break_even_file: the file of this machine's break-even densities.
        on_status: hears what is measured.
    """
    spec = RunSpec.from_experiment(experiment)
    packed = packed_layers(spec, break_even_file, on_status)
    dense, ours = LtrBaseline(spec, NO_LAYER), LtrBaseline(spec, packed)
    ceiling = estimate.flops_meter(dense.placement)
    whole = flops.dense(spec.model, spec.shapes)
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
                    ours.steps_per_second(density, seconds),
                    torch_baseline.steps_per_second(density, seconds),
                    ceiling() / operations,
                )
                rows.append(row)
            turns.append(rows)
    return [medians(rows) for rows in zip(*turns, strict=True)]


def medians(rows: Sequence[Row]) -> Row:
    """Of the same density."""
    torch = [row.torch for row in rows if row.torch is not None]
    return Row(
        rows[0].density,
        statistics.median(row.dense for row in rows),
        statistics.median(row.packed for row in rows),
        statistics.median(torch) if torch else None,
        statistics.median(row.ceiling for row in rows),
    )
