"""Time lanes and batches on one and on all devices, in turns, and print the ratios of the medians.

python scripts/scaling.py [TURNS]
"""

import statistics
import sys
from collections.abc import Sequence

import jax

from ltr.benchmark.ltr_baseline import LtrBaseline
from ltr.data import dataset
from ltr.engine import devices
from ltr.engine.devices import Placement
from ltr.engine.packing import NO_LAYER
from ltr.experiment.compose import from_words
from ltr.experiment.placement import arithmetic
from ltr.experiment.spec import RunSpec

SECONDS = 3.0
"""Duration of a measurement."""

NETWORKS = (
    ("dataset=mnist",),
    ("dataset=cifar10", "model=conv2"),
    ("dataset=cifar10", "model=resnet20", "batch_size=128"),
)


def baseline(words: Sequence[str], placement: Placement) -> LtrBaseline:
    """Return the training of a network on a placement, compiled."""
    shared = "batch" if placement.splits_batches else "lanes"
    count = f"devices={len(placement.devices)}"
    spec = RunSpec.from_experiment(from_words([*words, f"parallel={shared}", count]))
    chosen = arithmetic(spec, dataset.describe(spec.experiment.dataset).zeros)
    found = LtrBaseline(spec, NO_LAYER, chosen, placement)
    found.compile(1.0)
    return found


def main(turns: int = 5) -> None:
    """Print a table: training steps per second of all lanes together, and ratios to one device."""
    devices.start(None)
    here = tuple(jax.devices())
    placements = {
        "one device": Placement(here[:1], 1),
        f"lanes on {len(here)}": Placement(here, 1),
        f"batch over {len(here)}": Placement(here, 1, splits_batches=True),
    }
    print(f"{'':40}" + "".join(f"{name:>16}" for name in placements))
    for words in NETWORKS:
        found = [baseline(words, placement) for placement in placements.values()]
        taken = [[each.steps_per_second(1.0, SECONDS) for each in found] for _ in range(turns)]
        one, *others = (statistics.median(column) for column in zip(*taken, strict=True))
        cells = [f"{one:16.2f}", *(f"{speed:9.2f} ({speed / one:.2f}x)" for speed in others)]
        print(f"{' '.join(words):40}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
