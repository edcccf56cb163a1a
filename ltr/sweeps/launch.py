"""Launching of a sweep's jobs by the launcher that its words choose."""

import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from ltr.config import groups
from ltr.config.folders import joined, own
from ltr.config.overrides import as_text
from ltr.errors import ConfigError
from ltr.experiment import compose
from ltr.experiment.signals import StopAll
from ltr.faults import message
from ltr.sweeps import cores, job, launchers
from ltr.sweeps.journal import Journal
from ltr.sweeps.plan import Plan

_TARGET = "_target_"
"""Option that names the class of a launcher of Hydra. Launchers that ltr alone has do without."""

Run = Callable[[DictConfig], None]
"""Function that runs the job of a composed configuration."""


def launch(planned: Plan, numbers: Sequence[int], journal: Journal, train: job.Conduct) -> str:
    """Launch jobs and wait for them.

    Args:
        planned: plan of the sweep.
        numbers: jobs to launch; all that a sweeper chooses if the plan has no combinations.
        journal: journal in which the jobs record themselves.
        train: function that trains an experiment, called in the process of each job.

    Returns:
        The launcher's error on one line; empty if there was none.
    """
    words = [*planned.words, *_sweep_dir(planned.words, journal.folder)]
    try:
        with StopAll(journal.stop_file):
            if planned.combinations:
                _launch_combinations(planned, words, numbers, journal, train)
            else:
                _launch_sweeper(words, _job([], 0, journal, train))
    except compose.ERRORS as error:
        raise ConfigError(compose.one_line(error)) from None
    except Exception as error:  # from the launcher; some jobs may have finished
        return textwrap.shorten(message(error), 240, placeholder=" ...")
    return ""


def _sweep_dir(words: Sequence[str], folder: Path) -> list[str]:
    """Return the word for the folder of Hydra's files, unless it was typed."""
    is_typed = any(word.startswith("hydra.sweep.dir=") for word in words)
    return [] if is_typed else [f"hydra.sweep.dir={as_text(str(folder))}"]


def _launch_combinations(
    planned: Plan, words: Sequence[str], numbers: Sequence[int], journal: Journal, train: job.Conduct
) -> None:
    """Launch the jobs of these numbers."""
    with compose.application() as application:
        config = application.compose_config(
            "config", [*words], RunMode.MULTIRUN, with_log_configuration=False
        )
        options: dict[str, Any] = OmegaConf.to_container(config.hydra.launcher, resolve=True)  # type: ignore[assignment]
        run = _job(numbers, _num_cores(options), journal, train)
        context = HydraContext(application.config_loader, Callbacks(config))
        if launcher := _own_launcher(options, journal):
            launcher.setup(hydra_context=context, task_function=run, config=config)
        else:
            launcher = Plugins.instance().instantiate_launcher(
                config=config, hydra_context=context, task_function=run
            )
        launcher.launch([planned.combinations[number] for number in numbers], 0)


def _own_launcher(options: Mapping[str, Any], journal: Journal) -> Launcher | None:
    """Return the launcher of ltr for these options; None if they are of a plug-in of Hydra."""
    arguments = {name: value for name, value in options.items() if name != _TARGET}
    match options.get(_TARGET):
        case launchers.SLURM:
            from ltr.sweeps.slurm import SlurmLauncher

            return SlurmLauncher(journal.stop_file, **arguments)
        case None:
            from ltr.sweeps.on_ray import RayLauncher

            return RayLauncher(**arguments)
    return None


def _num_cores(options: Mapping[str, Any]) -> int:
    """Return the cores of each process of a launcher that runs several on a machine; 0 for all."""
    match options.get(_TARGET):
        case launchers.JOBLIB:
            import joblib

            return max(1, joblib.cpu_count() // joblib.effective_n_jobs(options["n_jobs"]))
        case launchers.SLURM:
            return options["cpus_per_task"] or 0
        case None:
            return int(options["remote"]["num_cpus"])
    return 0


def _job(numbers: Sequence[int], num_cores: int, journal: Journal, train: job.Conduct) -> Run:
    """Return the function that runs a job, in whatever process.

    Args:
        numbers: number of a job in the sweep, by its number in the launcher; empty if they are the same.
        num_cores: see `ltr.sweeps.cores.take_share`.
        journal: journal of the sweep.
        train: function that trains an experiment.
    """
    added = own()  # the environment of a job's process may lack them

    def conduct(composed: DictConfig) -> None:
        cores.take_share(num_cores, journal.folder)
        launched = int(HydraConfig.get().job.num)
        with joined(added):
            job.conduct(composed, numbers[launched] if numbers else launched, journal, train)

    return conduct


def _launch_sweeper(words: Sequence[str], run: Run) -> None:
    """Let Hydra's sweeper choose the combinations and launch them."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing and exiting
    sys.argv = ["ltr", "-m", *words]
    compose.register()
    hydra.main(str(groups.config_dir().absolute()), "config", version_base="1.3")(run)()
