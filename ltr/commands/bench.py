"""Measure how fast this machine trains, dense and packed, beside PyTorch.

Trains on noise in the shape of a data set (default: MNIST), with as many zero
pixels, on every core, at several densities: with masked dense products, packed
(where that is faster, or as `sparse` requires), and in plain PyTorch if it is
installed (in a clone: pip install -e '.[bench]' -c constraints.txt). The ceiling is the speed of the
dense products alone. Measurements alternate between them, and their medians are
printed, in training steps per second of all cores together.

With --json one object: {"machine": {...}, "rows": [{"density", "dense",
"packed", "torch", "ceiling"}, ...]}, null if not measured.

Examples:
  ltr bench
  ltr bench model=conv2 dataset=cifar10 --densities 1,0.1
"""

import argparse
import json
from typing import Any

from ltr.commands.knobs import add_knobs
from ltr.commands.options import path
from ltr.errors import ConfigError

LISTS_KNOBS = True

FIGURES = (".png", ".svg", ".pdf")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr bench`."""
    parser.add_argument(
        "--densities", default="1,0.5,0.2,0.1,0.036,0.012", help="densities of each layer, 0 to 1"
    )
    parser.add_argument("--repeats", type=int, default=3, help="number of measurements of each median")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a measurement")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--figure", type=path, metavar="FILE", help=f"draw the cost ({', '.join(FIGURES)})")
    add_knobs(parser)


def execute(args: argparse.Namespace) -> int:
    """Measure training speed, and print it."""
    densities = _densities(args.densities)
    for name, value in (("repeats", args.repeats), ("seconds", args.seconds)):
        if value <= 0:
            raise ConfigError(f"--{name}={value}: must be more than 0")
    if args.figure and (args.figure.suffix not in FIGURES or not args.figure.absolute().parent.is_dir()):
        allowed = f"a {', '.join(FIGURES)} file in a folder that exists"
        raise ConfigError(f"--figure={args.figure}: must be {allowed}")
    from ltr import benchmark
    from ltr.core import cache_paths
    from ltr.core.machine import machine
    from ltr.engine import devices
    from ltr.experiment.compose import from_words
    from ltr.experiment.titles import title
    from ltr.report import console
    from ltr.report.speed import draw, table
    from ltr.report.status_line import show_status

    experiment = from_words(["dataset=mnist", *args.knobs])
    devices.start(cache_paths.compiled())

    rows = benchmark.compare(
        experiment, densities, args.repeats, args.seconds, cache_paths.break_even_file(), show_status
    )
    show_status("")
    measured: dict[str, Any] = {"machine": machine(), "rows": [row._asdict() for row in rows]}
    subject, setting = title(experiment), f"batch {experiment.batch_size}, {experiment.optimizer.name}"
    console.write(json.dumps(measured, indent=2) if args.json else table(f"{subject}, {setting}", measured))
    if args.figure:
        draw(subject, setting, measured, args.figure)
    return 0


def _densities(text: str) -> list[float]:
    try:
        densities = [float(word) for word in text.split(",")]
    except ValueError:
        densities = []
    if not densities or not all(0 < density <= 1 for density in densities):
        raise ConfigError(f"--densities={text}: must be numbers above 0 and up to 1, as in 1,0.1")
    return densities
