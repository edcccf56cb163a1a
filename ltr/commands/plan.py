"""Show what `ltr run` with the same words would do, without training.

Prints the knobs that are not at their default, the run's folder, the density of
each round, the number of trainings and steps, and estimates of time and memory.
Where memory is short, fewer trainings take place at a time, and what does not
fit is refused, as by the run itself (unless `check_memory=false`).

Example:
  ltr plan experiment=mnist_lenet replicates=3
"""

import argparse
import json
from dataclasses import asdict

from ltr.commands.knobs import add_knobs

LISTS_KNOBS = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr plan`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_knobs(parser)


def execute(args: argparse.Namespace) -> int:
    """Print the plan."""
    from ltr.experiment.compose import from_words

    experiment = from_words(args.knobs)
    from ltr.data.custom import status_lines  # imports JAX; errors of the configuration come first
    from ltr.experiment.plan import plan
    from ltr.report.console import note, write
    from ltr.report.status_line import show_status

    for line in status_lines(experiment.dataset):
        note(line)
    planned = plan(experiment, show_status, note)
    write(json.dumps(asdict(planned), indent=2) if args.json else repr(planned))
    return 0
