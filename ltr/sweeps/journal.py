"""Journal of a sweep: its plan and the record of each job, on disk.

A launcher may run jobs in other processes or on other machines, and lose or pickle their errors. A killed
job has no error at all. The files tell every process what became of each job.
"""

import dataclasses
import functools
import json
import os
import re
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from ltr.core import atomic

if TYPE_CHECKING:
    from pydantic import TypeAdapter

PLAN = "plan.json"

WAITING, RUNNING, FINISHED = "waiting", "running", "finished"
FAILED, STOPPED, PREEMPTED = "failed", "stopped", "preempted"
"""States that a job records of itself; `WAITING` is the state of a job without a record."""

DAMAGED = "damaged"
"""State of a job whose record cannot be read."""


def process_start(pid: int) -> str:
    """Return when a process of this machine started, in ticks since its boot; empty if that is unknown."""
    try:
        _, _, facts = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")
    except OSError:
        return ""
    return facts.split()[19]


@dataclasses.dataclass(frozen=True)
class Place:
    """Place where a job runs.

    Attributes:
        host: name of the machine.
        pid: number of the process there.
        slurm_job: id of the Slurm job, such as `12` or `12_3`; empty outside Slurm.
        pid_since: when it started; a later process may have its number (see `process_start`).
    """

    host: str = ""
    pid: int = 0
    slurm_job: str = ""
    pid_since: str = ""

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the place of this process."""
        array, task = (environment.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
        slurm_job = f"{array}_{task}" if array and task else environment.get("SLURM_JOB_ID", "")
        return cls(socket.gethostname(), os.getpid(), slurm_job, process_start(os.getpid()))


@dataclasses.dataclass(frozen=True)
class Job:
    """Record of a job.

    Attributes:
        number: index of its combination in the sweep, from 0.
        words: combination of values, as typed.
        folder: run folder; empty if there is none.
        state: one of the states of this module.
        error: message of one line, of a job that failed or was stopped, or of a record that cannot be read;
            else empty.
        exit_code: exit code of the error; 0 without one.
        place: where it runs or ran.
        began: time of its last start, in ISO format; empty if it did not start.
    """

    number: int
    words: Sequence[str]
    folder: str = ""
    state: str = WAITING
    error: str = ""
    exit_code: int = 0
    place: Place = Place()
    began: str = ""

    @classmethod
    def starting(cls, number: int, words: Sequence[str]) -> Self:
        """Return the record of a job that starts now in this process."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(number, words, state=RUNNING, place=Place.here(), began=now)

    @property
    def was_stopped(self) -> bool:
        """Whether a signal stopped the job, or prevented its start."""
        return self.exit_code > 128


class Recorded(NamedTuple):
    """Plan of a sweep as recorded.

    Attributes:
        words: words of the command, as typed.
        combinations: words of each job, as typed; empty if a sweeper chooses while it runs.
        folders: run folder of each combination.
        missing: numbers of the jobs whose run was not finished before.
    """

    words: list[str]
    combinations: list[list[str]]
    folders: list[str]
    missing: list[int]


class Journal(NamedTuple):
    """Files of a sweep, in a folder that every process of the sweep knows.

    Attributes:
        folder: absolute path.
        is_remote: whether jobs run in other processes, where a signal to one job stops no other.
    """

    folder: Path
    is_remote: bool

    @property
    def stop_file(self) -> Path:
        """File that requests all jobs to stop (see `ltr.experiment.signals.request_stop`)."""
        return self.folder / "stop"

    def begin(self, planned: Recorded) -> None:
        """Create the folder with the plan in it."""
        self.folder.mkdir(parents=True)
        atomic.write_text(self.folder / PLAN, json.dumps(planned._asdict(), indent=2) + "\n")

    def plan(self) -> Recorded:
        """Return the plan."""
        return Recorded(**json.loads((self.folder / PLAN).read_text()))

    def write(self, job: Job) -> None:
        """Write the record of a job."""
        atomic.write_text(
            self.folder / f"job_{job.number}.json", json.dumps(dataclasses.asdict(job), indent=2) + "\n"
        )

    def read(self) -> dict[int, Job]:
        """Return the records of the jobs that began, by number, in order."""
        names = [re.fullmatch(r"job_(\d+)\.json", file.name) for file in self.folder.glob("job_*.json")]
        numbers = sorted(int(name[1]) for name in names if name)
        return {number: _record(self.folder / f"job_{number}.json", number) for number in numbers}


@functools.cache
def _jobs() -> "TypeAdapter[Job]":
    """Return what checks records; importing it takes longer than help does."""
    from pydantic import TypeAdapter

    return TypeAdapter(Job)


def _record(file: Path, number: int) -> Job:
    """Return the record of a job; of a damaged one only its number and the error are known."""
    try:
        job = _jobs().validate_json(file.read_bytes())
    except (OSError, ValueError):
        job = None
    if job is None or job.number != number:
        return Job(
            number, (), state=DAMAGED, error=f"{file.name}: cannot be read, in {file.parent}", exit_code=1
        )
    return job
