"""Search for knobs by the validation accuracy of the tickets at a density.

Knobs with several values are searched: lists as in a,b or choice(a,b), ranges
as in range(1,5), and intervals as in interval(0.1,0.4),
int(interval(500,3000)) and tag(log,interval(1e-4,1e-2)), quoted for the shell.
The other words are those of ltr run. Each trial is an ordinary run, of the arm
ticket unless arms= is typed, with as many rounds as reach the density. A trial
whose accuracy is below the median of the finished ones at the density that it
has reached is pruned.

No test accuracy is read. The best trial is still chosen for its high number:
the command that is printed last tests it on another seed.

The same command goes on with a study that was stopped or killed, and more
--trials extend it. OUTPUT_ROOT/studies/ has its journal. A failed trial stops
no other. Needs the extra optuna.

Examples:
  ltr tune prune_rate=0.1,0.2,0.4 steps=500,1500 --trials 6
  ltr tune 'optimizer.learning_rate=tag(log,interval(1e-4,1e-2))' --density 0.1
"""

import argparse
import json
from typing import TYPE_CHECKING

from ltr.commands.knobs import add_knobs
from ltr.core.extras import install_command
from ltr.errors import ConfigError
from ltr.report import console

if TYPE_CHECKING:
    from ltr.tuning.search import Search
    from ltr.tuning.study import Study

LISTS_KNOBS = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr tune`."""
    parser.add_argument("--trials", type=_trials, default=20, metavar="N", help="trials in all (default: 20)")
    parser.add_argument(
        "--density",
        type=_density,
        default=0.2,
        metavar="D",
        help="density at which trials are compared; between rounds, accuracy is interpolated (default: 0.2)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_knobs(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the trials that are missing, and print all of them."""
    _require_optuna()
    from ltr.tuning.space import parse

    space = parse(args.knobs)
    from ltr.core import cache_paths
    from ltr.engine import devices  # imports JAX; errors of the words come first

    devices.start(cache_paths.compiled())
    from ltr.tuning import outcome
    from ltr.tuning.search import Search
    from ltr.tuning.study import best, opened

    search = Search(space, args.density)
    with opened(search.folder, space, search.base.seed) as study:
        _run_trials(search, study, args.trials)
        trials, importances = study.trials(), study.importances()
    chosen = best(trials)
    command = search.command(chosen.words) if chosen else ""
    if args.json:
        console.write(json.dumps(outcome.data(trials, args.density, importances, command), indent=2))
    else:
        console.write(outcome.text(trials, args.density, importances, command))
    return 0 if chosen else 1


def _run_trials(search: "Search", study: "Study", number: int) -> None:
    """Train trials until the study has this number of them, or a signal stops it."""
    from ltr.config.overrides import typed_word
    from ltr.experiment.signals import Stop
    from ltr.report.output import command_line
    from ltr.tuning.search import train

    quiet = command_line()._replace(results=lambda _: None)
    with Stop() as stop:
        while (done := study.ended()) < number:
            if error := stop.error():
                raise error
            trial = study.ask()
            console.note(f"trial {done + 1} of {number}: {' '.join(map(typed_word, trial.words))}")
            train(search, study, trial, stop, quiet)


def _require_optuna() -> None:
    """Raise ConfigError if Optuna cannot be imported."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"optuna cannot be imported ({error}); type: {install_command('optuna')}") from None


def _trials(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number from 1 to 10000")
    return int(text)


def _density(text: str) -> float:
    try:
        density = float(text)
    except ValueError:
        density = 0.0
    if not 0 < density <= 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a number above 0, at most 1")
    return density
