"""Launcher of jobs as tasks of a Ray cluster, or of a local one that it starts.

Hydra's own Ray launcher requires cloudpickle 2, and joblib 1.6 requires cloudpickle 3.
"""

from collections.abc import Sequence
from typing import Any

import ray
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class RayLauncher(Launcher):
    """Launcher of tasks of Ray, which runs a task again if its process or machine is lost.

    Args:
        init: arguments of `ray.init`.
        remote: options of a task, as of `ray.remote`.
    """

    def __init__(self, init: dict[str, Any], remote: dict[str, Any]) -> None:
        self.init = init
        self.remote = remote

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what the jobs need. Hydra's launchers have this method."""
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs and wait for all; raise the error of the first task that Ray gave up."""
        ray.init(**self.init)
        try:
            task = ray.remote(**self.remote)(_run)
            shared = ray.put((self.context, self.task, self.config, Singleton.get_state()))
            jobs = [
                task.remote(shared, [*words], n) for n, words in enumerate(job_overrides, initial_job_idx)
            ]
            errors = [error for job in jobs if (error := _error(job))]
        finally:
            ray.shutdown()
        if errors:
            raise errors[0]
        return []


def _error(job: Any) -> Exception | None:
    """Wait for a task; return the error that it ended by."""
    try:
        ray.get(job)
    except ray.exceptions.RayError as error:
        return error
    return None


def _run(shared: Any, words: list[str], number: int) -> None:
    """Run a job in a process of Ray."""
    context, task, config, state = shared
    setup_globals()
    Singleton.set_state(state)
    composed = context.config_loader.load_sweep_config(config, words)
    with open_dict(composed):
        composed.hydra.job.num = number
        composed.hydra.job.id = f"job_{number}"
    HydraConfig.instance().set_config(composed)
    run_job(
        hydra_context=context,
        task_function=task,
        config=composed,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
