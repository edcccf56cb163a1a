"""A sweep from its words to its exit code: plan, launch, outcome."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ltr.sweeps import journal, launchers, outcome, plan
from ltr.sweeps.job import Conduct
from ltr.sweeps.journal import Journal
from ltr.sweeps.launch import launch


def run(words: Sequence[str], train: Conduct) -> int:
    """Check a sweep, run its jobs and print their outcomes.

    Args:
        words: the typed words as overrides for Hydra.
        train: function that trains an experiment, called in the process of each job.

    Returns:
        0 if every job finished, 128 plus the number of a signal that stopped them, else the exit code of
        the first error.

    Raises:
        ConfigError, DataNotFoundError: a combination cannot be run; nothing was trained.
    """
    planned = plan.checked(words)
    folder = planned.output_root.absolute() / "sweeps" / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    records = Journal(folder, launchers.is_remote(words))
    launched = launch(planned.words, records, train)
    ended = records.read()
    ended = sorted([*ended, *journal.lost(planned.combinations, ended)])
    outcome.show_runs([*planned.folders, *(Path(job.folder) for job in ended if job.folder)])
    return outcome.exit_code(ended, launched)
