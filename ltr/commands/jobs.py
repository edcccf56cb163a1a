"""Jobs of a sweep: each writes to a file what it came to.

A launcher may run jobs in other processes or on other machines, where it loses their errors, or pickles
them; a job that is killed has no error at all. The files are where all of them are found again.
"""

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ltr.config.overrides import as_a_person_types
from ltr.core import atomic
from ltr.errors import LtrError, StoppedError
from ltr.experiment.signals import Stop, ask
from ltr.store.identity import folder_name

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ltr.config.schema import Experiment

Conduct = Callable[["Experiment", str | None, Stop], None]
"""Trains an experiment, of which this `ticket` was asked for."""


class Job(NamedTuple):
    """A job that ended.

    Attributes:
        number: its place in the sweep, from 0 on.
        words: its combination, as a person types it.
        folder: its run folder; empty where it has none.
        error: why it did not finish, on one line; empty if it finished.
        exit_code: that of the error; 0 if it finished.
    """

    number: int
    words: Sequence[str]
    folder: str = ""
    error: str = ""
    exit_code: int = 0

    @property
    def was_stopped(self) -> bool:
        """Whether a signal stopped it, or kept it from beginning."""
        return self.exit_code > 128


class Journal(NamedTuple):
    """What the jobs of a sweep came to, in its folder; every process of the sweep knows where.

    Attributes:
        folder: absolute.
        is_remote: whether jobs run in other processes, so that a signal to one stops no other.
    """

    folder: Path
    is_remote: bool

    @property
    def stop_file(self) -> Path:
        """The file that asks all of them to stop (see `ltr.experiment.signals.ask`)."""
        return self.folder / "stop"

    def write(self, job: Job) -> None:
        """Keep what a job came to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(self.folder / f"job_{job.number}.json", json.dumps(job._asdict(), indent=2) + "\n")

    def read(self) -> list[Job]:
        """The jobs that ended, in order."""
        return sorted(Job(**json.loads(file.read_text())) for file in self.folder.glob("job_*.json"))


def conduct(composed: "DictConfig", journal: Journal, train: Conduct) -> None:
    """Conduct a job and write what it came to; its failure stops no other."""
    from hydra.core.hydra_config import HydraConfig

    from ltr.experiment import compose

    about = HydraConfig.get()
    job = Job(int(about.job.num), [as_a_person_types(word) for word in about.overrides.task])
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
            ask(journal.stop_file, error.signal)
    except LtrError as error:
        print(f"ltr run: {error}", file=sys.stderr, flush=True)
        job = job._replace(error=str(error), exit_code=error.exit_code)
    except Exception as error:
        traceback.print_exc()
        said = " ".join(f"{type(error).__name__}: {error}".split())
        job = job._replace(error=said, exit_code=LtrError.exit_code)
    journal.write(job)


def lost(combinations: Sequence[Sequence[str]], ended: Sequence[Job]) -> list[Job]:
    """The jobs of a sweep's combinations that left no word."""
    known = {job.number for job in ended}
    error = "left no word: it never began, was killed, or still runs"
    return [
        Job(number, [as_a_person_types(word) for word in words], error=error, exit_code=LtrError.exit_code)
        for number, words in enumerate(combinations)
        if number not in known
    ]


def failures(jobs: Sequence[Job]) -> list[str]:
    """A line for each job that failed, with its number and the words in which it differs from others."""
    shared = set.intersection(*(set(job.words) for job in jobs)) if len(jobs) > 1 else set()
    return [
        f"job {job.number} ({' '.join(word for word in job.words if word not in shared)}): {job.error}"
        for job in jobs
        if job.error and not job.was_stopped
    ]
