"""Measure how fast this machine trains, dense and packed, beside PyTorch.

Trains on noise in the shape of a data set (default: MNIST, or that of the
experiment), with as many zero pixels, on every core, at several densities:
with masked dense products, packed (where that is faster, or as `sparse`
requires), and in plain PyTorch if it is installed (in a clone:
pip install -e '.[bench]' -c constraints.txt), with its default optimizer and
with its fused one. PyTorch uses the memory format, contiguous or
channels_last, of which a step takes less processor time before the first
measurement. The ceiling is the speed of the dense products alone. Measurements
alternate between them, and their medians are printed, in training steps per
second of all cores together.

--all measures LeNet-300-100, Conv-2, -4 and -6, ResNet-20 and VGG-16, each with
the batch size and optimizer of its experiment, within four minutes. Networks
take fewer turns on a slow or busy machine. What is measured or compiled once
per machine is kept, so a second run has more time for turns.

--against measures this source tree beside another commit of the same clone,
without PyTorch, to show that a change is faster. It copies that commit to a
temporary folder and builds the kernels of both. The trees take turns, and the
ratio of their speeds is printed with its smallest and largest value. In the
first hundredths of a second of a chunk, all lanes may share one core, until the
system spreads them; so measurements of well over a second show what a run does.

With --json one object: {"machine": {...}, "network", "setting", "turns",
"torch_memory_format", "rows": [{"density", "dense", "packed", "torch",
"torch_fused", "ceiling"}, ...]}, null if not measured. With --all {"machine",
"networks": [{"network", ..., "rows"}, ...]}. With --against {"network",
"setting", "machine", "against", "turns", "rows": [{"density", "program",
"here", "there", "ratio", "least", "most"}, ...]}.

Examples:
  ltr bench
  ltr bench model=conv2 dataset=cifar10 --densities 1,0.1
  ltr bench --all
  ltr bench --against HEAD~1 experiment=cifar10_conv2 --densities 1,0.1
"""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ltr.commands.knobs import add_knobs
from ltr.commands.options import path
from ltr.errors import ConfigError

if TYPE_CHECKING:
    from ltr.config.schema import Experiment

LISTS_KNOBS = True

FIGURES = (".png", ".svg", ".pdf")

DEFAULT = "dataset=mnist"
"""Word that is added where the others choose neither a data set nor an experiment."""

DENSITIES = "1,0.5,0.2,0.1,0.036,0.012"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr bench`."""
    parser.add_argument("--densities", help=f"densities of each layer, 0 to 1 (default: {DENSITIES})")
    parser.add_argument("--repeats", type=int, default=3, help="number of measurements of each median")
    parser.add_argument(
        "--seconds", type=float, help="length of a measurement (default: 0.5; --all: 0.25; --against: 2)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--figure", type=path, metavar="FILE", help=f"draw the cost ({', '.join(FIGURES)})")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--all", action="store_true", help="measure six networks")
    kind.add_argument("--against", metavar="COMMIT", help="compare with a commit of this clone")
    add_knobs(parser)


def execute(args: argparse.Namespace) -> int:
    """Measure training speed, and print it."""
    if args.seconds is None:
        args.seconds = 0.25 if args.all else 2.0 if args.against else 0.5
    _check(args)
    densities = _densities(args.densities or DENSITIES)
    if args.all:
        return _all(args)
    from ltr.experiment.compose import from_words

    is_chosen = _chooses(args.knobs, "dataset", "experiment")
    experiment = from_words(args.knobs if is_chosen else [DEFAULT, *args.knobs])
    return _against(args, experiment) if args.against else _one(args, experiment, densities)


def _check(args: argparse.Namespace) -> None:
    """Raise ConfigError if an option is wrong, or does not go with --all or --against."""
    for name, value in (("repeats", args.repeats), ("seconds", args.seconds)):
        if value <= 0:
            raise ConfigError(f"--{name}={value}: must be more than 0")
    if args.figure and (args.all or args.against):
        raise ConfigError(f"--figure={args.figure}: draws neither --all nor --against")
    if args.figure and (args.figure.suffix not in FIGURES or not args.figure.absolute().parent.is_dir()):
        allowed = f"a {', '.join(FIGURES)} file in a folder that exists"
        raise ConfigError(f"--figure={args.figure}: must be {allowed}")
    if args.all and (args.densities or args.knobs):
        word = args.knobs[0] if args.knobs else f"--densities={args.densities}"
        raise ConfigError(f"{word}: --all has its own networks and densities; leave one of them out")


def _one(args: argparse.Namespace, experiment: "Experiment", densities: list[float]) -> int:
    """Measure a network."""
    from ltr.benchmark.comparison import compare
    from ltr.core import cache_paths
    from ltr.core.machine import machine
    from ltr.engine import devices
    from ltr.report.speed import draw, table
    from ltr.report.status_line import show_status

    devices.start(cache_paths.compiled())
    network = compare(
        experiment, densities, args.repeats, args.seconds, cache_paths.break_even_file(), show_status
    ).plain()
    measured: dict[str, Any] = {"machine": machine(), **network}
    _write(measured if args.json else table(measured["machine"], [network]))
    if args.figure:
        draw(network["network"], network["setting"], network["rows"], args.figure)
    return 0


def _all(args: argparse.Namespace) -> int:
    """Measure several networks."""
    from ltr.benchmark.suite import compare_all
    from ltr.core import cache_paths
    from ltr.core.machine import machine
    from ltr.engine import devices
    from ltr.report.speed import table
    from ltr.report.status_line import show_status

    devices.start(cache_paths.compiled())
    comparisons = compare_all(args.repeats, args.seconds, cache_paths.break_even_file(), show_status)
    networks = [comparison.plain() for comparison in comparisons]
    measured: dict[str, Any] = {"machine": machine(), "networks": networks}
    _write(measured if args.json else table(measured["machine"], networks))
    return 0


def _against(args: argparse.Namespace, experiment: "Experiment") -> int:
    """Compare this source tree with a commit; the processes that measure import JAX, this one does not."""
    from ltr.benchmark.against import against
    from ltr.experiment.titles import setting, title
    from ltr.report.speed_of_commits import table
    from ltr.report.status_line import show_status

    words = [f"--densities={args.densities or DENSITIES}", f"--seconds={args.seconds}", *args.knobs]
    if not _chooses(args.knobs, "dataset"):  # old commits take MNIST, whatever the experiment says
        words.append(f"dataset={experiment.dataset.name}")
    of_trees = against(args.against, words, args.repeats, show_status)
    measured: dict[str, Any] = {"network": title(experiment), "setting": setting(experiment), **of_trees}
    _write(measured if args.json else table(measured))
    return 0


def _chooses(knobs: Sequence[str], *groups: str) -> bool:
    """Return whether a word chooses from one of these groups of YAML files."""
    return any(knob.partition("=")[0] in groups for knob in knobs)


def _write(result: dict[str, Any] | str) -> None:
    """Print a table, or plain data as JSON."""
    from ltr.report import console
    from ltr.report.status_line import show_status

    show_status("")
    console.write(result if isinstance(result, str) else json.dumps(result, indent=2))


def _densities(text: str) -> list[float]:
    try:
        densities = [float(word) for word in text.split(",")]
    except ValueError:
        densities = []
    if not densities or not all(0 < density <= 1 for density in densities):
        raise ConfigError(f"--densities={text}: must be numbers above 0 and up to 1, as in 1,0.1")
    return densities
