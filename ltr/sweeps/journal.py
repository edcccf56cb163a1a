"""Journal of a sweep: the outcomes of its jobs, on disk.

A launcher may run jobs in other processes or on other machines, and lose or pickle their errors. A killed
job has no error at all. The files record every outcome.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ltr.config.overrides import typed_word
from ltr.core import atomic
from ltr.errors import LtrError


class Job(NamedTuple):
    """Job that ended.

    Attributes:
        number: index in the sweep, from 0.
        words: combination of values, as typed.
        folder: run folder; empty if there is none.
        error: message of one line; empty if the job finished.
        exit_code: exit code of the error; 0 if the job finished.
    """

    number: int
    words: Sequence[str]
    folder: str = ""
    error: str = ""
    exit_code: int = 0

    @property
    def was_stopped(self) -> bool:
        """Whether a signal stopped the job, or prevented its start."""
        return self.exit_code > 128


class Journal(NamedTuple):
    """Outcomes of a sweep's jobs, in a folder that every process of the sweep knows.

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

    def write(self, job: Job) -> None:
        """Write the outcome of a job."""
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(self.folder / f"job_{job.number}.json", json.dumps(job._asdict(), indent=2) + "\n")

    def read(self) -> list[Job]:
        """Return the jobs that ended, in order."""
        return sorted(Job(**json.loads(file.read_text())) for file in self.folder.glob("job_*.json"))


def lost(combinations: Sequence[Sequence[str]], ended: Sequence[Job]) -> list[Job]:
    """Return the combinations of a sweep that have no outcome, as failed jobs."""
    known = {job.number for job in ended}
    error = "recorded no outcome: it never began, was killed, or still runs"
    return [
        Job(number, [typed_word(word) for word in words], error=error, exit_code=LtrError.exit_code)
        for number, words in enumerate(combinations)
        if number not in known
    ]
