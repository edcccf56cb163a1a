"""Find lottery tickets: train, prune, rewind, repeat, beside the controls.

The same command resumes a run that was stopped, and does nothing to one that
is finished; more rounds, replicates, arms or draws extend it, fewer show a
part of it. Exit codes: 0 done, 1 failed, 2 wrong configuration, 3 no data, 130
and 143 stopped by SIGINT and SIGTERM after a checkpoint.

With -m every combination is checked before the first trains. A job that fails
stops no other, a signal stops them all after a checkpoint, wherever the
launcher runs them. A table of the runs and the knobs in which they differ ends
the sweep, and the jobs that failed, each with its number and error; the exit
code is that of the first. OUTPUT_ROOT/sweeps/DATE/job_N.json keeps the same.

ticket=last is the run written last that did not start from the tickets of
another one itself, so the same command finds the same tickets until there is
a newer run to take them from. What it stands for is printed and kept.

Examples:
  ltr run prune_rate=0.2 rounds=15
  ltr run experiment=mnist_lenet_quick
  ltr run -m prune_rate=0.1,0.2,0.4 seed=0,1
"""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ltr.commands.knobs import add_knobs
from ltr.errors import ConfigError, LtrError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omegaconf import DictConfig

    from ltr.config.schema import Experiment
    from ltr.experiment.signals import Stop

LISTS_KNOBS = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `ltr run` takes."""
    parser.add_argument("-m", "--multirun", action="store_true", help="sweep: values may be lists, as in a,b")
    parser.add_argument("--cfg", choices=["job", "hydra", "all"], help="print the configuration and stop")
    add_knobs(parser)


def execute(args: argparse.Namespace) -> int:
    """Compose with Hydra, then conduct one experiment or, with -m, several."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing and exiting
    from ltr.config.overrides import overrides

    words = overrides(args.knobs, sweep=args.multirun)
    from ltr.experiment import compose  # and with it Hydra, after what is said of the words

    compose.register()
    if not args.multirun or args.cfg:
        _execute_one(words, [*(["-m"] if args.multirun else []), *(["--cfg", args.cfg] if args.cfg else [])])
        return 0
    from ltr.core import cache_paths
    from ltr.engine import devices  # which imports JAX: what is wrong with a word is said before

    devices.start(cache_paths.compiled())
    from ltr.commands import sweep

    return sweep.execute(words, _conduct)


def _execute_one(words: "Sequence[str]", flags: "Sequence[str]") -> None:
    """Conduct one experiment, or print what Hydra's flags ask for."""
    import hydra

    from ltr.config import groups
    from ltr.experiment import compose
    from ltr.experiment.signals import Stop

    failures: list[LtrError] = []

    def job(composed: "DictConfig") -> None:
        try:
            experiment = compose.experiment_of(composed)
            with Stop() as stop:
                _conduct(experiment, composed.ticket, stop)
        except LtrError as error:
            failures.append(error)

    sys.argv = ["ltr", *flags, *words]
    try:
        hydra.main(str(groups.config_dir().absolute()), "config", version_base="1.3")(job)()
    except compose.ERRORS as error:
        raise ConfigError(compose.one_line(error)) from None
    if failures:
        raise failures[0]


def _conduct(experiment: "Experiment", ticket: str | None, stop: "Stop") -> None:
    """Conduct an experiment of which `ticket` was asked for; say, and note, which run that is."""
    from hydra.core.hydra_config import HydraConfig

    from ltr.config.overrides import as_a_person_types
    from ltr.experiment.runner import conduct  # which imports JAX: what is wrong is said before

    words = [as_a_person_types(word) for word in HydraConfig.get().overrides.task]
    if experiment.ticket != ticket:
        print(f"ticket={ticket}: {experiment.output_root}/{experiment.ticket}", file=sys.stderr, flush=True)
        words = [word for word in words if not word.startswith("ticket=")]
        words.append(f"ticket={experiment.ticket}")
    conduct(experiment, words, stop)
