"""Launcher of Slurm jobs by submitit, which waits for every job, whatever becomes of the others.

Hydra's own launcher returns at the first job that was killed. It asks `sacct` for the states, so without
Slurm's accounting it waits for ever for a killed job.
"""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import submitit
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher

ARRAY = 1000
"""Largest number of jobs in an array; Slurm's own limit is 1001 unless it is configured."""

POLL = (1.0, 15.0)
"""Shortest and longest time between two looks at the queue, in seconds."""

_UNKNOWN = "Invalid job id"
"""Message of `squeue` for jobs that ended some time ago."""


class SlurmLauncher(BaseSubmititLauncher):  # type: ignore[misc]
    """Launcher of jobs in Slurm arrays.

    Args:
        stop_file: file whose existence cancels the jobs that still wait in the queue.
        options: options of `configs/hydra/launcher/slurm.yaml`.
    """

    _EXECUTOR = "slurm"

    def __init__(self, stop_file: Path, **options: Any) -> None:
        super().__init__(**options)
        self.stop_file = stop_file

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs, and return when none is in the queue any more."""
        executor, state = self._executor(), Singleton.get_state()
        calls = [
            ([*words], "hydra.sweep.dir", number, f"job_{number}", state)
            for number, words in enumerate(job_overrides, initial_job_idx)
        ]
        arrays = []
        for first in range(0, len(calls), ARRAY):
            submitted = executor.map_array(self, *zip(*calls[first : first + ARRAY], strict=True))
            arrays.append(submitted[0].job_id.partition("_")[0])
        self._wait(arrays)
        return []

    def _executor(self) -> submitit.AutoExecutor:
        """Return submitit's executor with the options of this launcher."""
        options = dict(self.params)
        executor = submitit.AutoExecutor(
            cluster=self._EXECUTOR,
            folder=options.pop("submitit_folder"),
            slurm_max_num_timeout=options.pop("max_num_timeout"),
        )
        shared = BaseQueueConf.__dataclass_fields__
        executor.update_parameters(
            **{name if name in shared else f"slurm_{name}": value for name, value in options.items()}
        )
        return executor

    def _wait(self, arrays: Sequence[str]) -> None:
        """Wait until no job is in the queue; once a stop is requested, cancel those that wait there."""
        pause, longest = POLL
        is_cancelled = False
        while is_queued(arrays):
            end = time.monotonic() + pause
            while time.monotonic() < end:
                if self.stop_file.exists() and not is_cancelled:
                    subprocess.run(["scancel", "--state=PENDING", *arrays], check=False)
                    is_cancelled = True
                time.sleep(0.5)
            pause = min(pause * 1.5, longest)


def is_queued(jobs: Sequence[str]) -> bool:
    """Return whether one of these Slurm jobs waits or runs; True if Slurm does not answer."""
    command = ["squeue", "--noheader", "--format=%i", f"--jobs={','.join(jobs)}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip()) if answer.returncode == 0 else _UNKNOWN not in answer.stderr
