"""Job of a sweep: trains one combination of values and records its outcome."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config.overrides import typed_word
from ltr.errors import StoppedError
from ltr.experiment.signals import Stop, request_stop
from ltr.faults import exit_code, is_known, message
from ltr.report import console
from ltr.store.identity import folder_name
from ltr.sweeps.journal import Job, Journal

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ltr.config.schema import Experiment

Conduct = Callable[["Experiment", str | None, Stop], None]
"""Function that trains an experiment, given its `ticket` as typed."""


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
