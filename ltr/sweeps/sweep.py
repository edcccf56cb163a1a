"""A sweep from its words to its exit code: plan, launch, outcome."""

from collections.abc import Sequence
from datetime import datetime

from ltr.addresses import kept_here, local, shown
from ltr.config.overrides import typed_word
from ltr.core.plural import number_of
from ltr.report import console
from ltr.store.lock import locked
from ltr.sweeps import launchers, outcome, packed, plan, status, workers
from ltr.sweeps.job import Conduct
from ltr.sweeps.journal import Journal, Recorded
from ltr.sweeps.launch import launch
from ltr.sweeps.plan import Plan


def run(words: Sequence[str], train: Conduct) -> int:
    """Check a sweep, run the jobs whose runs are not finished, and print the outcome of all.

    Args:
        words: the typed words as overrides for Hydra.
        train: function that trains an experiment, called in the process of each job.

    Returns:
        0 if every job finished, 128 plus the number of a signal that stopped them, else the exit code of
        the first error.

    Raises:
        ConfigError, DataNotFoundError: a combination cannot be run; nothing was trained.
    """
    launchers.require(words)
    planned = plan.checked(words, workers.prepare if packed.is_packed(words) else lambda _: None)
    folder = kept_here(planned.output_root).absolute() / "sweeps" / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    journal = Journal(folder, launchers.is_remote(words))
    journal.begin(_recorded(planned))
    if done := len(planned.combinations) - len(planned.missing):
        console.note(f"ltr run: {done} of {number_of(len(planned.combinations), 'job')} finished before")
    with locked(folder):
        launched = _launch_missing(planned, journal, train)
    jobs = status.states(folder)
    outcome.show_runs([*planned.folders, *(local(job.folder) for job in jobs if job.folder)])
    return outcome.exit_code(jobs, launched)


def _launch_missing(planned: Plan, journal: Journal, train: Conduct) -> str:
    """Launch what is missing; return the launcher's last error, empty if there was none.

    A launcher may fail with the process of one job, before others began. These are launched again.
    """
    if planned.combinations and not planned.missing:
        return ""
    is_packed = planned.combinations and packed.is_packed(planned.words)
    missing = planned.missing
    while True:
        if is_packed:
            error = workers.train(planned, missing, journal)
        else:
            error = launch(planned, missing, journal, train)
        left = [number for number in missing if number not in journal.read()]
        if not error or not left or left == missing or journal.stop_file.exists():
            return error
        missing = left


def _recorded(planned: Plan) -> Recorded:
    """Return a plan as it is recorded, with words as typed."""
    return Recorded(
        [typed_word(word) for word in planned.words],
        [[typed_word(word) for word in words] for words in planned.combinations],
        [shown(str(folder.absolute())) for folder in planned.folders],
        planned.missing,
    )
