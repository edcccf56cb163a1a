"""Find lottery tickets: train, prune, rewind, repeat, beside the controls.

The same command resumes a stopped run, and trains nothing if the run is
finished. More rounds, replicates, arms or draws extend it; fewer show a part of
it. Exit codes: 0 done, 1 failed, 2 wrong configuration, 3 no data, 130 and 143
stopped by SIGINT and SIGTERM after a checkpoint.

With -m every combination is checked before the first trains, and those whose
runs are not finished become jobs. A failed job stops no other. A signal stops
all jobs after a checkpoint, wherever the launcher runs them. The sweep ends
with a table of the runs and of the knobs in which they differ, and with the
number and error of each failed job; the exit code is that of the first. The
same command starts what is missing. ltr jobs shows the state of each job.

Jobs that differ only in what no compiled program depends on (seed, prune rate,
rounds, criterion, rewind step, ...) train side by side, and print no tables of
their own; ltr show RUN prints one. On a CPU, many jobs are divided among
processes that share its cores; devices=N keeps them in one.
hydra/launcher=basic trains one job after the other. Launchers for jobs in
processes of their own: hydra/launcher=processes (this machine, also without
tables of jobs), slurm, ray_cluster; hydra.launcher.OPTION=VALUE sets an option,
see --cfg hydra.

ticket=last is the newest run that did not itself start from the tickets of
another run. So the same command takes the same tickets until a newer run of its
own tickets exists. The name of that run is printed and recorded.

Examples:
  ltr run prune_rate=0.2 rounds=15
  ltr run experiment=mnist_lenet_quick
  ltr run -m prune_rate=0.1,0.2,0.4 seed=0,1
  ltr run -m seed=0,1,2,3 hydra/launcher=processes hydra.launcher.n_jobs=2
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ltr.commands.knobs import add_knobs

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ltr.config.schema import Experiment
    from ltr.experiment.signals import Stop

LISTS_KNOBS = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr run`."""
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("-m", "--multirun", action="store_true", help="sweep: values may be lists, as in a,b")
    mode.add_argument("--cfg", choices=["job", "hydra", "all"], help="print the configuration and stop")
    add_knobs(parser)


def execute(args: argparse.Namespace) -> int:
    """Compose the configuration with Hydra, then run one experiment or, with -m, several."""
    from ltr.config.overrides import overrides

    typed = sys.argv[1:]  # Hydra replaces it
    words = overrides(args.knobs, sweep=args.multirun)
    from ltr.experiment import compose  # imports Hydra; errors of the words come first

    if args.cfg:
        compose.show(words, args.cfg)
        return 0
    if not args.multirun:
        compose.run(words, partial(_conduct_one, typed))
        return 0
    from ltr.core import cache_paths
    from ltr.engine import devices  # imports JAX; errors of the words come first

    devices.start(cache_paths.compiled())
    from ltr.sweeps import launchers, sweep

    return sweep.run(words, partial(_conduct, prints_tables=not launchers.share_output(words)))


def _conduct_one(typed: Sequence[str], composed: "DictConfig") -> None:
    """Run the experiment of a configuration, in this process or in one of several that train it."""
    from ltr.experiment.compose import experiment_of
    from ltr.experiment.signals import Stop
    from ltr.hosts import group, member

    experiment = experiment_of(composed)
    mine = member.find(os.environ)
    if mine is None and (found := group.find(experiment.hosts, os.environ)):
        from ltr.hosts.supervisor import supervise

        if code := supervise(found, typed):
            raise SystemExit(code)
        return
    from ltr.engine import processes
    from ltr.experiment import runner  # imports JAX, before signals wait for a checkpoint
    from ltr.interrupts import SIGNALS

    words = _repeatable(experiment, composed.ticket)
    with Stop(preempting=SIGNALS if mine else (), largest=processes.largest) as stop:
        runner.conduct(experiment, words, stop, member=mine)


def _conduct(experiment: "Experiment", ticket: str | None, stop: "Stop", prints_tables: bool) -> None:
    """Run an experiment of a sweep, whose `ticket` was typed."""
    from ltr.experiment.runner import conduct  # imports JAX; errors of the configuration come first
    from ltr.report.output import command_line

    output = command_line() if prints_tables else command_line()._replace(results=None)
    conduct(experiment, _repeatable(experiment, ticket), stop, output)


def _repeatable(experiment: "Experiment", ticket: str | None) -> list[str]:
    """Return the words to record; print the run that the typed `ticket` resolves to."""
    from hydra.core.hydra_config import HydraConfig

    from ltr.experiment.compose import repeatable
    from ltr.report import console

    if experiment.ticket != ticket:
        console.note(f"ticket={ticket}: {experiment.output_root}/{experiment.ticket}")
    return repeatable(HydraConfig.get().overrides.task, ticket, experiment)
