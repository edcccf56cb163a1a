"""Preemption of jobs: a signal asks for a checkpoint, and the job goes back into the queue.

submitit handles SIGUSR2 (`SUBMITIT_PREEMPT_SIGNAL` names another) by submitting the job again and ending the
process at once. ltr waits for a checkpoint first, and then calls this handler. Slurm announces preemption by
SIGTERM, which is also how `scancel` ends a job; the two differ in the state of the Slurm job.
"""

import os
import signal
import subprocess

from ltr.experiment.signals import Stop


def signals() -> list[int]:
    """Return the signals that ask this process for a checkpoint before it goes back into the queue."""
    if "SUBMITIT_EXECUTOR" not in os.environ:
        return []
    name = f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"
    return [signal.Signals[name]]


def is_preempted(stop: Stop) -> bool:
    """Return whether a job that `stop` stopped is to go back into the queue."""
    requeuing = signals()
    if not requeuing or stop.is_requested_elsewhere:
        return False
    return stop.caught in requeuing or (stop.caught == signal.SIGTERM and _is_running_under_slurm())


def requeue() -> None:
    """Put this job back into the queue by submitit's handler, which ends the process."""
    signal.raise_signal(signals()[0])


def _is_running_under_slurm() -> bool:
    """Return whether this is a Slurm job that is not being cancelled."""
    if os.environ.get("SUBMITIT_EXECUTOR") != "slurm":
        return False
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={os.environ['SLURM_JOB_ID']}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.stdout.strip() == "RUNNING"
