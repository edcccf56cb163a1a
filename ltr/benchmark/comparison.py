"""The benchmark of a network: all baselines measured in turn, repeatedly, and their medians.

Taking turns makes a slow phase of the machine affect all baselines alike.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ltr.benchmark.ltr_baseline import LtrBaseline
from ltr.benchmark.torch_baseline import TorchBaseline
from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.data import dataset
from ltr.engine import speed
from ltr.engine.packing import NO_LAYER
from ltr.experiment.placement import arithmetic, packed_layers
from ltr.experiment.spec import RunSpec
from ltr.experiment.titles import setting, title
from ltr.models import operations


class Row(NamedTuple):
    """Training steps per second at a density, all cores together; None if not measured.

    Attributes:
        density: density of every layer.
        dense: ltr with masked dense products.
        packed: ltr with the layers packed that the knob `sparse` selects, by default those that are faster;
            the same as `dense` where there are none.
        torch: masked training in plain PyTorch with the data in memory, one process of one thread per core.
        torch_fused: the same with the fused optimizer of PyTorch.
        ceiling: bound from the matrix products of all weights alone, in XLA.
    """

    density: float
    dense: float
    packed: float
    torch: float | None
    torch_fused: float | None
    ceiling: float


class Comparison(NamedTuple):
    """Training speeds of a network.

    Attributes:
        network: network and data set.
        setting: batch size and optimizer.
        turns: number of measurements of each median.
        torch_memory_format: memory format in which PyTorch trains it faster; None without PyTorch.
        rows: medians, one for each density.
    """

    network: str
    setting: str
    turns: int
    torch_memory_format: str | None
    rows: Sequence[Row]

    def plain(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {**self._asdict(), "rows": [row._asdict() for row in self.rows]}


def compare(
    experiment: Experiment,
    densities: Sequence[float],
    repeats: int,
    seconds: float,
    break_even_file: Path,
    on_status: Callable[[str], None],
    until: float = math.inf,
) -> Comparison:
    """Measure training speeds and return a row for each density.

    Args:
        experiment: network and training; it is trained on noise in the shape of its data set.
        densities: 0 to 1.
        repeats: number of turns.
        seconds: duration of a measurement.
        break_even_file: file of this machine's break-even densities.
        on_status: callback with a line on the current measurement.
        until: value of `time.monotonic()` by which no further turn is begun that is likely to pass it; the
            first is taken in any case.
    """
    spec = RunSpec.from_experiment(experiment)
    zeros = dataset.describe(experiment.dataset).zeros
    chosen = arithmetic(spec, zeros)
    limits = packed_layers(spec, break_even_file, on_status, arithmetic=chosen, zeros=zeros)
    dense, packed = LtrBaseline(spec, NO_LAYER, chosen), LtrBaseline(spec, limits, chosen)
    packing = [density for density in densities if any(density <= limit for limit in limits.values())]
    ceiling = speed.flops_meter(dense.placement)
    whole = masks.ones(spec.shapes, spec.model.layer_types)
    of_step = experiment.batch_size * operations.step(spec.model, whole, whole)
    with TorchBaseline(experiment) as torch_baseline:

        def measured(density: float, turn: int) -> Row:
            def speed(what: str, measure: Callable[..., Any], *options: Any) -> Any:
                on_status(f"turn {turn}/{repeats}, {100 * density:g} % of the weights, {what}")
                return measure(density, seconds, *options)

            whole = speed("dense", dense.steps_per_second)
            return Row(
                density,
                whole,
                speed("packed", packed.steps_per_second) if density in packing else whole,
                speed("PyTorch", torch_baseline.steps_per_second, False),
                speed("PyTorch", torch_baseline.steps_per_second, True),
                ceiling() / of_step,
            )

        on_status("compiling")
        dense.compile(densities[0])
        for density in packing:
            on_status(f"compiling for {100 * density:g} % of the weights")
            packed.compile(density)
        on_status("warming up PyTorch")
        memory_format = torch_baseline.warm_up()
        turns: list[list[Row]] = []
        while len(turns) < repeats:
            began = time.monotonic()
            turns.append([measured(density, len(turns) + 1) for density in densities])
            if 2 * time.monotonic() - began > until:
                break
    found = [medians(rows) for rows in zip(*turns, strict=True)]
    return unmeasured(experiment)._replace(turns=len(turns), torch_memory_format=memory_format, rows=found)


def unmeasured(experiment: Experiment) -> Comparison:
    """Return the comparison of a network before its first turn."""
    return Comparison(title(experiment), setting(experiment), 0, None, ())


def medians(rows: Sequence[Row]) -> Row:
    """Return the median speeds of rows of the same density."""
    return Row(*map(_median, zip(*rows, strict=True)))


def _median(values: Sequence[float | None]) -> Any:
    """Return the median of the values that were measured; None if none was."""
    measured = [value for value in values if value is not None]
    return statistics.median(measured) if measured else None
