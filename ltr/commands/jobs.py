"""Jobs of a sweep: each writes its outcome to a file.

A launcher may run jobs in other processes or on other machines, and lose or pickle their errors. A killed
job has no error at all. The files record every outcome.
"""

import json
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ltr.config.overrides import typed_word
from ltr.core import atomic
from ltr.errors import LtrError, StoppedError
from ltr.experiment.signals import Stop, request_stop
from ltr.faults import exit_code, is_known, message
from ltr.report import console
from ltr.store.identity import folder_name

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ltr.config.schema import Experiment

Conduct = Callable[["Experiment", str | None, Stop], None]
"""Function that trains an experiment, given its `ticket` as typed."""


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


def conduct(composed: "DictConfig", journal: Journal, train: Conduct) -> None:
    """Run a job and write its outcome; a failure stops no other job."""
    from hydra.core.hydra_config import HydraConfig

    from ltr.experiment import compose

    about = HydraConfig.get()
    job = Job(int(about.job.num), [typed_word(word) for word in about.overrides.task])
    try:
        with Stop(journal.stop_file) as stop:
            if error := stop.error():
                raise error
            experiment = compose.experiment_of(composed)
            job = job._replace(folder=str(Path(experiment.output_root) / folder_name(experiment)))
            train(experiment, composed.ticket, stop)
    except StoppedError as error:
        job = job._replace(error=str(error), exit_code=error.exit_code)
        if not journal.is_remote:
            request_stop(journal.stop_file, error.signal)
    except Exception as error:
        if is_known(error):
            console.note(f"ltr run: {message(error)}")
        elif job.folder and (log := Path(job.folder) / "log.txt").is_file():
            console.note(f"ltr run: {message(error)}; its traceback is in {log}")
        else:  # the run had not begun
            traceback.print_exc()
        job = job._replace(error=message(error), exit_code=exit_code(error))
    try:
        journal.write(job)
    except OSError as error:  # the job is reported as lost, and stops no other
        console.note(f"ltr run: {message(error)}")


def lost(combinations: Sequence[Sequence[str]], ended: Sequence[Job]) -> list[Job]:
    """Return the combinations of a sweep that have no outcome, as failed jobs."""
    known = {job.number for job in ended}
    error = "recorded no outcome: it never began, was killed, or still runs"
    return [
        Job(number, [typed_word(word) for word in words], error=error, exit_code=LtrError.exit_code)
        for number, words in enumerate(combinations)
        if number not in known
    ]


def failures(jobs: Sequence[Job]) -> list[str]:
    """Return a line for each failed job, with its number and the words that differ between jobs."""
    shared = set.intersection(*(set(job.words) for job in jobs)) if len(jobs) > 1 else set()
    return [
        f"job {job.number} ({' '.join(word for word in job.words if word not in shared)}): {job.error}"
        for job in jobs
        if job.error and not job.was_stopped
    ]
